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

FAULTS = {"cut": 40, "flip": 12}
CLEAN_BYTES = 2_000
"""Before the first flip: a handshake that seems to come from another cluster is asked again only after 15 s."""
FAULT_BYTES_MAX = 60_000


@pytest.mark.parametrize("kind", ["cut", "flip"])
async def test_replica_ends_equal_when_its_link_breaks_at_random_bytes(tmp_path: Path, kind: str) -> None:
    """However often the link between replica and primary breaks, or lies, the replica ends equal.

    Each connection is reset after a random number of bytes from the primary, or has one byte turned there, while
    clients upload through the primary. Everything is on the replica once the link is sound; the seed is printed.
    """
    random = seeded_random(time.time_ns() % 1_000_000)

    def fault() -> Fault:
        if kind == "cut":
            return Fault(cut_after_bytes=random.randrange(FAULT_BYTES_MAX))
        return Fault(flip_after_bytes=random.randrange(CLEAN_BYTES, FAULT_BYTES_MAX))

    with running_cluster(tmp_path, replicas=0, options=OPTIONS) as cluster:
        token = login(cluster.primary.url)
        make_index(cluster.primary, "dev", token)
        async with FaultyProxy(cluster.primary.url) as proxy:
            replica = await asyncio.to_thread(lambda: cluster.add_replica(primary_url=proxy.url))
            await asyncio.to_thread(cluster.wait_until_equal)
            proxy.fault_of_connection = fault
            proxy.cut_all()
            async with UploadLoad([cluster.primary.url], token=token, pause_seconds=0.02) as load:
                for count in range(FAULTS[kind]):
                    await eventually(
                        lambda: proxy.spoiled > count,  # noqa: B023 - asked before the next one
                        what=lambda: f"{proxy.spoiled} faults",
                    )
                    if kind == "flip":
                        proxy.cut_all()  # a connection lies once; the next one lies again
                await load.wait_for_more(10)
            proxy.fault_of_connection = Fault
            proxy.cut_all()

            await asyncio.to_thread(cluster.wait_until_equal)
            await assert_all_there(replica.url, load.acknowledged)
            await asyncio.to_thread(cluster.check)
