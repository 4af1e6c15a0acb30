"""Paths as clients send them, brought to the one form that routes know."""

import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from node.http.keys import SERVICES
from node.http.outside import outside_prefix

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_SLASHES = re.compile(r"/{2,}")


@web.middleware
async def clean_paths(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Route a path without doubled slashes and without the prefix under which a proxy shows this node.

    Twine's users write doubled slashes, and a POST must never be redirected.
    """
    wanted = cleaned_path(request.path, outside_prefix(request, request.app[SERVICES].config.public_url))
    if wanted == request.path:
        return await handler(request)
    cleaned = request.clone(rel_url=request.rel_url.with_path(wanted).with_query(request.rel_url.query))
    match = await request.app.router.resolve(cleaned)
    match.add_app(request.app)
    match.freeze()
    cleaned._match_info = match  # noqa: SLF001 - aiohttp has no public way to route a request again
    for key, value in request.items():
        cleaned[key] = value
    try:
        return await match.handler(cleaned)
    finally:
        for key, value in cleaned.items():
            request[key] = value


def cleaned_path(path: str, prefix: str) -> str:
    """Return the path that routes know for one that a client sent."""
    path = _SLASHES.sub("/", path)
    if prefix and (path == prefix or path.startswith(prefix + "/")):
        path = path[len(prefix) :] or "/"
    return path
