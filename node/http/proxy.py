"""Writes on a replica: passed on to the primary byte for byte, answered when they are applied here."""

from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import web

from node.cluster.link import CONNECT_SECONDS, HttpLink
from node.errors import OutcomeUnknown, Unavailable
from node.http.cluster import PREFIX
from node.http.keys import SERVICES
from node.http.outside import OUTSIDE_URL_HEADER, outside_url
from node.http.search import is_search
from node.http.simple import refresh

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

APPLIED_WAIT_SECONDS = 10.0
ANSWER_SECONDS_MAX = 600.0
RETRY_AFTER_SECONDS = 5
ADDRESS_HEADER = "X-Real-IP"
APPLIED_HEADER = "X-Wheelyard-Applied"
"""``pending`` on an answer that this replica passes on before it has applied the write."""
_READS = {"GET", "HEAD", "OPTIONS"}
_ANSWERED_HERE = ("/+login", PREFIX)
_NOT_PASSED_ON = {
    "connection",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


def is_answered_here(request: web.Request) -> bool:
    """Say whether a replica answers a request from its own state: a read, a login, a search, or another node's."""
    return request.method in _READS or request.path.startswith(_ANSWERED_HERE) or is_search(request)


@web.middleware
async def pass_on_writes(request: web.Request, handler: Handler) -> web.StreamResponse:
    """On a replica, send writes to the primary; logins and searches are answered here."""
    link = request.app[SERVICES].link
    if link is None or is_answered_here(request):
        return await handler(request)
    answer = await _forward(request, link)
    if answer.status < 400 and request.match_info.handler is refresh:
        await handler(request)  # the primary has asked upstream; what this node knows is older
    return answer


async def _forward(request: web.Request, link: HttpLink) -> web.Response:
    services = request.app[SERVICES]
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _NOT_PASSED_ON}
    headers |= link.sign(request.method, request.raw_path)
    headers[OUTSIDE_URL_HEADER] = outside_url(request, services.config.public_url)
    headers[ADDRESS_HEADER] = request.remote or ""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=ANSWER_SECONDS_MAX)
    try:
        async with link.session.request(
            request.method,
            link.primary_url + request.raw_path,
            data=request.content.iter_any() if request.can_read_body else None,
            headers=headers,
            timeout=timeout,
            allow_redirects=False,
        ) as answer:
            content = await answer.read()
    except aiohttp.ClientConnectorError as error:
        raise Unavailable(
            f"the primary is unreachable: {error}", retry_after_seconds=RETRY_AFTER_SECONDS
        ) from error
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise OutcomeUnknown(str(error) or type(error).__name__) from error
    response = web.Response(status=answer.status, reason=answer.reason, body=content)
    for name, value in answer.headers.items():
        if name.lower() not in {*_NOT_PASSED_ON, "content-length", "content-encoding", "date", "server"}:
            response.headers[name] = value
    response.headers["X-DEVPI-PROXY"] = "replica"
    await _wait_until_applied(request, answer.headers.get("X-DEVPI-SERIAL", ""), response)
    return response


async def _wait_until_applied(request: web.Request, serial: str, response: web.Response) -> None:
    if response.status >= 400 or not serial.isdecimal():
        return
    signal = request.app[SERVICES].signal
    if not await signal.wait_for(int(serial), timeout_seconds=APPLIED_WAIT_SECONDS):
        response.headers[APPLIED_HEADER] = "pending"
