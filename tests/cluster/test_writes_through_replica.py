from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.cluster.conftest import make_index, upload, upload_wheel
from tests.helpers.distributions import make_wheel, wheel_name
from tests.helpers.faulty import Fault, FaultyProxy
from tests.helpers.load import SIMPLE_JSON, tell
from tests.helpers.nodes import NodeProcess, basic
from tests.helpers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.helpers.nodes import ClusterProcesses

HUGE_BYTES = 30 << 20
MEMORY_GROWTH_BYTES_MAX = 32 << 20
WRITES = 20


async def test_write_through_a_replica_is_readable_there_at_once(
    cluster: ClusterProcesses, token: str
) -> None:
    """A replica answers a write only when it shows it: each of twenty uploads is on the page asked for next.

    The answer's X-DEVPI-SERIAL is the write's own, one more each time, and the page is at least as new.
    """
    replica = cluster.replicas[0]
    serials = []
    async with aiohttp.ClientSession(headers={"Accept": SIMPLE_JSON}) as session:
        for number in range(WRITES):
            answer = await upload_wheel(replica.url, token, "fresh", f"1.{number}")
            async with session.get(f"{replica.url}/root/dev/+simple/fresh/") as page:
                names = [file["filename"] for file in (await page.json(content_type=SIMPLE_JSON))["files"]]
                page_serial = int(page.headers["X-DEVPI-SERIAL"])

            serials.append(int(answer.headers["X-DEVPI-SERIAL"]))
            assert answer.status == 200
            assert "X-Wheelyard-Applied" not in answer.headers
            assert sorted(names) == sorted(wheel_name("fresh", f"1.{done}") for done in range(number + 1))
            assert page_serial >= serials[-1]

    assert serials == list(range(serials[0], serials[0] + WRITES))
    cluster.check()


async def test_huge_upload_through_a_replica_stays_out_of_memory(
    cluster: ClusterProcesses, token: str
) -> None:
    """Neither node holds an upload in memory: 30 MB stream through, and private memory grows by less.

    The body is sent in pieces as twine does, without a length known beforehand. Memory is looked at while it runs.
    """
    replica = cluster.replicas[0]
    content = make_wheel("huge", "1.0", payload_bytes=HUGE_BYTES)
    assert (await upload_wheel(replica.url, token, "warm", "1.0", payload_bytes=100_000)).status == 200
    before = [node.private_memory_bytes() for node in cluster.nodes]
    most = list(before)

    uploading = asyncio.create_task(_upload_in_pieces(replica, token, wheel_name("huge", "1.0"), content))
    while not uploading.done():
        most = [
            max(seen, node.private_memory_bytes()) for seen, node in zip(most, cluster.nodes, strict=True)
        ]
        await asyncio.wait([uploading], timeout=0.02)

    assert await uploading == 200
    await asyncio.to_thread(cluster.wait_until_equal)
    most = [max(seen, node.private_memory_bytes()) for seen, node in zip(most, cluster.nodes, strict=True)]
    growth = [after - earlier for after, earlier in zip(most, before, strict=True)]
    tell(f"memory grew by {[round(bytes_ / 1e6, 1) for bytes_ in growth]} MB")
    assert max(growth) < MEMORY_GROWTH_BYTES_MAX
    cluster.check()


@pytest.mark.parametrize("cut_at", [None, 3], ids=["one-segment", "split-method"])
async def test_push_method_passes_through_a_replica(
    cluster: ClusterProcesses, token: str, cut_at: int | None
) -> None:
    """devpi's method PUSH copies a release through a replica, also when its name arrives in two segments.

    The request is written to the socket by hand; what was pushed is on the replica's page at once.
    """
    replica = cluster.replicas[0]
    make_index(cluster.primary, "prod", token)
    assert (await upload_wheel(replica.url, token, "pushed", "1.0")).status == 200
    body = json.dumps({"name": "pushed", "version": "1.0", "targetindex": "root/prod"}).encode()
    head = [
        "PUSH /root/dev HTTP/1.1",
        "Host: any",
        f"Authorization: {basic('root', token)['Authorization']}",
        "Accept: application/json",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    request = "\r\n".join([*head, "", ""]).encode() + body

    reader, writer = await asyncio.open_connection("127.0.0.1", replica.port)
    for piece in [request] if cut_at is None else [request[:cut_at], request[cut_at:]]:
        writer.write(piece)
        await writer.drain()
    answer = await reader.read()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 200 "), answer
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{replica.url}/root/prod/+simple/pushed/") as page,
    ):
        assert wheel_name("pushed", "1.0") in await page.text()
    cluster.check()


@pytest.fixture
async def proxy(cluster: ClusterProcesses) -> AsyncIterator[FaultyProxy]:
    """A second replica that reaches the primary through this proxy only."""
    async with FaultyProxy(cluster.primary.url) as running:
        await asyncio.to_thread(lambda: cluster.add_replica(primary_url=running.url))
        await eventually(lambda: running.connections > 0, what="the replica connects")
        yield running
        await asyncio.to_thread(cluster.check)


async def test_lost_answer_of_the_primary_is_reported_as_unknown_and_resolved_by_a_retry(
    cluster: ClusterProcesses, token: str, proxy: FaultyProxy
) -> None:
    """When the primary has written but its answer is lost, the client hears that nobody knows; a retry tells.

    The proxy passes the upload on and cuts the connection at the first byte of the answer.
    """
    replica, serial = cluster.replicas[1], cluster.primary.status()["serial"]
    await asyncio.to_thread(replica.wait_until_at, serial)
    trap = proxy.set_trap(b"POST /root/dev", Fault(cut_after_bytes=0))

    first = await upload_wheel(replica.url, token, "doubtful", "1.0")
    second = await upload_wheel(replica.url, token, "doubtful", "1.0")

    assert trap.struck == 1
    assert (first.status, first.headers["X-Write-Outcome"]) == (503, "unknown")
    assert first.headers["Retry-After"].isdecimal()
    assert second.status == 200
    assert cluster.primary.status()["serial"] == serial + 1


async def test_primary_killed_in_the_middle_of_an_upload_is_reported_as_unknown(
    cluster: ClusterProcesses, token: str, proxy: FaultyProxy
) -> None:
    """A primary that dies while a body streams through a replica leaves no file and no doubt after a retry.

    The client holds its last piece back until the primary was killed. The same upload is repeated once it is back.
    """
    replica, content = cluster.replicas[0], make_wheel("halved", "1.0", payload_bytes=3_000_000)
    serial = cluster.primary.status()["serial"]
    has_sent, may_go_on = asyncio.Event(), asyncio.Event()

    sending = asyncio.create_task(
        _upload_in_pieces(
            replica, token, wheel_name("halved", "1.0"), content, half_sent=(has_sent, may_go_on)
        )
    )
    await has_sent.wait()
    await eventually(
        lambda: any((cluster.primary.data / "blobs" / ".tmp").iterdir()), what="the upload is half there"
    )
    cluster.primary.kill()
    may_go_on.set()

    assert await sending == 503
    await asyncio.to_thread(cluster.primary.start)
    assert cluster.primary.status()["serial"] == serial
    assert list((cluster.primary.data / "blobs" / ".tmp").iterdir()) == []
    assert (await upload(replica.url, token, wheel_name("halved", "1.0"), content)).status == 200
    assert proxy.connections > 0


async def _upload_in_pieces(
    node: NodeProcess,
    token: str,
    filename: str,
    content: bytes,
    *,
    half_sent: tuple[asyncio.Event, asyncio.Event] | None = None,
) -> int:
    """Upload as chunked transfer coding; return the status."""
    boundary = b"--pieces\r\n"
    parts = [boundary]
    for name, value in (
        (":action", "file_upload"),
        ("name", filename.split("-", maxsplit=1)[0]),
        ("version", "1.0"),
    ):
        parts.append(f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode() + boundary)
    disposition = f'Content-Disposition: form-data; name="content"; filename="{filename}"\r\n\r\n'

    async def body() -> AsyncIterator[bytes]:
        yield b"".join(parts) + disposition.encode()
        for start in range(0, len(content), 64 * 1024):
            if half_sent is not None and start > len(content) // 2 and not half_sent[0].is_set():
                half_sent[0].set()
                await half_sent[1].wait()
            yield content[start : start + 64 * 1024]
        yield b"\r\n--pieces--\r\n"

    headers = {**basic("root", token), "Content-Type": "multipart/form-data; boundary=pieces"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{node.url}/root/dev/", data=body()) as answer,
    ):
        return answer.status
