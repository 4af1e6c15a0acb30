"""A node for its users only (``--require-login``), and the answer to nginx's ``auth_request``."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from aiohttp import web
from yarl import URL

from node.catalog.lookups import find_index
from node.catalog.reading import may_read
from node.errors import LoginRequired
from node.http.keys import SERVICES
from node.http.outside import outside_prefix
from node.http.paths import cleaned_path
from node.http.reading import reader

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ORIGINAL_URI_HEADER = "X-Original-URI"
_OPEN_ENDS = ("/+api", "/+login", "/+authcheck")
"""Where clients find out how to log in."""
_OPEN_STARTS = ("/+live", "/+ready", "/+status", "/+metrics", "/+nodes", "/+cluster/")
"""Operators' pages, which name no project; and what other nodes ask, with proof of the secret."""


def is_open(path: str) -> bool:
    """Say whether a path is answered to everybody, also where a login is required."""
    return path.endswith(_OPEN_ENDS) or path.startswith(_OPEN_STARTS)


@web.middleware
async def login_required(request: web.Request, handler: Handler) -> web.StreamResponse:
    """With ``--require-login``, answer only who is logged in; nothing of it is kept for others."""
    is_required = request.app[SERVICES].config.require_login
    if is_required and not is_open(request.path) and (await reader(request)).is_anonymous:
        raise LoginRequired("authentication required")
    return await handler(request)


async def authcheck(request: web.Request) -> web.Response:
    """``/+authcheck``: may the sender of the request that nginx holds back see what it asks for?

    As in devpi: 200, 401 (403 for devpi's own client, which explains it better), or 403 for what
    is not there. Restricted indexes are checked as well.
    """
    services = request.app[SERVICES]
    given = request.headers.get(ORIGINAL_URI_HEADER, request.path_qs)
    prefix = outside_prefix(request, services.config.public_url)
    path = cleaned_path(unquote(urlsplit(given).path), prefix)
    if path.endswith(_OPEN_ENDS):
        return _answer(HTTPStatus.OK)
    match = await request.app.router.resolve(request.clone(method="GET", rel_url=URL.build(path=path)))
    if match.http_exception is not None and match.http_exception.status != HTTPStatus.METHOD_NOT_ALLOWED:
        return _answer(HTTPStatus.FORBIDDEN)
    identity = await reader(request)
    is_refused = services.config.require_login and identity.is_anonymous
    if "index" in match:
        with services.store.view() as view:
            index = find_index(view, match["user"], match["index"])
        if index is None and "filename" in match:
            return _answer(HTTPStatus.FORBIDDEN)
        if index is not None and not may_read(identity, index):
            if not identity.is_anonymous:
                return _answer(HTTPStatus.FORBIDDEN)
            is_refused = True
    if not is_refused:
        return _answer(HTTPStatus.OK)
    is_client = "devpi-client" in request.headers.get("User-Agent", "")
    return _answer(HTTPStatus.FORBIDDEN if is_client else HTTPStatus.UNAUTHORIZED)


def _answer(status: HTTPStatus) -> web.Response:
    response = web.Response(status=status, headers={"Cache-Control": "no-store"})
    if status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Basic realm="pypi"'
    return response
