"""The step in front of the parser: from the raw head of a request to a finished answer."""

from collections.abc import Callable

from aiohttp import web

from node.finished import FinishedAnswers, RequestKey
from node.http.etags import matches_etag
from node.http.head import RequestHead
from node.http.keys import PRIVATE

_SPECIAL_HEADERS = (b"range", b"x-outside-url", b"x-devpi-absolute-urls")
"""Headers that make an answer special: requests with one of them go the ordinary way."""


class FastAnswers:
    """Answers what is finished; the paths, headers and bytes are those of the ordinary way."""

    def __init__(self, finished: FinishedAnswers, common_lines: Callable[[], bytes]) -> None:
        self._finished = finished
        self._common_lines = common_lines

    def __call__(self, head: RequestHead) -> bytes | None:
        """Return a whole response, or None when the ordinary way has to answer."""
        headers = head.headers
        key = (head.target, headers.get(b"accept"), headers.get(b"accept-encoding"))
        answer = self._finished.for_request(key)
        if answer is None or head.method != "GET":
            return None
        for name in _SPECIAL_HEADERS:
            if name in headers:
                return None
        given = headers.get(b"if-none-match")
        common = self._common_lines()
        if given is not None and matches_etag(given.decode("latin-1"), answer.etag):
            return b"HTTP/1.1 304 Not Modified\r\n" + answer.head_not_modified + common
        if answer.wire_common is not common:
            answer.wire = b"HTTP/1.1 200 OK\r\n" + answer.head + common + answer.body
            answer.wire_common = common
        return answer.wire


def is_plain(request: web.Request) -> bool:
    """Say whether a request's answer may be remembered for requests that look the same."""
    if request.method != "GET" or request.get(PRIVATE):
        return False
    return not any(name.decode() in request.headers for name in _SPECIAL_HEADERS)


def request_key(request: web.Request) -> RequestKey:
    """Return the key under which the fast path will look for the same request."""
    accept, encoding = request.headers.get("Accept"), request.headers.get("Accept-Encoding")
    return (
        request.raw_path.encode(),
        None if accept is None else accept.encode("latin-1", "replace"),
        None if encoding is None else encoding.encode("latin-1", "replace"),
    )
