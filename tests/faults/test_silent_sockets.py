from __future__ import annotations

import asyncio
import resource
import socket
import time
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.cluster.conftest import OPTIONS, make_index, upload_wheel
from tests.helpers.load import tell
from tests.helpers.nodes import login, running_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOCKETS = 2_000
CLOSED_WITHIN_SECONDS = 15.0
"""Ten seconds for a head, a look every second, and two cores that others use too."""
P99_SECONDS_MAX = 0.5
DRIP_SECONDS = 0.5


@pytest.fixture
def enough_files() -> Iterator[None]:
    """Room for the sockets of this process; the node inherits it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = SOCKETS + 500
    assert hard == resource.RLIM_INFINITY or hard >= needed
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.slow
@pytest.mark.usefixtures("enough_files")
async def test_silent_and_dripping_sockets_are_closed_and_harm_nobody(tmp_path: Path) -> None:
    """Two thousand sockets that never finish a request cost others nothing and are closed in time.

    Half of them say nothing, half send a byte of a head twice a second. Meanwhile a client reads pages and uploads.
    """
    with running_cluster(tmp_path, replicas=0, options=OPTIONS) as cluster:
        token = login(cluster.primary.url)
        make_index(cluster.primary, "dev", token)
        await upload_wheel(cluster.primary.url, token, "calm", "1.0")
        began = time.monotonic()
        sockets = [await _connect(cluster.primary.port) for _ in range(SOCKETS)]

        closing = asyncio.gather(
            *(_until_closed(one, drips=number % 2 == 0) for number, one in enumerate(sockets))
        )
        durations = []
        async with aiohttp.ClientSession() as session:
            while not closing.done():
                asked = time.monotonic()
                async with session.get(f"{cluster.primary.url}/root/dev/+simple/calm/") as answer:
                    assert answer.status == 200
                    await answer.read()
                durations.append(time.monotonic() - asked)
                await asyncio.wait([closing], timeout=0.01)
        closed_after_seconds = [moment - began for moment in await closing]

        p99_seconds = sorted(durations)[len(durations) * 99 // 100]
        tell(
            f"closed after {max(closed_after_seconds):.1f} s, {len(durations)} pages, p99 {p99_seconds * 1000:.0f} ms"
        )
        assert max(closed_after_seconds) < CLOSED_WITHIN_SECONDS
        assert p99_seconds < P99_SECONDS_MAX
        assert (await upload_wheel(cluster.primary.url, token, "calm", "1.1")).status == 200
        await asyncio.to_thread(cluster.check)


async def _connect(port: int) -> socket.socket:
    one = socket.socket()
    one.setblocking(False)
    await asyncio.get_running_loop().sock_connect(one, ("127.0.0.1", port))
    return one


async def _until_closed(one: socket.socket, *, drips: bool) -> float:
    """Wait until the node has closed the connection; return when that was."""
    loop = asyncio.get_running_loop()
    head = iter(b"GET /root/dev/+simple/calm/ HTTP/1.1\r\n" + b"X: y\r\n" * 100)
    with one:
        reading = asyncio.ensure_future(loop.sock_recv(one, 4096))
        try:
            while True:
                done, _ = await asyncio.wait([reading], timeout=DRIP_SECONDS if drips else None)
                if not done:
                    await loop.sock_sendall(one, bytes([next(head)]))
                elif not reading.result():
                    return time.monotonic()
                else:  # the answer to say goodbye with: 408
                    reading = asyncio.ensure_future(loop.sock_recv(one, 4096))
        except OSError:
            reading.cancel()
            return time.monotonic()
