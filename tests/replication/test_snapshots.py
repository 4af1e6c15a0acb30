from __future__ import annotations

import asyncio
from hashlib import sha256

import pytest

from replication.snapshots import REUSE_SECONDS, SnapshotDesk
from tests.replication.harness import Lab, open_primary, put, put_many


class FakeClock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def desk_of(lab: Lab, clock: FakeClock) -> SnapshotDesk:
    store = lab.keep(open_primary(lab.path / "store"))
    await put_many(store, 10)
    return SnapshotDesk(store, lab.path / "snapshots", reuse_entries=5, clock=clock)


async def test_snapshot_is_made_once_for_all_who_wait(lab: Lab) -> None:
    desk = await desk_of(lab, FakeClock())

    first, second = await asyncio.gather(desk.make(), desk.make())

    assert first is second
    assert desk.made_count == 1
    assert (first.size_bytes, first.sha256) == (
        len(first.path.read_bytes()),
        sha256(first.path.read_bytes()).digest(),
    )
    await desk.close()


async def test_recent_snapshot_is_reused_until_it_is_old_or_far_behind(lab: Lab) -> None:
    clock = FakeClock()
    desk = await desk_of(lab, clock)
    assert desk.recent() is None
    made = await desk.make()

    assert desk.recent() is made
    clock.now = REUSE_SECONDS + 1
    assert desk.recent() is None
    clock.now = 1
    for number in range(5):
        await put(desk._store, f"more-{number}")
    assert desk.recent() is made
    await put(desk._store, "one more")
    assert desk.recent() is None
    await desk.close()


async def test_snapshot_that_the_changelog_no_longer_continues_is_not_reused(lab: Lab) -> None:
    desk = await desk_of(lab, FakeClock())
    await desk.make()
    await put_many(desk._store, 3, prefix="more")

    desk._store.prune(retention_entries=1).result()

    assert desk.recent() is None
    await desk.close()


async def test_superseded_snapshot_can_still_be_read_by_whoever_has_it_open(lab: Lab) -> None:
    desk = await desk_of(lab, FakeClock())
    old = await desk.make()

    with old.path.open("rb") as file:
        new = await desk.make()
        content = file.read()

    assert sha256(content).digest() == old.sha256
    assert not old.path.exists()
    assert desk.recent() is new
    await desk.close()
    assert not new.path.exists()


async def test_leftovers_of_a_killed_process_are_removed(lab: Lab) -> None:
    desk = await desk_of(lab, FakeClock())
    (lab.path / "snapshots").mkdir()
    leftover = lab.path / "snapshots" / "7.snapshot"
    leftover.write_bytes(b"half")

    await desk.make()

    assert not leftover.exists()
    await desk.close()


async def test_failure_reaches_everybody_and_leaves_no_file(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = await desk_of(lab, FakeClock())

    def fail(target: object) -> None:
        raise OSError(28, "no space left", str(target))

    with monkeypatch.context() as patch:
        patch.setattr(desk._store, "write_snapshot", fail)
        with pytest.raises(OSError, match="no space left"):
            await desk.make()

    assert list((lab.path / "snapshots").iterdir()) == []
    assert (await desk.make()).size_bytes > 0
    await desk.close()


async def test_close_waits_for_the_thread_that_writes(lab: Lab) -> None:
    desk = await desk_of(lab, FakeClock())
    making = desk.make()
    await asyncio.sleep(0)

    await desk.close()

    assert making.done()
