"""The probe sees what is in a body, however the server frames it."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from bench.probe import Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nthe-wheel"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nthe-wh\r\n3;x=y\r\neel\r\n0\r\n\r\n"
CLOSING = b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 4\r\n\r\ngone"


@contextmanager
def serving(answers: list[list[bytes]]) -> Iterator[tuple[str, list[bytes]]]:
    """Give each connection its answers, byte by byte, and then close it; yields the URL and what was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for replies in answers:
                connection, _ = server.accept()
                with connection:
                    for reply in replies:
                        asked.append(connection.recv(65536))
                        for index in range(len(reply)):
                            connection.sendall(reply[index : index + 1])

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        thread.join(10)


@pytest.mark.parametrize("reply", [PLAIN, CHUNKED], ids=["length", "chunked"])
def test_text_is_found_in_a_body_that_comes_in_pieces(reply: bytes) -> None:
    with serving([[reply, reply]]) as (url, asked), Probe(url, "/page/", {"Accept": "x"}) as probe:
        found = [probe.shows(b"the-wheel"), probe.shows(b"other")]

    assert found == [True, False]
    assert asked[0] == asked[1]
    assert asked[0].startswith(b"GET /page/ HTTP/1.1\r\nHost: 127.0.0.1:")


def test_connection_that_was_closed_is_opened_again() -> None:
    """By the server's word, or without one."""
    with serving([[CLOSING], [PLAIN], [PLAIN]]) as (url, _), Probe(url, "/", {}) as probe:
        assert [probe.shows(b"gone"), probe.shows(b"wheel"), probe.shows(b"wheel")] == [True, True, True]
