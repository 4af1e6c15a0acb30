from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from tests.cluster.conftest import OPTIONS, make_index
from tests.helpers.faulty import Fault, FaultyProxy
from tests.helpers.load import UploadLoad, assert_all_there, seeded_random
from tests.helpers.nodes import login, running_cluster
from tests.helpers.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

CUTS = 40
CUT_BYTES_MAX = 60_000


@pytest.mark.parametrize("kind", ["cut", "flip"])
async def test_replica_ends_equal_when_its_link_breaks_at_random_bytes(tmp_path: Path, kind: str) -> None:
    """However often the link between replica and primary breaks, or lies, the replica ends equal.

    Each connection is reset after a random number of bytes from the primary, or has one byte turned there, while
    clients upload through the primary. Everything is on the replica once the link is sound; the seed is printed.
    """
    random = seeded_random(time.time_ns() % 1_000_000)

    def fault() -> Fault:
        after_bytes = random.randrange(CUT_BYTES_MAX)
        return Fault(cut_after_bytes=after_bytes) if kind == "cut" else Fault(flip_after_bytes=after_bytes)

    with running_cluster(tmp_path, replicas=0, options=OPTIONS) as cluster:
        token = login(cluster.primary.url)
        make_index(cluster.primary, "dev", token)
        async with FaultyProxy(cluster.primary.url) as proxy:
            replica = await asyncio.to_thread(lambda: cluster.add_replica(primary_url=proxy.url))
            await asyncio.to_thread(cluster.wait_until_equal)
            proxy.fault_of_connection = fault
            proxy.cut_all()
            async with UploadLoad([cluster.primary.url], token=token, pause_seconds=0.02) as load:
                await eventually(
                    lambda: proxy.spoiled >= CUTS, what=lambda: f"{proxy.spoiled} faults", within_seconds=40
                )
                await load.wait_for_more(10)
            proxy.fault_of_connection = Fault
            proxy.cut_all()

            await asyncio.to_thread(cluster.wait_until_equal)
            await assert_all_there(replica.url, load.acknowledged)
            await asyncio.to_thread(cluster.check)
