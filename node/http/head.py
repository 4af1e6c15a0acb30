"""The head of a simple request, read in a few microseconds.

Installers ask the same kind of question thousands of times: one GET, a handful of headers, no body, all
in one segment. :func:`parse_head` understands exactly that and nothing else. Everything it is not sure
about is None, and the caller hands those bytes to aiohttp, whose answer is then the right one:

=====================  =====================================================================
request line           ``GET`` or ``HEAD``, a target that starts with ``/``, ``HTTP/1.1``
bytes                  printable ASCII only; lines end in CR LF; the head ends the data
headers                each name once, ``Host`` present, no folding, no space before the colon
body                   none: no ``Transfer-Encoding``, ``Content-Length`` absent or 0
control                no ``Expect``, no ``Upgrade``; ``Connection`` absent, keep-alive or close
=====================  =====================================================================
"""

from collections.abc import Mapping
from typing import Final

HEAD_BYTES_MAX: Final = (
    8000  # below every limit of aiohttp's own, so that nothing passes here that it refuses
)
HEADERS_MAX: Final = 64

_PRINTABLE: Final = bytes(range(0x20, 0x7F))
_TARGET: Final = bytes(byte for byte in range(0x21, 0x7F) if byte != ord("#"))
_TOKEN: Final = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BREAKS: Final = [b"\r\n" * lines for lines in range(HEADERS_MAX + 4)]
_LEFT_TO_AIOHTTP: Final = frozenset((b"transfer-encoding", b"expect", b"upgrade"))
_CONNECTION_VALUES: Final = frozenset((b"keep-alive", b"close"))

_BLOCKS_MAX: Final = 256
_BLOCK_BYTES_MAX: Final = 1024
# One client sends the same header lines with every request, so their parsed form is kept. Emptied when
# full: a client that varies its headers costs others one parse each, never memory.
_blocks: dict[bytes, Mapping[bytes, bytes]] = {}


class RequestHead:
    """What a simple request asks, in the client's own bytes."""

    __slots__ = ("headers", "method", "target")

    method: str  # "GET" or "HEAD"
    target: bytes  # path and query as sent, still percent-encoded
    headers: Mapping[bytes, bytes]  # lower-case name -> value; shared between requests, never changed

    def __init__(self, method: str, target: bytes, headers: Mapping[bytes, bytes]) -> None:
        self.method = method
        self.target = target
        self.headers = headers

    def __repr__(self) -> str:
        # Without the headers, which may hold a password.
        return f"<RequestHead {self.method} {self.target!r}>"


def parse_head(data: bytes) -> RequestHead | None:
    """Read ``data`` as one complete, simple request head, or return None."""
    if data[-4:] != b"\r\n\r\n" or len(data) > HEAD_BYTES_MAX:
        return None
    line_end = data.find(b"\r\n")
    if data[line_end - 9 : line_end] != b" HTTP/1.1":
        return None
    if data[:5] == b"GET /":
        method = "GET"
        target = data[4 : line_end - 9]
    elif data[:6] == b"HEAD /":
        method = "HEAD"
        target = data[5 : line_end - 9]
    else:
        return None
    if target.translate(None, _TARGET):
        return None
    block = data[line_end:]
    headers = _blocks.get(block)
    if headers is None:
        headers = _parse_block(block)
        if headers is None:
            return None
    return RequestHead(method, target, headers)


def _parse_block(block: bytes) -> Mapping[bytes, bytes] | None:
    """Read the header lines between the request line and the end of the head, both line ends included."""
    lines = block[2:-4].split(b"\r\n")
    count = len(lines)
    # Deleting what may be printed must leave the line ends and nothing else: no NUL, no tab, no bare CR or LF.
    if count > HEADERS_MAX or block.translate(None, _PRINTABLE) != _BREAKS[count + 2]:
        return None
    headers: dict[bytes, bytes] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        headers[name.lower()] = value.strip()
    # Fewer names than lines: one came twice. A folded line, or a space before the colon, is no token.
    if len(headers) != count or b"" in headers or b"".join(headers).translate(None, _TOKEN):
        return None
    if not all(b":" in line for line in lines) or not _is_simple(headers):
        return None
    _remember(block, headers)
    return headers


def _is_simple(headers: Mapping[bytes, bytes]) -> bool:
    if b"host" not in headers or not _LEFT_TO_AIOHTTP.isdisjoint(headers):
        return False
    if headers.get(b"content-length", b"0") != b"0":
        return False
    connection = headers.get(b"connection")
    return connection is None or connection.lower() in _CONNECTION_VALUES


def _remember(block: bytes, headers: Mapping[bytes, bytes]) -> None:
    # Credentials are read anew each time: nothing here may outlive the request that carried them.
    if len(block) > _BLOCK_BYTES_MAX or b"authorization" in headers or b"x-devpi-auth" in headers:
        return
    if b"cookie" in headers or b"proxy-authorization" in headers:
        return
    if len(_blocks) >= _BLOCKS_MAX:
        _blocks.clear()
    _blocks[block] = headers
