"""Asking for one page again and again, at as little cost to the machine as can be.

What asks shares two cores with what is asked, so a client that builds and parses each exchange anew would be
a good part of what it measures.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RECEIVE_BYTES = 64 * 1024
TIMEOUT_SECONDS = 60.0


def _chunks(body: bytes) -> Iterator[bytes]:
    """Iterate over the chunks of a body (RFC 9112 section 7.1): their sizes stand in lines of their own."""
    while True:
        line, _, body = body.partition(b"\r\n")
        size_bytes = int(line.partition(b";")[0], 16)
        if not size_bytes:
            return
        yield body[:size_bytes]
        body = body[size_bytes + 2 :]


class Probe:
    """One request, prepared once, and the connection it is sent over, opened again when the node closed it."""

    def __init__(self, url: str, path: str, headers: Mapping[str, str]) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        lines = [f"GET {path} HTTP/1.1", f"Host: {parts.netloc}", *(f"{k}: {v}" for k, v in headers.items())]
        self._request = "\r\n".join([*lines, "", ""]).encode()
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def shows(self, text: bytes) -> bool:
        """Send the request, read the whole response, and say whether its body has a text.

        Raises:
            OSError: The node cannot be reached, or breaks off.

        """
        try:
            return text in self._exchange()
        except (BrokenPipeError, ConnectionResetError):
            # The node closed a connection that was idle; a fresh one decides.
            self._close()
            return text in self._exchange()

    def _exchange(self) -> bytes:
        connection = self._socket or self._open()
        connection.sendall(self._request)
        received = self._receive()
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._receive()
        head, body = received[:end].lower(), received[end + 4 :]
        length = head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
        is_chunked = b"\r\ntransfer-encoding: chunked" in head
        while not body.endswith(b"0\r\n\r\n") if is_chunked else len(body) < int(length):
            body += self._receive()
        if is_chunked:
            body = b"".join(_chunks(body))
        if b"\r\nconnection: close" in head:
            self._close()
        return body

    def _open(self) -> socket.socket:
        self._socket = socket.create_connection(self._address, timeout=TIMEOUT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._socket

    def _receive(self) -> bytes:
        received = b"" if self._socket is None else self._socket.recv(RECEIVE_BYTES)
        if not received:
            raise ConnectionResetError("the node closed the connection")
        return received

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
