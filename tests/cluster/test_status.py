"""What ``/+status`` says while nodes come, go and catch up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.cluster.conftest import upload_wheel
from tests.helpers.waiting import eventually

if TYPE_CHECKING:
    from tests.helpers.nodes import ClusterProcesses

LARGE_BYTES = 300_000


async def test_time_of_the_last_commit_survives_a_restart(cluster: ClusterProcesses, token: str) -> None:
    """It is in the changelog; devpi's dashboards subtract it from now."""
    await upload_wheel(cluster.primary.url, token, "thing", "1.0")
    before = cluster.primary.status()["last-commit-timestamp"]
    cluster.primary.kill()
    await asyncio.to_thread(cluster.primary.start)

    after = cluster.primary.status()["last-commit-timestamp"]

    assert after is not None
    assert after == before


async def test_times_of_being_in_sync_stand_while_a_replica_is_behind(
    cluster: ClusterProcesses, token: str
) -> None:
    """They say when it last was in sync, and never turn to nothing again: with the primary dead, or files to come."""
    replica = cluster.replicas[0]
    names = ("replica-metadata-in-sync-at", "replica-files-in-sync-at", "replica-in-sync-at")
    await upload_wheel(cluster.primary.url, token, "large", "1.0", payload_bytes=LARGE_BYTES)
    await eventually(
        lambda: all(replica.status()[name] for name in names), what=lambda: str(replica.status())
    )
    cluster.primary.kill()
    await eventually(lambda: not replica.status()["primary_reachable"], what=lambda: str(replica.status()))
    status = replica.status()
    times = [status[name] for name in names]
    first = status["replica-init-queue-finished-at"]
    await asyncio.to_thread(cluster.primary.start)

    assert None not in times
    assert status["replica-in-sync-at"] == max(times)
    await eventually(
        lambda: all(replica.status()[name] > then for name, then in zip(names, times, strict=True)),
        what=lambda: str(replica.status()),
    )
    assert replica.status()["replica-init-queue-finished-at"] == first
