"""The names under which handlers find what the application holds."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from node.http.server import ConnectionStatistics
    from node.services import Services

SERVICES: web.AppKey["Services"] = web.AppKey("services")
SERIAL = "wheelyard.serial"
"""In a request: the serial of the entry that it wrote."""
SENTENCE_IN_REASON = "wheelyard.sentence-in-reason"
"""In a request: errors go into the reason phrase, where upload clients look for them."""
CONNECTIONS: web.AppKey[Callable[[], "ConnectionStatistics | None"]] = web.AppKey("connections")
"""Reads the statistics of the listener's connections; None before it listens."""
