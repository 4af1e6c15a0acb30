from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from storage.errors import ForeignCluster, SnapshotCorrupt
from storage.position import Serial
from storage.set_aside import read_set_aside
from storage.snapshot import remove_leftovers, verify_snapshot
from storage.store import Store
from tests.storage.operations import add_inline, all_entries, everything, put, reference
from tests.storage.test_replay import altered

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def snapshot(primary: Store, tmp_path: Path) -> Path:
    for number in range(20):
        primary.submit(put(b"key %d" % number, b"value %d" % number)).result()
    primary.submit(add_inline(b"blob", b"content")).result()
    primary.write_snapshot(tmp_path / "snapshot")
    return tmp_path / "snapshot"


def test_replica_loads_a_snapshot_and_then_follows(primary: Store, replica: Store, snapshot: Path) -> None:
    loaded = replica.load_snapshot(snapshot).result()

    assert loaded == primary.position == replica.position
    assert (replica.digest, everything(replica)) == (primary.digest, everything(primary))
    assert (replica.floor, replica.epoch, replica.cluster_id) == (22, primary.epoch, primary.cluster_id)
    assert replica.pending_blobs(limit=9) == [reference(b"content")]
    assert replica.set_aside() == []

    primary.submit(put(b"after", b"snapshot")).result()
    replica.apply(all_entries(primary, after=21), {}).result()
    assert (replica.position, replica.digest) == (primary.position, primary.digest)


def test_snapshot_is_one_moment_while_writes_go_on(primary: Store, replica: Store, tmp_path: Path) -> None:
    futures = [primary.submit(put(b"%d" % number, b"v")) for number in range(500)]

    position = primary.write_snapshot(tmp_path / "snapshot")

    replica.load_snapshot(tmp_path / "snapshot").result()
    assert len(everything(replica)) == position.serial
    assert futures[-1].result().position.serial == 500


def test_writing_leaves_only_the_snapshot(snapshot: Path) -> None:
    assert sorted(path.name for path in snapshot.parent.iterdir()) == ["primary", "snapshot"]
    assert snapshot.stat().st_mode & 0o777 == 0o600


def test_same_state_gives_the_same_bytes(primary: Store, snapshot: Path) -> None:
    primary.write_snapshot(snapshot.with_name("again"))

    assert snapshot.with_name("again").read_bytes() == snapshot.read_bytes()


def test_cut_snapshot_leaves_everything_as_it_was(replica: Store, snapshot: Path) -> None:
    whole = snapshot.read_bytes()
    for length in (0, 1, 10, 40, len(whole) // 2, len(whole) - 33, len(whole) - 32, len(whole) - 1):
        snapshot.write_bytes(whole[:length])

        error = replica.load_snapshot(snapshot).exception()

        assert isinstance(error, SnapshotCorrupt), length
        assert (replica.position.serial, everything(replica), replica.pending_totals()) == (0, [], (0, 0))


def test_flipped_snapshot_leaves_everything_as_it_was(primary: Store, replica: Store, snapshot: Path) -> None:
    replica.apply(all_entries(primary)[:3], {}).result()
    before = (replica.position, everything(replica))
    whole = snapshot.read_bytes()
    for offset in range(0, len(whole), 41):
        snapshot.write_bytes(whole[:offset] + bytes([whole[offset] ^ 0x10]) + whole[offset + 1 :])

        error = replica.load_snapshot(snapshot).exception()

        assert isinstance(error, SnapshotCorrupt), offset
        assert (replica.position, everything(replica)) == before


@pytest.mark.parametrize("content", [b"value 19", b"blob"], ids=["value", "key"])
def test_snapshot_that_was_altered_and_signed_again_is_refused(
    replica: Store, snapshot: Path, content: bytes
) -> None:
    """The checksum is right, the state digest in the header is not: found in the transaction, which is aborted."""
    body = snapshot.read_bytes()[:-32].replace(content, content[::-1])
    snapshot.write_bytes(body + sha256(body).digest())
    verify_snapshot(snapshot)

    error = replica.load_snapshot(snapshot).exception()

    assert isinstance(error, SnapshotCorrupt)
    assert (replica.position.serial, everything(replica)) == (0, [])


def test_leftovers_of_a_killed_writer_are_removed(snapshot: Path) -> None:
    (snapshot.parent / ".snapshot-abc").mkdir()
    (snapshot.parent / ".snapshot-abc" / "data.mdb").write_bytes(b"copy")
    (snapshot.parent / ".snapshot.partial").write_bytes(b"half")

    remove_leftovers(snapshot.parent)

    assert sorted(path.name for path in snapshot.parent.iterdir()) == ["primary", "snapshot"]


def test_missing_snapshot_is_refused(replica: Store, tmp_path: Path) -> None:
    assert isinstance(replica.load_snapshot(tmp_path / "nothing").exception(), SnapshotCorrupt)


def test_snapshot_of_another_cluster_is_refused(snapshot: Path, tmp_path: Path) -> None:
    store = Store.create(tmp_path / "foreign", cluster_id=b"somebody else's!")

    error = store.load_snapshot(snapshot).exception()
    store.close()

    assert isinstance(error, ForeignCluster)


class TestSetAside:
    def test_replica_that_is_merely_behind_sets_nothing_aside(
        self, primary: Store, replica: Store, snapshot: Path
    ) -> None:
        replica.apply(all_entries(primary)[:5], {}).result()

        replica.load_snapshot(snapshot).result()

        assert replica.set_aside() == []

    def test_tail_ahead_of_the_snapshot_is_kept(self, primary: Store, replica: Store, snapshot: Path) -> None:
        primary.submit(put(b"later", b"1")).result()
        primary.submit(put(b"later", b"2")).result()
        entries = all_entries(primary)
        replica.apply(entries, {}).result()

        replica.load_snapshot(snapshot).result()

        (path,) = replica.set_aside()
        assert list(read_set_aside(path)) == entries[21:]

    def test_tail_of_an_older_epoch_is_kept(self, primary: Store, replica: Store, snapshot: Path) -> None:
        own = altered(all_entries(primary)[0], epoch=3)
        replica.apply([own], {}).result()

        replica.load_snapshot(snapshot).result()

        (path,) = replica.set_aside()
        assert list(read_set_aside(path)) == [own]
        assert replica.epoch == 1

    def test_caller_who_knows_the_last_common_serial_decides(
        self, primary: Store, replica: Store, snapshot: Path
    ) -> None:
        entries = all_entries(primary)
        replica.apply(entries[:5], {}).result()

        replica.load_snapshot(snapshot, common=Serial(3)).result()

        (path,) = replica.set_aside()
        assert list(read_set_aside(path)) == entries[3:5]

    def test_same_serial_with_another_chain_is_kept_whole(
        self, primary: Store, replica: Store, tmp_path: Path
    ) -> None:
        primary.submit(put(b"k", b"v")).result()
        primary.write_snapshot(tmp_path / "snapshot")
        fork = altered(all_entries(primary)[0], actor="somebody else")
        replica.apply([fork], {}).result()

        replica.load_snapshot(tmp_path / "snapshot").result()

        (path,) = replica.set_aside()
        assert list(read_set_aside(path)) == [fork]
        assert replica.position == primary.position
