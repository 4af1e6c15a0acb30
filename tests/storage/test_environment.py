from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

import lmdb
import pytest

from storage.environment import storage_error_of
from storage.errors import (
    EXIT_COMMIT_FAILED,
    EXIT_DATA_BROKEN,
    AlreadyADataDirectory,
    DirectoryInUse,
    EnvironmentBroken,
    FormatTooNew,
    NotADataDirectory,
    StateCorrupt,
    StorageError,
    StorageFull,
    StoreClosed,
)
from storage.meta import META_KEY, Meta, decode_meta, encode_meta
from storage.parcels import CARRIED_BYTES_MAX
from storage.state import seal
from storage.store import Store
from tests.storage.operations import CLUSTER, add_inline, everything, put, read, reference

if TYPE_CHECKING:
    from pathlib import Path

    from storage.blobs import BlobStore

SMALL_MAP_BYTES = 1 << 20
TOO_LARGE_TO_CARRY = bytes(CARRIED_BYTES_MAX + 1)


class TestDirectory:
    def test_second_process_is_refused(self, primary: Store) -> None:
        """The lock is a flock, so it holds between processes and ends with them."""
        script = f"from pathlib import Path; from storage.store import Store; Store.open(Path({str(primary.path)!r}))"

        finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

        assert finished.returncode == 1
        assert "DirectoryInUse" in finished.stderr

    def test_second_store_in_one_process_is_refused(self, primary: Store) -> None:
        with pytest.raises(DirectoryInUse):
            Store.open(primary.path)

    @pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
    def test_forked_child_cannot_use_the_store(self, primary: Store) -> None:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                primary.view().__enter__()
            except StoreClosed:
                os.write(writer, b"refused")
            os._exit(0)
        os.waitpid(child, 0)
        os.close(writer)
        answer = os.read(reader, 100)
        os.close(reader)

        assert answer == b"refused"

    def test_folder_without_a_store_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(NotADataDirectory):
            Store.open(tmp_path)

    def test_creating_over_a_store_is_refused(self, tmp_path: Path) -> None:
        Store.create(tmp_path / "data", cluster_id=CLUSTER).close()

        with pytest.raises(AlreadyADataDirectory):
            Store.create(tmp_path / "data", cluster_id=CLUSTER)
        Store.open(tmp_path / "data").close()

    def test_nobody_else_may_read_the_files(self, primary: Store) -> None:
        found = {path.name: path.stat().st_mode & 0o777 for path in (primary.path / "db").iterdir()}

        assert set(found.values()) == {0o600}
        assert (primary.path / "db").stat().st_mode & 0o777 == 0o700

    @pytest.mark.parametrize(
        ("stored", "expected"),
        [
            (seal(META_KEY, b"\x91\x02"), FormatTooNew),
            (seal(META_KEY, b"\x91\x01"), StateCorrupt),
            (encode_meta(Meta(cluster_id=CLUSTER))[:-1] + b"?", StateCorrupt),
        ],
        ids=["later", "malformed", "flipped"],
    )
    def test_position_record_that_cannot_be_trusted_is_refused(
        self, tmp_path: Path, stored: bytes, expected: type[StorageError]
    ) -> None:
        store = Store.create(tmp_path / "data", cluster_id=CLUSTER)
        environment = store._environment
        with environment.lmdb.begin(write=True) as txn:
            txn.put(META_KEY, stored, db=environment.meta_db)
        store.close()

        with pytest.raises(expected):
            Store.open(tmp_path / "data")

    def test_position_record_round_trips(self) -> None:
        meta = Meta(cluster_id=CLUSTER).with_epoch(3, first_serial=Meta(None).floor, previous_chain=b"c" * 32)

        assert decode_meta(encode_meta(meta)) == meta


class TestFull:
    def test_full_map_refuses_writes_and_reads_go_on(self, tmp_path: Path) -> None:
        store = Store.create(tmp_path / "data", cluster_id=CLUSTER, map_bytes=SMALL_MAP_BYTES)
        number = 0
        error = None
        while error is None:
            error = store.submit(put(b"%d" % number, bytes(20_000))).exception()
            number += error is None
        position = store.position

        assert isinstance(error, StorageFull)
        assert len(everything(store)) == number == position.serial
        assert store.submit(put(b"small", b"v")).result().position.serial == number + 1
        store.close()

    def test_whole_batch_is_refused_when_the_disk_is_full(
        self, primary: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_self: BlobStore, _contents: object) -> NoReturn:
            raise OSError(errno.ENOSPC, "no space")

        monkeypatch.setattr("storage.blobs.BlobStore.put_hashed", fail)
        error = primary.submit(add_inline(b"k", TOO_LARGE_TO_CARRY)).exception()
        monkeypatch.undo()

        assert isinstance(error, StorageFull)
        assert (primary.position.serial, everything(primary)) == (0, [])
        assert primary.submit(add_inline(b"k", b"content")).result().position.serial == 1
        assert read(primary, b"k") == reference(b"content").sha256

    def test_failing_disk_ends_the_process(
        self, primary: Store, fatal: list[StorageError], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_path: object) -> NoReturn:
            raise OSError(errno.EIO, "I/O error")

        monkeypatch.setattr("storage.blobs.sync_folder", fail)
        error = primary.submit(add_inline(b"k", TOO_LARGE_TO_CARRY)).exception()

        assert isinstance(error, EnvironmentBroken)
        assert fatal == [error]
        assert primary.position.serial == 0


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (lmdb.MapFullError("put"), StorageFull),
        (lmdb.DiskError("commit"), StorageFull),
        (OSError(errno.ENOSPC, "full"), StorageFull),
        (OSError(errno.EDQUOT, "quota"), StorageFull),
        (lmdb.CorruptedError("get"), EXIT_DATA_BROKEN),
        (lmdb.BadTxnError("put"), EXIT_DATA_BROKEN),
        (lmdb.PanicError("commit"), EXIT_COMMIT_FAILED),
        (lmdb.Error("mdb_txn_commit: Input/output error"), EXIT_COMMIT_FAILED),
        (OSError(errno.EIO, "fsync"), EXIT_COMMIT_FAILED),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_error_of_a_write_is_survivable_or_fatal(
    error: Exception, expected: type[StorageError] | int
) -> None:
    found = storage_error_of(error)

    if isinstance(found, EnvironmentBroken):
        assert found.exit_code == expected
    else:
        assert type(found) is expected
