"""Files by the kernel: every byte in order, behind what was written before, and an end when the peer goes."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import pytest

from node.http.sendfile import PIECE_BYTES, send_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CONTENT = os.urandom(3 * PIECE_BYTES + 12_345)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


@asynccontextmanager
async def sending(
    path: Path, start: int, count: int, *, before: bytes = b"", unix: Path | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, asyncio.Future[Exception | None]]]:
    """Connect to a server that sends part of a file and closes; yields the client's side and how it ended."""
    ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        error: Exception | None = None
        try:
            writer.write(before)
            with path.open("rb") as file:
                await send_file(cast("asyncio.Transport", writer.transport), file, start, count)
        except (OSError, RuntimeError) as caught:
            error = caught
        finally:
            ended.set_result(error)
            writer.close()

    if unix is None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(host, port)
    else:
        server = await asyncio.start_unix_server(serve, unix)
        reader, writer = await asyncio.open_unix_connection(unix)
    try:
        yield reader, writer, ended
    finally:
        writer.transport.abort()
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    ("start", "count"),
    [(0, len(CONTENT)), (0, 1), (5, PIECE_BYTES), (PIECE_BYTES - 1, PIECE_BYTES + 2), (len(CONTENT) - 1, 1)],
)
async def test_part_arrives_whole_behind_what_was_written_before(path: Path, start: int, count: int) -> None:
    async with sending(path, start, count, before=b"head") as (reader, _, ended):
        received = await reader.read(-1)

        assert await ended is None
    assert received == b"head" + CONTENT[start : start + count]


async def test_slow_reader_gets_every_byte(path: Path) -> None:
    async with sending(path, 0, len(CONTENT)) as (reader, _, ended):
        received = b""
        while piece := await reader.read(100_000):
            received += piece
            await asyncio.sleep(0)

        assert await ended is None
    assert received == CONTENT


async def test_reader_that_has_said_its_last_word_still_gets_the_file(path: Path) -> None:
    """A half-closed connection: the peer's end of file is not the end of what it wants."""
    async with sending(path, 0, len(CONTENT)) as (reader, writer, ended):
        writer.write_eof()
        received = await reader.read(-1)

        assert await ended is None
    assert received == CONTENT


async def test_peer_that_goes_away_ends_the_sending(path: Path) -> None:
    async with sending(path, 0, len(CONTENT)) as (reader, writer, ended):
        await reader.read(1)
        connection = writer.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

        assert isinstance(await ended, OSError)


async def test_file_that_is_shorter_than_it_was_is_an_error(path: Path) -> None:
    async with sending(path, 0, len(CONTENT) + 1) as (reader, _, ended):
        received = await reader.read(-1)

        assert isinstance(await ended, OSError)
    assert received == CONTENT


async def test_unix_socket_works_as_well(path: Path, tmp_path: Path) -> None:
    async with sending(path, 0, len(CONTENT), unix=tmp_path / "socket") as (reader, _, ended):
        received = await reader.read(-1)

        assert await ended is None
    assert received == CONTENT
