"""Search over XML-RPC, as ``pip search`` asks for it (devpi-web: ``POST /{user}/{index}`` of ``text/xml``)."""

import re

from aiohttp import web

from node.catalog.lookups import get_index, search_path
from node.catalog.permissions import NOBODY
from node.catalog.reading import check_read, has_restricted
from node.errors import MethodUnknown, NotFound
from node.http.bodies import read_bounded
from node.http.keys import SERVICES
from node.http.outside import outside_prefix
from node.http.paths import cleaned_path
from node.http.reading import reader
from node.http.xmlrpc import XML_TYPE, answer, parse_call
from node.search.query import Query, parse_query

CALL_BYTES_MAX = 64 * 1024
METHOD_CHARACTERS_MAX = 64
_SEARCHED = re.compile(r"/[^+/]+/[^+/]+(/(\+?simple|pypi))?/?")


def has_call(request: web.Request) -> bool:
    """Say whether a POST to an index is a call over XML-RPC rather than an upload or a push."""
    return request.content_type == XML_TYPE


def is_search(request: web.Request) -> bool:
    """Say of a request that is not routed yet whether it is a search: a POST that only reads."""
    if request.method != "POST" or not has_call(request):
        return False
    prefix = outside_prefix(request, request.app[SERVICES].config.public_url)
    return _SEARCHED.fullmatch(cleaned_path(request.path, prefix)) is not None


async def search(request: web.Request) -> web.Response:
    """Answer ``search(spec, operator)`` with ``[{name, version, summary, _pypi_ordering}]``.

    Also under the URLs of the Simple API and under ``pypi``, since pip posts to exactly the URL
    that it is given. What is wrong with the call is told in a fault.
    """
    if not has_call(request):
        raise NotFound("no such page")
    services = request.app[SERVICES]
    user, name = request.match_info["user"], request.match_info["index"]
    with services.store.view() as view:
        path = search_path(view, get_index(view, user, name))
    identity = await reader(request) if has_restricted(path) else NOBODY
    check_read(identity, path[0])
    query = _query(await read_bounded(request, bytes_max=CALL_BYTES_MAX))
    hits = await services.searches.find(user, name, query, identity)
    return answer(
        [
            {
                "name": hit.name,
                "version": hit.version,
                "summary": hit.summary_with_index,
                "_pypi_ordering": len(hits) - place,  # the highest first, by which old versions of pip sort
            }
            for place, hit in enumerate(hits)
        ]
    )


def _query(body: bytes) -> Query:
    """Return what a call asks for.

    Raises:
        CallRefused: it is no call, not of ``search``, or of other arguments.

    """
    method, arguments = parse_call(body)
    if method != "search":
        raise MethodUnknown(f"there is no method {method[:METHOD_CHARACTERS_MAX]!r}, only 'search'")
    return parse_query(arguments)
