"""Running the real clients against a node of this process, cut off from every other index."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.helpers.clients import BIN, Outcome, run_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.helpers.app import App


@dataclass
class Clients:
    """Starts clients with a home of their own."""

    app: App
    folder: Path

    @property
    def index_url(self) -> str:
        return f"{self.app.url}/root/dev/+simple/"

    @property
    def upload_url(self) -> str:
        return f"{self.app.url}/root/dev/"

    async def run(self, *command: str, **environment: str) -> Outcome:
        """Run a command to its end; its two outputs come as one text."""
        return await run_client(*command, home=self.folder, environment=environment)

    async def pip(self, command: str, *arguments: str, index_url: str | None = None) -> Outcome:
        options = ("--isolated", "--disable-pip-version-check", "--no-cache-dir", "--no-input")
        index = ("--index-url", index_url or self.index_url)
        return await self.run(sys.executable, "-m", "pip", command, *options, *index, *arguments)

    async def uv(self, *arguments: str, **environment: str) -> Outcome:
        return await self.run(str(BIN / "uv"), *arguments, "--no-config", **environment)

    async def twine(self, *files: str) -> Outcome:
        credentials = ("--username", "root", "--password", self.app.auth_token("root"), "--non-interactive")
        url = ("--repository-url", self.upload_url)
        return await self.run(sys.executable, "-m", "twine", "upload", *credentials, *url, *files)


@asynccontextmanager
async def cutting_proxy(
    port: int, *, after_bytes: int, path_part: bytes
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Pass connections on to ``port``; cut the first answer to a matching request after some bytes.

    Yields the proxy's port and the heads of all requests.
    """
    heads: list[bytes] = []
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: list[int]) -> None:
        while chunk := await reader.read(16 * 1024):
            if state and state[0] >= 0:
                state[0] += len(chunk)
                if state[0] > after_bytes:
                    writer.close()
                    return
            writer.write(chunk)
            await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, onward = await asyncio.open_connection("127.0.0.1", port)
        counted = [-1]
        answers = asyncio.create_task(pump(upstream, writer, counted))
        tasks.add(answers)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if path_part in head and not any(path_part in earlier for earlier in heads):
                    counted[0] = 0
                heads.append(head)
                onward.write(head)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            onward.close()
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], heads
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
