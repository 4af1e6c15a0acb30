"""Sending a file by the kernel: sendfile(2), as nginx uses it.

``loop.sendfile`` registers the socket anew for every piece that the kernel takes, and gives one connection as
much as its buffer holds before the next gets its turn; 20 MB files over four connections went out at 0.7
of nginx's bytes per second, and at 0.9 and more this way.
"""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

PIECE_BYTES = 2 << 20
"""Handed to the kernel in one call; other connections get their turn after it."""


async def send_file(transport: asyncio.Transport, file: BinaryIO, start: int, count: int) -> None:
    """Send ``count`` bytes of a file from ``start``, behind what was written to the transport.

    Raises:
        OSError: The connection is gone, or the file is shorter.
        RuntimeError: The transport is closing.

    """
    loop = asyncio.get_running_loop()
    connection = transport.get_extra_info("socket")
    is_tls = transport.get_extra_info("sslcontext") is not None
    if connection is None or is_tls or transport.get_write_buffer_size() or transport.is_closing():
        await loop.sendfile(transport, file, start, count)
        return
    # A descriptor of our own: the loop lets nobody else watch the transport's.
    descriptor = os.dup(connection.fileno())
    try:
        with _reading_paused(transport), _whole_packets(connection):
            await _Sending(loop, descriptor, file.fileno(), start, count).done
    finally:
        loop.remove_writer(descriptor)
        os.close(descriptor)


class _Sending:
    """One file on its way; ``done`` ends with the last byte that the kernel took, or with its error."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, descriptor: int, file: int, start: int, count: int
    ) -> None:
        self.done: asyncio.Future[None] = loop.create_future()
        self._descriptor = descriptor
        self._file = file
        self._offset = start
        self._end = start + count
        loop.add_writer(descriptor, self._go_on)

    def _go_on(self) -> None:
        if self.done.done():
            return
        wanted_bytes = min(self._end - self._offset, PIECE_BYTES)
        try:
            sent_bytes = os.sendfile(self._descriptor, self._file, self._offset, wanted_bytes)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.done.set_exception(error)
            return
        self._offset += sent_bytes
        if self._offset == self._end:
            self.done.set_result(None)
        elif not sent_bytes:
            self.done.set_exception(OSError("the file is shorter than it was"))


@contextmanager
def _reading_paused(transport: asyncio.Transport) -> Iterator[None]:
    """Leave what the peer sends where it is: its end of file would close the transport before ours."""
    is_reading = transport.is_reading()
    if is_reading:
        transport.pause_reading()
    try:
        yield
    finally:
        if is_reading and not transport.is_closing():
            transport.resume_reading()


@contextmanager
def _whole_packets(connection: socket.socket) -> Iterator[None]:
    """Have the kernel fill each packet before it sends it (tcp(7), ``TCP_CORK``), until the end.

    Sendfile hands over pages by the dozen, and without this what does not fill a packet goes out after each dozen.
    """
    if connection.family == socket.AF_UNIX:
        yield
        return
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    try:
        yield
    finally:
        with suppress(OSError):  # a connection that is gone
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
