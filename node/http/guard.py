"""Who is answered at all: nobody on an empty replica, users only with ``--require-login``; and nginx's ``auth_request``."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from aiohttp import web

from node.catalog.permissions import Identity
from node.catalog.reading import may_read
from node.catalog.records import IndexRecord
from node.errors import Forbidden, LoginRequired, Unavailable
from node.http.asked import Asked, asked_for, covers, find_asked_index
from node.http.keys import SERVICES
from node.http.proxy import is_answered_here
from node.http.reading import reader
from node.http.search import is_search
from storage.view import View

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ORIGINAL_URI_HEADER = "X-Original-URI"
EMPTY_RETRY_SECONDS = 2
_OPEN_ENDS = ("/+api", "/+login", "/+authcheck")
"""Where clients find out how to log in."""
_OPEN_STARTS = ("/+live", "/+ready", "/+status", "/+metrics", "/+nodes", "/+cluster/")
"""Operators' pages, which name no project; and what other nodes ask, with proof of the secret."""
_READS = frozenset({"GET", "HEAD"})


def is_open(path: str) -> bool:
    """Say whether a path is answered to everybody, also where a login is required."""
    return path.endswith(_OPEN_ENDS) or path.startswith(_OPEN_STARTS)


@web.middleware
async def state_required(request: web.Request, handler: Handler) -> web.StreamResponse:
    """On a replica that has received nothing yet, tell clients to come back: it knows of no user and no index.

    Writes are the primary's to answer, unless this node is to look who sends them first.
    """
    services = request.app[SERVICES]
    is_empty = services.link is not None and services.store.position.serial == 0
    if (
        is_empty
        and not request.path.startswith(_OPEN_STARTS)
        and (services.config.require_login or is_answered_here(request))
    ):
        raise Unavailable("this replica has no data yet", retry_after_seconds=EMPTY_RETRY_SECONDS)
    return await handler(request)


@web.middleware
async def login_required(request: web.Request, handler: Handler) -> web.StreamResponse:
    """With ``--require-login``, answer only who is logged in; nothing of it is kept for others.

    Then everything is for somebody, so an API token must cover also what is not restricted.
    """
    if not request.app[SERVICES].config.require_login or is_open(request.path):
        return await handler(request)
    identity = await reader(request)
    if identity.is_anonymous:
        raise LoginRequired("authentication required")
    if identity.scope is not None and (request.method in _READS or is_search(request)):
        asked = await asked_for(request, request.path)
        is_list = asked.names_index and "no_projects" not in request.query
        if is_list or asked.names_content:
            with request.app[SERVICES].store.view() as view:
                if not covers(view, identity, asked):
                    raise Forbidden("the token is not for this")
    return await handler(request)


async def authcheck(request: web.Request) -> web.Response:
    """``/+authcheck``: may the sender of the request that nginx holds back see what it asks for?

    As in devpi: 200, 401 (403 for devpi's own client, which explains it better), or 403 for what
    is not there. Restricted indexes are checked as well, and the scope of an API token where the
    path alone says what is asked: an upload and a list have the same.
    """
    services = request.app[SERVICES]
    try:
        path = unquote(urlsplit(request.headers.get(ORIGINAL_URI_HEADER, request.path_qs)).path)
    except ValueError:
        return _answer(HTTPStatus.FORBIDDEN)  # as any path that is not there
    asked = await asked_for(request, path)
    if asked.path.endswith(_OPEN_ENDS):
        return _answer(HTTPStatus.OK)
    if not asked.has_route:
        return _answer(HTTPStatus.FORBIDDEN)
    identity = await reader(request)
    is_refused = services.config.require_login and identity.is_anonymous
    if asked.names_index:
        with services.store.view() as view:
            index = find_asked_index(view, asked)
            is_hidden = index is not None and not _may_see(view, identity, index, asked)
        if index is None and "filename" in asked.parts:
            return _answer(HTTPStatus.FORBIDDEN)
        if is_hidden and not identity.is_anonymous:
            return _answer(HTTPStatus.FORBIDDEN)
        is_refused = is_refused or is_hidden
    if not is_refused:
        return _answer(HTTPStatus.OK)
    is_client = "devpi-client" in request.headers.get("User-Agent", "")
    return _answer(HTTPStatus.FORBIDDEN if is_client else HTTPStatus.UNAUTHORIZED)


def _may_see(view: View, identity: Identity, index: IndexRecord, asked: Asked) -> bool:
    if identity.scope is None:
        return may_read(identity, index)
    return not asked.names_content or covers(view, identity, asked)


def _answer(status: HTTPStatus) -> web.Response:
    response = web.Response(status=status, headers={"Cache-Control": "no-store"})
    if status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Basic realm="pypi"'
    return response
