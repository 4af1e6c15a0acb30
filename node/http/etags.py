"""Comparing entity tags (RFC 9110 section 13.1.2)."""


def matches_etag(header: str, etag: str) -> bool:
    """Say whether an ``If-None-Match`` header names an ETag; ``W/`` before one does not matter here."""
    if not header:
        return False
    if header == etag or header.strip() == "*":
        return True
    return any(given.strip().removeprefix("W/") == etag for given in header.split(","))
