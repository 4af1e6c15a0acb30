"""A TCP proxy on loopback that does to connections what networks do: cut, stall, flip."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK_BYTES = 64 * 1024


@dataclass(slots=True)
class Fault:
    """What happens to the answers of one connection, counted from where the fault was struck.

    ``released`` lets a stalled connection go on.
    """

    cut_after_bytes: int | None = None  # then both ends are reset
    stall_after_bytes: int | None = None  # then nothing passes until released
    flip_after_bytes: int | None = None  # the byte that comes then arrives with all bits turned
    released: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Trap:
    """Strikes the connection that asks for something: ``marker`` is part of what the client sends."""

    marker: bytes
    fault: Fault
    times: int = 1  # connections it strikes
    struck: int = 0


class FaultyProxy:
    """Passes bytes on to one server, and spoils them as its traps say; an async context manager."""

    def __init__(self, target_url: str) -> None:
        parts = urlsplit(target_url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._target = (parts.hostname, parts.port)
        self.traps: list[Trap] = []
        self.fault_of_connection: Callable[[], Fault] = Fault
        """Makes the fault that a new connection begins with; by default none."""
        self.connections = 0
        self.spoiled = 0  # cuts and flips so far
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        """The proxy's URL, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def set_trap(self, marker: bytes, fault: Fault, *, times: int = 1) -> Trap:
        """Spoil the answers of the next ``times`` connections that send ``marker``."""
        trap = Trap(marker, fault, times)
        self.traps.append(trap)
        return trap

    def cut_all(self) -> None:
        """Reset every connection that is open now."""
        for writer in self._open:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        # A cancelled task of a server is logged as an error, and here it only means that the test is over.
        with suppress(asyncio.CancelledError, OSError):
            upstream_reader, upstream_writer = await asyncio.open_connection(*self._target)
            await self._pass(reader, writer, upstream_reader, upstream_writer)
        writer.transport.abort()

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        upstream_reader: asyncio.StreamReader,
        upstream_writer: asyncio.StreamWriter,
    ) -> None:
        connection = _Connection(self, self.fault_of_connection())
        pair = {writer, upstream_writer}
        for end in pair:
            end.transport.set_write_buffer_limits(high=0)  # what was drained is in the kernel
        self._open |= pair
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(connection.pass_requests(reader, upstream_writer))
                group.create_task(connection.pass_answers(upstream_reader, writer))
        except* (OSError, _Cut):
            pass
        finally:
            self._open -= pair
            upstream_writer.transport.abort()


class _Cut(Exception):
    """The fault wants this connection to end."""


class _Connection:
    def __init__(self, proxy: FaultyProxy, fault: Fault) -> None:
        self._proxy = proxy
        self._fault = fault
        self._passed_bytes = 0  # of answers, since the fault was struck

    async def pass_requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            for trap in self._proxy.traps:
                if trap.struck < trap.times and trap.marker in chunk:
                    trap.struck += 1
                    self._fault, self._passed_bytes = trap.fault, 0
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()

    async def pass_answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            start, self._passed_bytes = self._passed_bytes, self._passed_bytes + len(chunk)
            fault = self._fault
            if fault.flip_after_bytes is not None and start <= fault.flip_after_bytes < self._passed_bytes:
                at = fault.flip_after_bytes - start
                self._proxy.spoiled += 1
                chunk = chunk[:at] + bytes([chunk[at] ^ 0xFF]) + chunk[at + 1 :]
            if fault.cut_after_bytes is not None and fault.cut_after_bytes < self._passed_bytes:
                writer.write(chunk[: max(0, fault.cut_after_bytes - start)])
                with suppress(OSError):
                    await writer.drain()
                self._proxy.spoiled += 1
                raise _Cut
            if fault.stall_after_bytes is not None and fault.stall_after_bytes < self._passed_bytes:
                await fault.released.wait()
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()
