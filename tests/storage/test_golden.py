"""Data directories and snapshots of every format version so far are opened by this version."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from storage.check import check
from storage.entry import BlobRef, Delete, Put, decode_entry
from storage.position import Serial
from storage.store import Store
from tests.storage.make_golden import FIRST_TIME_MS, GOLDEN
from tests.storage.operations import CLUSTER, all_entries, everything, put, read, reference

if TYPE_CHECKING:
    from pathlib import Path

WHEEL = reference(b"a wheel")
POSITION = "3-8-88b2ec012eb29548"
DIGEST = "ea2408f35b0d3d5dab5d6ce59a96d3b6656f1236c27cd38042f2ce87f6a3f250"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    shutil.copytree(GOLDEN.with_name("v1") / "data", tmp_path / "data")
    return tmp_path / "data"


def test_directory_of_version_1_opens_and_says_what_it_said(data: Path) -> None:
    store = Store.open(data)
    found = (str(store.position), store.digest.hex(), store.epoch, store.floor, store.cluster_id)
    state = everything(store)
    local = store.scan_local("pins")
    content = store.blobs.read(WHEEL.sha256)
    store.close()

    assert found == (POSITION, DIGEST, 3, 3, CLUSTER)
    assert state == [
        (b"\x00b" + WHEEL.sha256, b"\x92\x07\x02"),
        (b"file/1", WHEEL.sha256),
        (b"file/3", WHEEL.sha256),
        (b"index/1", b"root/pypi"),
        (b"index/3", b"team/prod"),
    ]
    assert (local, content) == ([(b"name", b"digest")], b"a wheel")


def test_entries_of_version_1_say_what_they_said(data: Path) -> None:
    store = Store.open(data)
    entries = [decode_entry(encoded) for encoded in all_entries(store, after=2)]
    base = store.position_at(Serial(2))
    store.close()

    assert [entry.serial for entry in entries] == [3, 4, 5, 6, 7, 8]
    assert [entry.time_ms % 1000 for entry in entries] == [FIRST_TIME_MS % 1000] * 6
    assert entries[0].blobs == (BlobRef(WHEEL.sha256, 7),)
    assert entries[0].changes == (
        Put(b"file/1", WHEEL.sha256),
        Put(b"\x00b" + WHEEL.sha256, b"\x92\x07\x01"),
    )
    assert entries[3].changes == (Delete(b"index/2"),)
    assert base is not None
    assert entries[0].previous_chain == base.chain


def test_directory_of_version_1_is_clean_and_can_be_written(data: Path) -> None:
    before = check(data)
    store = Store.open(data)
    store.submit(put(b"index/4", b"new")).result()
    value = read(store, b"index/4")
    store.close()
    after = check(data)

    assert (before.is_clean, after.is_clean, value) == (True, True, b"new")
    assert (before.entries, after.entries, before.blobs) == (6, 7, 2)


def test_snapshot_of_version_1_loads(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "replica", cluster_id=None)
    store.load_snapshot(GOLDEN.with_name("v1") / "snapshot").result()
    found = (str(store.position), store.digest.hex(), store.pending_blobs(limit=9), store.cluster_id)
    store.close()

    assert found == (POSITION, DIGEST, [WHEEL], CLUSTER)
