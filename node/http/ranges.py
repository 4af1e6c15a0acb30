"""Byte ranges (RFC 9110 section 14): one range is answered, anything stranger gets the whole file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_ONE_RANGE = re.compile(r"bytes=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Whole:
    """The whole file is wanted."""


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes ``start`` to before ``end``."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """The range lies behind the end of the file: 416."""


def wanted_part(headers: Mapping[str, str], size_bytes: int, etag: str) -> Whole | Part | Unsatisfiable:
    """Decide what part of a file a request wants; an ``If-Range`` that does not match means all of it."""
    given = headers.get("Range")
    if given is None or headers.get("If-Range", etag) != etag:
        return Whole()
    match = _ONE_RANGE.fullmatch(given.strip())
    if match is None or match[0].strip() in {"bytes=-", "bytes="}:
        return Whole()
    first, last = match[1], match[2]
    if not first:
        length = int(last)
        return Part(max(0, size_bytes - length), size_bytes) if length and size_bytes else Unsatisfiable()
    start = int(first)
    if start >= size_bytes:
        return Unsatisfiable()
    if not last:
        return Part(start, size_bytes)
    end = int(last) + 1
    return Part(start, min(end, size_bytes)) if end > start else Whole()
