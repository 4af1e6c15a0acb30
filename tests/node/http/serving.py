"""A small application behind real sockets, and a client that knows nothing of HTTP libraries."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from node.http.head import RequestHead
from node.http.server import CONNECTIONS_MAX, ConnectionRunner, ConnectionServer
from node.http.timers import Timers

LARGE_BYTES = 16 << 20  # more than the kernel takes for a peer that does not read
QUICK = Timers(head_seconds=0.4, body_seconds=0.4, write_seconds=0.4, idle_seconds=0.4, sweep_seconds=0.05)


def response(body: bytes, *, status: bytes = b"200 OK", with_body: bool = True) -> bytes:
    head = b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
    return head + body if with_body else head


def get(path: str, *lines: str, method: str = "GET") -> bytes:
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: x", *lines, "", "")).encode()


def fast_path(head: RequestHead) -> bytes | list[bytes] | None:
    """Answer what begins with /fast; /fast/list in two pieces, /fast/broken not at all."""
    if not head.target.startswith(b"/fast"):
        return None
    if head.target == b"/fast/broken":
        raise ZeroDivisionError
    answer = response(b"fast " + head.target, with_body=head.method == "GET")
    return [answer[:10], answer[10:]] if head.target == b"/fast/list" else answer


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: str


class Client:
    """One connection, used byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> Answer:
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        status_line, *lines = text.rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return Answer(int(status_line.split()[1]), headers, "")

    async def answer(self) -> Answer:
        answer = await self.head()
        answer.body = (await self.reader.readexactly(int(answer.headers["content-length"]))).decode()
        return answer

    async def ask(self, data: bytes) -> Answer:
        self.send(data)
        return await self.answer()

    async def rest(self) -> bytes:
        """Read everything until the server closes or resets the connection."""
        try:
            return await self.reader.read()
        except ConnectionResetError:
            return b""


@dataclass
class House:
    """The running server and what the tests hold on to."""

    server: ConnectionServer
    runner: ConnectionRunner
    port: int
    release: asyncio.Event
    started: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield Client(reader, writer)
        finally:
            writer.transport.abort()

    def connect(self, *, receive_bytes: int | None = None) -> socket.socket:
        """Make a plain socket, with a small window if asked."""
        plain = socket.socket()
        if receive_bytes is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        plain.connect(("127.0.0.1", self.port))
        plain.setblocking(False)
        return plain


def make_app(house: list[House], large_file: Path) -> web.Application:
    async def echo(request: web.Request) -> web.Response:
        body = await request.read()
        return web.Response(text=f"{request.method} {request.path} {body.decode()}")

    async def wait(request: web.Request) -> web.Response:
        house[0].started.append(request.path)
        await house[0].release.wait()
        return web.Response(text="waited")

    async def stream(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            while True:
                await answer.write(bytes(64 * 1024))
        finally:
            house[0].ended.append("stream")

    class NotedFile(web.FileResponse):
        async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
            try:
                return await super().prepare(request)
            finally:
                house[0].ended.append("file")

    async def file(_: web.Request) -> web.StreamResponse:
        return NotedFile(large_file)

    app = web.Application(client_max_size=1 << 20)
    app.router.add_route("*", "/wait", wait)
    app.router.add_get("/stream", stream)
    app.router.add_get("/file", file)
    app.router.add_route("*", "/{path:.*}", echo)
    return app


@asynccontextmanager
async def serving(
    folder: Path,
    *,
    timers: Timers | None = None,
    connections_max: int = CONNECTIONS_MAX,
    shutdown_timeout: float = 5.0,
    send_buffer_bytes: int | None = None,
) -> AsyncIterator[House]:
    """Serve on a free port until the block ends; small kernel buffers make many stuck readers cheap."""
    large_file = folder / "large"
    with large_file.open("wb") as large:
        large.truncate(LARGE_BYTES)
    house: list[House] = []
    runner = ConnectionRunner(
        make_app(house, large_file),
        fast_path=fast_path,
        timers=timers,
        connections_max=connections_max,
        access_log=None,
        shutdown_timeout=shutdown_timeout,
    )
    await runner.setup()
    listener = socket.socket()
    if send_buffer_bytes is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer_bytes)
    listener.bind(("127.0.0.1", 0))
    await web.SockSite(runner, listener, backlog=1024).start()
    assert runner.connections is not None
    house.append(House(runner.connections, runner, listener.getsockname()[1], asyncio.Event()))
    try:
        yield house[0]
    finally:
        house[0].release.set()
        await runner.cleanup()
