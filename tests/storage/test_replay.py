from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from storage.entry import Entry, Put, chain_of, decode_entry, encode_entry
from storage.errors import (
    BlobCorrupt,
    BlobMissing,
    DigestMismatch,
    EntryCorrupt,
    EntryTooNew,
    EpochWentBack,
    ForeignCluster,
    PositionDiverged,
    SerialGap,
    SerialPruned,
    StateCorrupt,
    StorageError,
)
from storage.state import seal
from storage.store import Store
from tests.storage.operations import (
    CLUSTER,
    add_inline,
    add_reference,
    all_entries,
    delete,
    drop,
    everything,
    put,
    reference,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def entries(primary: Store) -> list[bytes]:
    for operation in (put(b"a", b"1"), put(b"b", b"2"), put(b"a", b"3"), delete(b"b"), put(b"c", b"4")):
        primary.submit(operation).result()
    return all_entries(primary)


def assert_same(one: Store, other: Store) -> None:
    assert (one.position, one.digest, everything(one)) == (other.position, other.digest, everything(other))
    assert all_entries(one) == all_entries(other)


def altered(encoded: bytes, **changed: object) -> bytes:
    return encode_entry(replace(decode_entry(encoded), **changed))  # type: ignore[arg-type]


def test_replica_ends_with_the_same_bytes(primary: Store, replica: Store, entries: list[bytes]) -> None:
    applied = replica.apply(entries, {}).result()

    assert applied == primary.position
    assert_same(primary, replica)
    assert replica.epoch == primary.epoch


@pytest.mark.parametrize("batch", [1, 2, 5], ids=str)
def test_applying_twice_is_applying_once(
    primary: Store, replica: Store, entries: list[bytes], batch: int
) -> None:
    for start in range(0, len(entries), batch):
        replica.apply(entries[: start + batch], {}).result()
        replica.apply(entries[: start + batch], {}).result()

    assert_same(primary, replica)


def refused(replica: Store, batch: list[bytes]) -> StorageError:
    """Apply what must be refused, and show that nothing at all was written."""
    before = (replica.position, replica.digest, everything(replica), all_entries(replica))
    error = replica.apply(batch, {}).exception()
    assert (replica.position, replica.digest, everything(replica), all_entries(replica)) == before
    assert isinstance(error, StorageError)
    return error


def test_gap_is_refused_and_writes_nothing(replica: Store, entries: list[bytes]) -> None:
    error = refused(replica, [*entries[:2], *entries[3:]])

    assert isinstance(error, SerialGap)
    assert (error.expected, error.found) == (3, 4)


def test_entry_of_another_history_is_refused_and_writes_nothing(replica: Store, entries: list[bytes]) -> None:
    error = refused(replica, [entries[0], altered(entries[1], previous_chain=bytes(32))])

    assert isinstance(error, PositionDiverged)
    assert (error.serial, error.ours) == (1, chain_of(entries[0]))


def test_applied_entry_with_another_chain_is_refused(replica: Store, entries: list[bytes]) -> None:
    replica.apply(entries, {}).result()

    error = refused(replica, [altered(entries[2], actor="somebody else")])

    assert isinstance(error, PositionDiverged)
    assert error.serial == 3


def test_state_that_differs_is_refused_and_writes_nothing(replica: Store, entries: list[bytes]) -> None:
    error = refused(replica, [entries[0], altered(entries[1], changes=(Put(b"b", b"not 2"),))])

    assert isinstance(error, DigestMismatch)
    assert error.serial == 2


def test_deposed_primary_is_refused(primary: Store, replica: Store, entries: list[bytes]) -> None:
    higher = altered(entries[0], epoch=9)
    replica.apply([higher], {}).result()
    late: Entry = decode_entry(entries[1])

    error = refused(replica, [encode_entry(replace(late, previous_chain=chain_of(higher)))])

    assert isinstance(error, EpochWentBack)
    assert (error.ours, error.theirs, replica.epoch) == (9, primary.epoch, 9)


def test_damaged_entry_is_refused(replica: Store, entries: list[bytes]) -> None:
    assert isinstance(refused(replica, [entries[0], entries[1][:-1] + b"?"]), EntryCorrupt)
    assert isinstance(refused(replica, [altered(entries[0], min_reader=2)]), EntryTooNew)


def test_damaged_value_under_an_entry_stops_it(replica: Store, entries: list[bytes]) -> None:
    replica.apply(entries[:2], {}).result()
    environment = replica._environment
    with environment.lmdb.begin(write=True) as txn:
        txn.put(b"a", seal(b"a", b"1")[:-1] + b"?", db=environment.state_db)

    assert isinstance(replica.apply(entries[2:], {}).exception(), StateCorrupt)
    assert replica.position.serial == 2


def test_pruned_entry_cannot_be_compared(replica: Store, entries: list[bytes]) -> None:
    replica.apply(entries, {}).result()
    replica.prune(retention_entries=1).result()

    assert isinstance(replica.apply(entries[:1], {}).exception(), SerialPruned)


def test_nothing_to_apply_answers_the_position(replica: Store, entries: list[bytes]) -> None:
    assert replica.apply(entries, {}).result() == replica.apply([], {}).result()


class TestBlobs:
    def test_contents_are_durable_with_their_entries(self, primary: Store, replica: Store) -> None:
        blob = reference(b"content")
        primary.submit(add_inline(b"k", b"content")).result()

        replica.apply(all_entries(primary), {blob.sha256: b"content"}).result()

        assert replica.blobs.read(blob.sha256) == b"content"
        assert replica.pending_totals() == (0, 0)

    def test_wrong_contents_are_refused(self, primary: Store, replica: Store) -> None:
        primary.submit(add_inline(b"k", b"content")).result()

        error = replica.apply(all_entries(primary), {reference(b"content").sha256: b"other"}).exception()

        assert isinstance(error, BlobCorrupt)
        assert replica.position.serial == 0

    def test_blob_that_does_not_travel_is_pending_until_it_arrives(
        self, primary: Store, replica: Store
    ) -> None:
        blob = reference(b"content")
        primary.submit(add_inline(b"k", b"content")).result()
        primary.submit(add_reference(b"l", blob)).result()
        replica.apply(all_entries(primary), {}).result()

        assert replica.pending_blobs(limit=9) == [blob]
        assert replica.pending_totals() == (1, 7)
        assert isinstance(replica.blob_arrived(blob.sha256).exception(), BlobMissing)

        replica.blobs.put_many([b"content"])
        replica.blob_arrived(blob.sha256).result()
        replica.blob_arrived(blob.sha256).result()
        assert (replica.pending_blobs(limit=9), replica.pending_totals()) == ([], (0, 0))

    def test_pending_blob_is_forgotten_when_its_last_reference_goes(
        self, primary: Store, replica: Store
    ) -> None:
        primary.submit(add_inline(b"k", b"content")).result()
        replica.apply(all_entries(primary), {}).result()

        primary.submit(drop(b"k", reference(b"content").sha256)).result()
        replica.apply(all_entries(primary), {}).result()

        assert (replica.pending_blobs(limit=9), replica.pending_totals()) == ([], (0, 0))

    def test_pending_blobs_survive_a_restart(self, primary: Store, tmp_path: Path) -> None:
        for number in range(5):
            primary.submit(add_inline(b"%d" % number, b"content %d" % number)).result()
        store = Store.create(tmp_path / "other", cluster_id=CLUSTER)
        store.apply(all_entries(primary), {}).result()
        store.close()

        store = Store.open(tmp_path / "other")
        found = (len(store.pending_blobs(limit=3)), store.pending_totals())
        store.close()

        assert found == (3, (5, 45))


def test_cluster_is_adopted_once(replica: Store) -> None:
    replica.adopt_cluster(CLUSTER)

    with pytest.raises(ForeignCluster) as caught:
        replica.adopt_cluster(b"somebody else's!")
    assert (caught.value.ours, replica.cluster_id) == (CLUSTER, CLUSTER)
