from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.helpers.faulty import Fault, FaultyProxy
from tests.helpers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ANSWER = bytes(range(200))


@asynccontextmanager
async def proxied_server() -> AsyncIterator[FaultyProxy]:
    """A server that answers every line with the same 200 bytes and then closes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(ANSWER)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, FaultyProxy(f"http://127.0.0.1:{port}") as proxy:
        yield proxy


async def ask(proxy: FaultyProxy, line: bytes = b"hello\n") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(line)
    received = b""
    try:
        while chunk := await reader.read(64):
            received += chunk
    except OSError:
        pass
    writer.close()
    return received


async def test_proxy_passes_everything_by_default() -> None:
    async with proxied_server() as proxy:
        assert await ask(proxy) == ANSWER


async def test_cut_ends_the_answer_at_the_byte() -> None:
    async with proxied_server() as proxy:
        proxy.set_trap(b"hello", Fault(cut_after_bytes=70))

        assert await ask(proxy) == ANSWER[:70]
        assert proxy.spoiled == 1


async def test_flip_changes_one_byte() -> None:
    async with proxied_server() as proxy:
        proxy.set_trap(b"hello", Fault(flip_after_bytes=3))

        assert await ask(proxy) == ANSWER[:3] + bytes([3 ^ 0xFF]) + ANSWER[4:]


async def test_stall_lasts_until_released() -> None:
    async with proxied_server() as proxy:
        trap = proxy.set_trap(b"hello", Fault(stall_after_bytes=0))
        asking = asyncio.create_task(ask(proxy))
        await eventually(lambda: trap.struck == 1, what="the trap strikes")

        assert await ask(proxy, b"other\n") == ANSWER
        assert not asking.done()
        trap.fault.released.set()
        assert await asking == ANSWER


async def test_trap_strikes_only_so_often() -> None:
    async with proxied_server() as proxy:
        proxy.set_trap(b"hello", Fault(cut_after_bytes=0))

        assert await ask(proxy) == b""
        assert await ask(proxy) == ANSWER
