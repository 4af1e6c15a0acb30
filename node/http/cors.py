"""Letting installers that run in a browser read pages and files (the Fetch standard's CORS protocol)."""

from collections.abc import Awaitable, Callable

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PREFLIGHT = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    # What installers send with a read. Never Authorization: other origins read as nobody.
    "Access-Control-Allow-Headers": "Accept, Cache-Control, Content-Type, If-Match, If-Modified-Since, "
    "If-None-Match, If-Range, If-Unmodified-Since, Range",
    "Access-Control-Max-Age": "86400",
    "Vary": "Origin",
}


@web.middleware
async def answer_preflights(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a browser's question whether it may read, for every path: it allows reads and nothing else."""
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        return web.Response(status=204, headers=_PREFLIGHT)
    return await handler(request)


async def hide_software(_request: web.Request, response: web.StreamResponse) -> None:
    """Leave out the header in which aiohttp tells its and Python's version; nobody needs to know."""
    response.headers.popall("Server", None)
