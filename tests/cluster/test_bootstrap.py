from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster.conftest import make_index
from tests.helpers.load import UploadLoad, assert_all_there
from tests.helpers.nodes import POSITION, login, running_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.helpers.nodes import ClusterProcesses

SNAPSHOT_AFTER_ENTRIES = 40
OPTIONS = ("--offline", "--no-root-pypi", "--snapshot-after-entries", str(SNAPSHOT_AFTER_ENTRIES))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[ClusterProcesses]:
    """A primary that prefers snapshots early, and two replicas."""
    with running_cluster(tmp_path, replicas=2, options=OPTIONS) as running:
        make_index(running.primary, "dev", login(running.primary.url))
        yield running


async def test_third_replica_reaches_head_through_a_snapshot_while_uploads_run(
    cluster: ClusterProcesses,
) -> None:
    """A replica can join at any time: snapshot first, then the entries after it, equal at the end.

    Four clients upload to primary and replica, a third replica starts with an empty directory in the middle of
    it, and uploads go on until it is at the head and for a while after. That its changelog begins above the first
    entry proves the snapshot.
    """
    token = login(cluster.primary.url)
    async with UploadLoad([node.url for node in cluster.nodes[:2]], token=token, pause_seconds=0.02) as load:
        await load.wait_for_more(SNAPSHOT_AFTER_ENTRIES)
        third = cluster.add_replica()
        third.wait_until_at(cluster.primary.status()["serial"])
        await load.wait_for_more(20)

    wanted = cluster.wait_until_equal()
    status = third.status()
    assert {name: status[name] for name in POSITION} == {name: wanted[name] for name in POSITION}
    assert status["floor"] > SNAPSHOT_AFTER_ENTRIES
    assert cluster.primary.status()["floor"] == 1
    await assert_all_there(third.url, load.acknowledged)
    cluster.check()


async def test_replica_that_was_away_too_long_gets_a_snapshot(cluster: ClusterProcesses) -> None:
    """A replica further behind than --snapshot-after-entries is not fed entry by entry.

    One replica is killed, more is uploaded than the limit, and it is started again on its old directory.
    """
    token = login(cluster.primary.url)
    away = cluster.replicas[1]
    away.kill()
    async with UploadLoad([cluster.primary.url], token=token, has_large=False) as load:
        await load.wait_for_more(2 * SNAPSHOT_AFTER_ENTRIES)

    away.start()

    cluster.wait_until_equal()
    assert away.status()["floor"] > SNAPSHOT_AFTER_ENTRIES
    await assert_all_there(away.url, load.acknowledged)
    cluster.check()
