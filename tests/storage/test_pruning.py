from __future__ import annotations

from concurrent.futures import wait
from typing import TYPE_CHECKING

import pytest

from storage.check import check
from storage.errors import SerialPruned
from storage.position import Serial
from storage.store import Store
from tests.storage.operations import CLUSTER, all_entries, put

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("retention", "floor"), [(0, 31), (1, 30), (10, 21), (30, 1), (99, 1)], ids=str)
def test_only_the_newest_entries_are_kept(primary: Store, retention: int, floor: int) -> None:
    wait([primary.submit(put(b"%d" % number, b"v")) for number in range(30)])
    below = primary.position_at(Serial(floor - 1))

    found = primary.prune(retention_entries=retention).result()

    assert (found, primary.floor) == (floor, floor)
    assert len(all_entries(primary, after=floor - 1)) == 31 - floor
    assert primary.position_at(Serial(floor - 1)) == below


def test_entries_below_the_floor_are_refused_by_name(primary: Store) -> None:
    wait([primary.submit(put(b"%d" % number, b"v")) for number in range(5)])
    primary.prune(retention_entries=2).result()

    with pytest.raises(SerialPruned) as caught:
        primary.entries_after(Serial(2), max_entries=9, max_bytes=999)

    assert (caught.value.serial, caught.value.floor) == (2, 4)
    assert primary.position_at(Serial(2)) is None


def test_pruned_store_reopens_clean_and_writes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.pruning.PRUNE_ENTRIES_MAX", 7)
    store = Store.create(tmp_path / "data", cluster_id=CLUSTER)
    wait([store.submit(put(b"%d" % number, b"v")) for number in range(30)])
    store.prune(retention_entries=3).result()
    store.close()

    store = Store.open(tmp_path / "data")
    store.submit(put(b"more", b"v")).result()
    floor = store.floor
    store.close()

    report = check(tmp_path / "data")
    assert (floor, report.entries, report.findings) == (28, 4, [])
