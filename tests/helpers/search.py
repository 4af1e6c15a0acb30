"""Searching as ``pip search`` does: a call over XML-RPC."""

from __future__ import annotations

import xmlrpc.client
from typing import Any

XML_HEADERS = {"Content-Type": "text/xml"}


def search_body(*words: str, operator: str = "or") -> bytes:
    """Return the body that ``pip search`` sends."""
    return xmlrpc.client.dumps(({"name": list(words), "summary": list(words)}, operator), "search").encode()


def hits_in(body: bytes) -> list[dict[str, Any]]:
    """Return the hits of an answer; raises ``xmlrpc.client.Fault`` for a fault."""
    (hits,), _ = xmlrpc.client.loads(body)
    assert isinstance(hits, list)
    return hits


def summaries_in(body: bytes) -> list[str]:
    """Return the hits of an answer as ``name version [user/index] summary``."""
    return [f"{hit['name']} {hit['version']} {hit['summary']}" for hit in hits_in(body)]
