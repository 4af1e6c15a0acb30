"""Answers in devpi's envelope, and the headers that every answer carries."""

import json
from typing import Any

from aiohttp import web

from node.http.keys import PRIVATE, SERIAL, SERVICES

JSON_TYPE = "application/json"
"""Exactly this, without a charset: devpi's client and uv compare with ``==``."""
API_VERSION = "2"


def envelope(
    status: int = 200, *, message: str | None = None, kind: str | None = None, result: Any = None
) -> web.Response:
    """Return devpi's answer: ``result`` with its ``type``, or a ``message``, or both."""
    body: dict[str, Any] = {}
    if kind is not None:
        body |= {"result": result, "type": kind}
    if message:
        body["message"] = message
    text = json.dumps(body, indent=2) + "\n"
    return web.Response(status=status, body=text.encode(), headers={"Content-Type": JSON_TYPE})


def wants_json(request: web.Request) -> bool:
    """Say whether an error is wanted as JSON, by devpi's plain test."""
    return JSON_TYPE in request.headers.get("Accept", "")


async def add_common_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add what devpi puts on everything; X-DEVPI-SERIAL is a write's serial, else the state's."""
    services = request.app[SERVICES]
    headers = response.headers
    for name, value in services.common_headers().items():
        headers.setdefault(name, value)
    if request.get(PRIVATE):
        if response.status < 400 and headers.get("Cache-Control") != "no-store":
            headers["Cache-Control"] = "private, no-cache"
            headers["Vary"] = "Authorization, X-Devpi-Auth, Accept, Accept-Encoding"
        headers.pop("Access-Control-Allow-Origin", None)
    serial = request.get(SERIAL, services.store.position.serial)
    headers.setdefault("X-DEVPI-SERIAL", str(serial))
