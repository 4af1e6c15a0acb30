from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage.errors import StorageFull
from storage.local import LocalTables
from storage.store import Store
from tests.storage.operations import CLUSTER

if TYPE_CHECKING:
    from pathlib import Path


def test_tables_keep_what_was_put_until_it_is_deleted(tmp_path: Path) -> None:
    tables = LocalTables.open(tmp_path / "cache")
    tables.put_many("pages", [(b"1/a", b"A"), (b"1/b", b"B"), (b"2/a", b"C")])
    tables.put_many("links", [(b"1/a", b"L")])
    tables.delete("pages", b"1/b", b"absent")
    tables.close()

    tables = LocalTables.open(tmp_path / "cache")

    assert (tables.get("pages", b"1/a"), tables.get("pages", b"1/b")) == (b"A", None)
    assert list(tables.scan("pages")) == [(b"1/a", b"A"), (b"2/a", b"C")]
    assert tables.drop_prefix("pages", b"1/") == 1
    assert list(tables.scan("pages")) == [(b"2/a", b"C")]
    assert tables.get("links", b"1/a") == b"L"
    tables.close()


def test_damaged_value_counts_as_absent(tmp_path: Path) -> None:
    tables = LocalTables.open(tmp_path / "cache")
    with tables._env.begin(write=True, db=tables._databases["pages"]) as txn:
        txn.put(b"k", b"not sealed")

    assert tables.get("pages", b"k") is None
    tables.close()


def test_full_tables_refuse_writes_and_keep_what_they_have(tmp_path: Path) -> None:
    tables = LocalTables.open(tmp_path / "cache", map_bytes=1 << 18)
    tables.put_many("pages", [(b"k", b"v")])

    with pytest.raises(StorageFull):
        tables.put_many("pages", [(b"large", bytes(1 << 18))])

    assert list(tables.scan("pages")) == [(b"k", b"v")]
    tables.close()


def test_unsynced_tables_survive_a_close_and_not_a_crash(tmp_path: Path) -> None:
    tables = LocalTables.open(tmp_path / "cache", is_durable=False)
    tables.put_many("pages", [(b"k", b"v")])
    tables.close()

    tables = LocalTables.open(tmp_path / "cache", is_durable=False)
    assert tables.get("pages", b"k") == b"v"
    tables._env.close()  # what a crash leaves: no mark of a clean end

    tables = LocalTables.open(tmp_path / "cache", is_durable=False)
    assert tables.get("pages", b"k") is None
    tables.close()


def test_local_records_of_a_store_never_enter_the_changelog(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "data", cluster_id=CLUSTER)
    store.change_local("pins", puts={b"a": b"1", b"b": b"2"}).result()
    store.change_local("pins", deletes=[b"b"]).result()
    digest = store.digest
    store.close()

    store = Store.open(tmp_path / "data")

    assert (store.get_local("pins", b"a"), store.get_local("pins", b"b")) == (b"1", None)
    assert (store.scan_local("pins"), store.scan_local("other")) == ([(b"a", b"1")], [])
    assert (store.position.serial, store.digest) == (0, digest)
    store.close()
