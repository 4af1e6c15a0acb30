"""The names under which handlers find what the application holds."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from node.http.server import ConnectionStatistics
    from node.services import Services

SERVICES: web.AppKey["Services"] = web.AppKey("services")
SERIAL = web.RequestKey("wheelyard.serial", int)
"""In a request: the serial of the entry that it wrote."""
SENTENCE_IN_REASON = web.RequestKey("wheelyard.sentence-in-reason", bool)
"""In a request: errors go into the reason phrase, where devpi's client and those that upload look for them."""
PRIVATE = web.RequestKey("wheelyard.private", bool)
"""In a request: what it is answered depends on who sent it."""
CONNECTIONS: web.AppKey[Callable[[], "ConnectionStatistics | None"]] = web.AppKey("connections")
"""Reads the statistics of the listener's connections; None before it listens."""
