from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.cluster.conftest import OPTIONS, make_index, upload
from tests.helpers.distributions import make_wheel, wheel_name
from tests.helpers.faulty import Fault, FaultyProxy
from tests.helpers.load import SIMPLE_JSON
from tests.helpers.nodes import ClusterProcesses, NodeProcess, login, running_cluster
from tests.helpers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

FILENAME = wheel_name("large", "1.0")
CONTENT = make_wheel("large", "1.0", payload_bytes=3 << 20)
BLOB = b"GET /+cluster/blob/" + hashlib.sha256(CONTENT).hexdigest().encode()


@dataclass(frozen=True, slots=True)
class Proxied:
    """A primary, a replica, and the only way between them."""

    cluster: ClusterProcesses
    proxy: FaultyProxy

    @property
    def replica(self) -> NodeProcess:
        return self.cluster.replicas[0]


@pytest.fixture
async def proxied(tmp_path: Path) -> AsyncIterator[Proxied]:
    """Running, with the index root/dev; all of it is checked at the end."""
    with running_cluster(tmp_path, replicas=0, options=OPTIONS) as cluster:
        async with FaultyProxy(cluster.primary.url) as running:
            await asyncio.to_thread(lambda: cluster.add_replica(primary_url=running.url))
            make_index(cluster.primary, "dev", login(cluster.primary.url))
            await asyncio.to_thread(cluster.wait_until_equal)
            yield Proxied(cluster, running)
            await asyncio.to_thread(cluster.check)


async def test_file_that_is_still_on_its_way_streams_through_from_the_primary(proxied: Proxied) -> None:
    """A replica sends a large file before it has it, with the right bytes, and keeps its own copy later.

    The proxy stalls the replica's transfer of the blob in the middle; a client asks the replica for the file.
    """
    cluster, proxy, replica = proxied.cluster, proxied.proxy, proxied.replica
    transfer = proxy.set_trap(BLOB, Fault(stall_after_bytes=100_000))
    assert (await upload(cluster.primary.url, login(cluster.primary.url), FILENAME, CONTENT)).status == 200
    await eventually(lambda: transfer.struck == 1, what="the transfer is stalled")

    received = await _download(replica)

    assert replica.status()["blobs_pending"] == 1
    assert received == CONTENT
    transfer.fault.released.set()
    await asyncio.to_thread(cluster.wait_until_equal)
    assert await _download(replica) == CONTENT


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(flip_after_bytes=100_000), id="early-byte-flipped"),
        pytest.param(Fault(flip_after_bytes=len(CONTENT) - 100), id="late-byte-flipped"),
        pytest.param(Fault(cut_after_bytes=2_000_000), id="cut"),
    ],
)
async def test_spoiled_bytes_from_the_primary_never_complete(proxied: Proxied, fault: Fault) -> None:
    """No client takes spoiled bytes for the file, and the replica does not keep them.

    Every answer for the blob is spoiled in the same way: the replica's own transfer, and what it passes on to a
    client. Once the link is sound again the same file arrives whole.
    """
    cluster, proxy, replica = proxied.cluster, proxied.proxy, proxied.replica
    trap = proxy.set_trap(BLOB, fault, times=1_000_000)
    assert (await upload(cluster.primary.url, login(cluster.primary.url), FILENAME, CONTENT)).status == 200
    await eventually(lambda: replica.status()["last_error"], what=lambda: str(replica.status()))

    for _ in range(3):
        with pytest.raises((aiohttp.ClientError, OSError)):
            await _download(replica)

    assert replica.status()["blobs_pending"] == 1
    trap.times = 0
    proxy.cut_all()
    await asyncio.to_thread(cluster.wait_until_equal)
    assert await _download(replica) == CONTENT


async def _download(replica: NodeProcess) -> bytes:
    """Return the file as the replica sends it.

    Raises:
        aiohttp.ClientError: It did not arrive completely.

    """
    page = f"{replica.url}/root/dev/+simple/large/"
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        async with session.get(page, headers={"Accept": SIMPLE_JSON}) as answer:
            file = (await answer.json(content_type=SIMPLE_JSON))["files"][0]
            address = answer.url.join(type(answer.url)(file["url"]))
        async with session.get(address) as answer:
            return await answer.read()
