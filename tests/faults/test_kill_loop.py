from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cluster.conftest import OPTIONS, make_index
from tests.helpers.load import UploadLoad, assert_all_there, seeded_random, tell
from tests.helpers.nodes import ClusterProcesses, login, running_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

CYCLES = int(os.environ.get("WHEELYARD_KILL_CYCLES", "100"))
CLIENTS = 6
PAUSE_SECONDS = 0.1
"""Between two uploads of a client: some fifty uploads a second are enough to be hit in every step."""
UPLOADS_BETWEEN_MAX = 6


@pytest.fixture
def memory_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: SIGKILL loses nothing that the kernel has, so a disk proves no more."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory, prefix="wheelyard-") as folder:
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_no_acknowledged_upload_is_lost_when_nodes_are_killed(memory_path: Path) -> None:
    """Whatever a node has acknowledged is on every node, byte for byte, however often nodes are killed.

    Six clients upload without end, two of them through each node, and repeat what was not acknowledged. Meanwhile
    a random node is killed after a random number of acknowledgements, sometimes while it still starts, and is
    started again; the seed is printed. WHEELYARD_KILL_CYCLES says how often.
    """
    random = seeded_random(time.time_ns() % 1_000_000)
    with running_cluster(memory_path, replicas=2, options=OPTIONS) as cluster:
        token = login(cluster.primary.url)
        make_index(cluster.primary, "dev", token)
        urls = [node.url for node in cluster.nodes]
        async with UploadLoad(urls, token=token, clients=CLIENTS, pause_seconds=PAUSE_SECONDS) as load:
            start_seconds = await _kill_in_a_loop(cluster, load, random)

        await asyncio.to_thread(cluster.wait_until_equal)
        for url in urls:
            await assert_all_there(url, load.acknowledged)
        await asyncio.to_thread(cluster.check)
    tell(f"{CYCLES} cycles, {len(load.acknowledged)} uploads acknowledged, answers {dict(load.answers)}")
    tell(
        f"start to ready: median {sorted(start_seconds)[len(start_seconds) // 2]:.2f} s, most {max(start_seconds):.2f} s"
    )
    assert len(load.acknowledged) >= CYCLES


async def _kill_in_a_loop(cluster: ClusterProcesses, load: UploadLoad, random: Random) -> list[float]:
    start_seconds: list[float] = []
    for _ in range(CYCLES):
        node = random.choice(cluster.nodes)
        await load.wait_for_more(random.randrange(UPLOADS_BETWEEN_MAX))
        node.kill()
        began = time.monotonic()
        await asyncio.to_thread(node.start)
        start_seconds.append(time.monotonic() - began)
    return start_seconds
