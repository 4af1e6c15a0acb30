"""One client's connection: the fast path in front of aiohttp's parser, and what a clock has to know.

::

    segment -> idle, and one simple head? -> FastPath(head) -> bytes   written at once, aiohttp never sees it
                         | no                     | None
                         v                        v
                    Framing (PUSH -> POST) -> aiohttp's parser -> handler task

The fast path is taken only while aiohttp waits for a request and holds no part of one, so answers keep
the order of the questions whichever way each of them went.

This module rests on private attributes of aiohttp's ``RequestHandler`` (the version is pinned for it):

=========================  ====================================================================
``_waiter``                pending exactly while the handler task waits for the next request
``_paused``                the peer does not read: aiohttp's handlers wait for it, we must not write
``_current_request``       its unfinished body is what a BODY deadline is about
``_request_count``         tells one request's clock from the next one's
``_task_handler``          has to let go of a socket (sendfile) before that is aborted
``_force_close``           makes a refused connection deaf
``_process_keepalive``     aiohttp's own idle timer, which knows nothing of fast answers
=========================  ====================================================================
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from aiohttp.web_protocol import RequestHandler

from node.http.framing import Framing, Phase
from node.http.head import RequestHead, parse_head
from node.http.timers import Doing, Timers, Watch

if TYPE_CHECKING:
    from node.http.server import ConnectionServer

FastPath = Callable[[RequestHead], bytes | list[bytes] | None]
"""A finished response (status line, headers, body), or None: go on to aiohttp. Called on the event loop."""

READ_BYTES_MAX: Final = 64 * 1024

_TIMED_OUT: Final = (
    b"HTTP/1.1 408 Request Timeout\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 29\r\nConnection: close\r\n\r\n"
    b"The request came too slowly.\n"
)
_FULL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 31\r\nConnection: close\r\n\r\n"
    b"Too many connections are open.\n"
)
_START: Final = Phase.START  # a global is found faster than an attribute of an enumeration
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER, 0 s: the kernel drops what the peer never took
# linux/tcp.h, struct tcp_info: tcpi_unacked at 24 (segments), tcpi_bytes_acked at 120, tcpi_notsent_bytes at 144.
_TCP_INFO: Final = struct.Struct("=24xI92xQ16xI")


class Connection(RequestHandler):
    """aiohttp's protocol with a fast path, ``PUSH``, and the numbers its deadlines are decided from."""

    __slots__ = (
        "_fast_path",
        "_framing",
        "_received_bytes",
        "_server",
        "_socket",
        "_watch",
        "_wire",
        "fast_answers",
    )

    fast_answers: int

    def __init__(
        self,
        server: "ConnectionServer",
        *,
        loop: asyncio.AbstractEventLoop,
        fast_path: FastPath | None,
        **kwargs: Any,
    ) -> None:
        # 0: aiohttp starts no timer of its own when a connection is made.
        super().__init__(server, loop=loop, **{**kwargs, "keepalive_timeout": 0})
        self._server = server
        self._fast_path = fast_path
        self._framing = Framing()
        self._received_bytes = 0
        self._watch = Watch(loop.time())
        self._wire: asyncio.Transport | None = None  # aiohttp forgets its own one while that is still closing
        self._socket: socket.socket | None = None
        self.fast_answers = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, if the server has room."""
        self._wire = cast("asyncio.Transport", transport)
        self._socket = transport.get_extra_info("socket")
        if hasattr(transport, "max_size"):
            # asyncio's socket transport reads into a fresh buffer of 256 KiB each time; a quarter of that
            # answers a tenth more simple requests per second (measured) and carries uploads as well.
            transport.max_size = READ_BYTES_MAX
        if self._server.admit(self):
            super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Answer at once what can be, hand everything else to aiohttp in order."""
        waiter = self._waiter
        if (
            waiter is not None
            and self._framing.phase is _START
            and not self._paused
            and self._fast_path is not None
            and not waiter.done()
        ):
            head = parse_head(data)
            if head is not None and self._answer(head, self._fast_path):
                return
        if data:
            self._received_bytes += len(data)
            data = self._framing.feed(data)
            if not data:
                return  # held back; aiohttp's empty segment would mean "go on parsing"
        super().data_received(data)

    def _answer(self, head: RequestHead, fast_path: FastPath) -> bool:
        try:
            answer = fast_path(head)
        except Exception:  # noqa: BLE001 a mistake in a shortcut must not cost the client its answer
            self.log_exception("fast path failed")
            return False
        transport = self.transport
        if answer is None or transport is None:
            return False
        if type(answer) is list:
            answer = b"".join(
                answer
            )  # as fast as writelines, which before Python 3.12.9 does the same or worse
        answer = cast("bytes", answer)
        self.fast_answers += 1
        connection = head.headers.get(b"connection")
        if connection is not None and connection.lower() == b"close":
            status_line, _, rest = answer.partition(b"\r\n")
            transport.write(b"".join((status_line, b"\r\nConnection: close\r\n", rest)))
            self.force_close()
        else:
            transport.write(answer)
        return True

    def _process_keepalive(self) -> None:
        """Do nothing: the sweeper closes idle connections, and sees the fast answers too."""

    # What the sweeper asks and does

    @property
    def is_idle(self) -> bool:
        """Nothing is being handled and nothing waits for the peer."""
        waiter = self._waiter
        wire = self._wire
        return (
            waiter is not None and not waiter.done() and wire is not None and not wire.get_write_buffer_size()
        )

    @property
    def unchanged_since(self) -> float:
        """When the connection began what it does now, as the sweeper last saw it."""
        return self._watch.since

    def overdue(self, now: float, timers: Timers) -> Doing | None:
        """What the connection has been doing for too long, if so."""
        doing, count = self._doing()
        late = self._watch.is_overdue(doing, request=self._request_count, count=count, now=now, timers=timers)
        return doing if late else None

    def _doing(self) -> tuple[Doing, int]:
        if self.is_idle:
            was_asked = self._request_count or self.fast_answers
            if not was_asked or self._framing.phase is Phase.HEAD:
                return Doing.HEAD, 0
            return Doing.IDLE, self.fast_answers
        request = self._current_request
        # A handler that does not read yet has reading paused: then it is not the client that is slow.
        if (
            request is not None
            and not request.content.is_eof()
            and self._wire is not None
            and self._wire.is_reading()
        ):
            return Doing.BODY, self._received_bytes
        return self._sending()

    def _sending(self) -> tuple[Doing, int]:
        """Whether the peer has something to take, and how much it took so far.

        The write buffer alone would not do: sendfile bypasses it, and a stream refills it between two looks.
        """
        buffered_bytes = 0 if self._wire is None else self._wire.get_write_buffer_size()
        try:
            assert self._socket is not None  # noqa: S101 set together with the transport
            info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
            unacked_segments, acked_bytes, unsent_bytes = _TCP_INFO.unpack(info)
        except (OSError, AttributeError, struct.error):  # a Unix socket, or another system's kernel
            return (Doing.SENDING if buffered_bytes else Doing.WORKING), buffered_bytes
        is_waiting = buffered_bytes or unacked_segments or unsent_bytes
        return (Doing.SENDING if is_waiting else Doing.WORKING), acked_bytes

    def cut(self, doing: Doing) -> None:
        """End the connection because it has been ``doing`` the same for too long."""
        if doing is Doing.HEAD and self.transport is not None:
            self.transport.write(_TIMED_OUT)
        if doing in {Doing.HEAD, Doing.IDLE}:
            self.force_close()
            return
        if doing is Doing.SENDING and self._task_handler is not None:
            # The loop's sendfile watches the socket by itself and would never learn that it was closed.
            self._task_handler.cancel()
        self.abort()

    def refuse(self) -> None:
        """Answer 503 before anything was asked, and listen no longer."""
        self._force_close = True
        wire = self._wire
        assert wire is not None  # noqa: S101 called from connection_made
        wire.write(_FULL)
        if wire.can_write_eof():
            # Closing at once would reset the connection under the answer when the request arrives.
            wire.write_eof()
        else:
            wire.close()

    def abort(self) -> None:
        """Drop the connection and everything that was still to be sent."""
        if self._wire is None:
            return
        if self._socket is not None:
            with suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._wire.abort()
