"""What waits for the disk, and what does not, where a commit becomes durable after it can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import lmdb
import pytest

from storage.check import check
from storage.environment import Durability, Environment
from storage.errors import EnvironmentBroken, StorageError
from storage.position import Serial
from storage.store import Store
from tests.storage.operations import CLUSTER, add_inline, all_entries, put, read, reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONTENT = b"small"


@pytest.fixture
def entries(tmp_path: Path) -> list[bytes]:
    store = Store.create(tmp_path / "primary", cluster_id=CLUSTER)
    store.submit(add_inline(b"k", CONTENT)).result()
    found = all_entries(store)
    store.close()
    return found


@pytest.fixture
def replica(tmp_path: Path, fatal: list[StorageError]) -> Iterator[Store]:
    store = Store.create(
        tmp_path / "replica", cluster_id=CLUSTER, durability=Durability.LATER, on_fatal=fatal.append
    )
    yield store
    store.close()


def before_each_sync(monkeypatch: pytest.MonkeyPatch, look: Callable[[], None]) -> None:
    sync = Environment.sync

    def watched(environment: Environment) -> None:
        look()
        sync(environment)

    monkeypatch.setattr(Environment, "sync", watched)


def test_listeners_and_readers_see_a_commit_before_it_is_durable_and_futures_after(
    replica: Store, entries: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    seen: list[tuple[int, list[int], bytes | None, bool]] = []
    replica.subscribe(lambda position: told.append(position.serial))
    before_each_sync(
        monkeypatch,
        lambda: seen.append((replica.position.serial, list(told), read(replica, b"k"), future.done())),
    )

    future = replica.apply(entries, {reference(CONTENT).sha256: CONTENT})
    future.result()

    assert seen == [(1, [1], reference(CONTENT).sha256, False)]


def test_every_kind_of_write_is_durable_when_its_future_is_done(
    replica: Store, entries: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs: list[None] = []
    before_each_sync(monkeypatch, lambda: syncs.append(None))
    primary = Store.open(tmp_path / "primary")
    primary.write_snapshot(tmp_path / "snapshot")
    primary.close()
    counts = []
    for write in (
        lambda: replica.apply(entries, {reference(CONTENT).sha256: CONTENT}).result(),
        lambda: replica.submit(put(b"own", b"entry")).result(),
        lambda: replica.change_local("table", puts={b"k": b"v"}).result(),
        lambda: replica.load_snapshot(tmp_path / "snapshot", common=Serial(1)).result(),
    ):
        syncs.clear()
        write()
        counts.append(len(syncs))

    assert counts == [1, 1, 1, 1]


def test_primary_commits_once_and_syncs_nothing_apart(
    primary: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs: list[None] = []
    before_each_sync(monkeypatch, lambda: syncs.append(None))

    primary.submit(put(b"k", b"v")).result()

    assert syncs == []


def test_failed_sync_is_fatal_and_nobody_is_told_that_it_is_durable(
    replica: Store, entries: list[bytes], fatal: list[StorageError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise lmdb.Error("input/output error")

    before_each_sync(monkeypatch, fail)

    error = replica.apply(entries, {reference(CONTENT).sha256: CONTENT}).exception()

    assert isinstance(error, EnvironmentBroken)
    assert fatal == [error]


def test_settled_replica_reopens_clean_where_it_was(
    tmp_path: Path, replica: Store, entries: list[bytes]
) -> None:
    position = replica.apply(entries, {reference(CONTENT).sha256: CONTENT}).result()
    replica.close()

    again = Store.open(tmp_path / "replica", durability=Durability.LATER)

    assert again.position == position
    again.close()
    assert check(tmp_path / "replica").is_clean
