"""Small contents that are durable with their entry, before they have a file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from storage.check import check
from storage.draft import Draft
from storage.entry import Put, decode_entry, encode_entry
from storage.errors import BlobMissing, DigestMismatch, StateCorrupt
from storage.findings import Severity
from storage.parcels import CARRIED_BYTES_MAX, CARRIED_ENTRIES_MAX, CROWDED_PARCELS, PARCEL_PREFIX, Parcels
from storage.store import Store
from tests.helpers.waiting import eventually
from tests.storage.operations import (
    CARRIED,
    add_reference,
    all_entries,
    carry,
    drop,
    everything,
    files,
    put,
    reference,
)

if TYPE_CHECKING:
    from pathlib import Path

    from storage.draft import Operation

BLOB = reference(CARRIED)


def add_several(*contents: bytes) -> Operation[None]:
    blobs = {reference(content): content for content in contents}
    draft = Draft(
        tuple(Put(b"key-%d" % number, blob.sha256) for number, blob in enumerate(blobs)),
        adds=tuple(blobs),
        contents={blob.sha256: content for blob, content in blobs.items()},
    )
    return lambda _view: (draft, None)


def records(store: Store) -> list[bytes]:
    return [digest for digest, _ in store.scan_local(PARCEL_PREFIX[:-1].decode())]


@pytest.mark.usefixtures("unhurried")
class TestHeld:
    def test_small_content_is_present_before_it_has_a_file(self, primary: Store) -> None:
        carry(primary)

        assert (primary.blobs.has(BLOB.sha256), primary.blobs.size_bytes(BLOB.sha256)) == (True, len(CARRIED))
        assert (primary.blobs.read(BLOB.sha256), primary.blobs.held(BLOB.sha256)) == (CARRIED, CARRIED)
        with primary.blobs.open(BLOB.sha256) as file:
            assert file.read() == CARRIED
        assert (files(primary), records(primary)) == (set(), [BLOB.sha256])
        assert primary.pending_totals() == (0, 0)

    def test_replica_at_the_head_holds_what_came_with_the_entries(
        self, primary: Store, replica: Store
    ) -> None:
        carry(primary)

        replica.apply(all_entries(primary), {BLOB.sha256: CARRIED}).result()

        assert (files(replica), records(replica)) == (set(), [BLOB.sha256])
        assert (replica.blobs.read(BLOB.sha256), replica.pending_totals()) == (CARRIED, (0, 0))

    def test_replica_that_catches_up_makes_files_first(self, primary: Store, replica: Store) -> None:
        contents = [b"%d" % number for number in range(CARRIED_ENTRIES_MAX + 1)]
        for content in contents:
            carry(primary, content, key=content)

        replica.apply(
            all_entries(primary), {reference(content).sha256: content for content in contents}
        ).result()

        assert files(replica) == {reference(content).sha256 for content in contents}
        assert records(replica) == []

    def test_large_contents_get_their_files_first(self, primary: Store) -> None:
        contents = (bytes(CARRIED_BYTES_MAX), b"one more")

        primary.submit(add_several(*contents)).result()

        assert files(primary) == {reference(content).sha256 for content in contents}
        assert records(primary) == []

    def test_content_that_is_here_already_is_not_carried(self, primary: Store) -> None:
        primary.blobs.put_many([CARRIED])

        carry(primary)

        assert records(primary) == []

    def test_entry_may_rest_on_a_held_blob(self, primary: Store) -> None:
        carry(primary)

        primary.submit(add_reference(b"again", BLOB)).result()
        with primary.blobs.writer() as writer:
            writer.write(CARRIED)
            found = writer.commit()

        assert (found, files(primary)) == (BLOB, set())

    def test_refused_entries_leave_nothing_behind(self, primary: Store, replica: Store) -> None:
        carry(primary)
        (encoded,) = all_entries(primary)
        wrong = encode_entry(replace(decode_entry(encoded), state_digest=bytes(32)))

        error = replica.apply([wrong], {BLOB.sha256: CARRIED}).exception()

        assert isinstance(error, DigestMismatch)
        assert (replica.blobs.has(BLOB.sha256), records(replica)) == (False, [])

    def test_deleted_blob_gets_no_file(self, primary: Store) -> None:
        carry(primary)
        primary.submit(drop(b"key", BLOB.sha256)).result()

        primary.blobs.delete(BLOB.sha256)
        primary.close()

        with pytest.raises(BlobMissing):
            primary.blobs.open(BLOB.sha256)
        assert check(primary.path).findings == []

    async def test_blob_that_returns_after_its_deletion_keeps_its_record(
        self, primary: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its old record was about to be removed by the transaction that writes the new one."""
        for number in range(CROWDED_PARCELS - 1):
            carry(primary, b"%d" % number, key=b"%d" % number)
        carry(primary)
        await eventually(lambda: BLOB.sha256 in files(primary), what="files of a crowd of parcels")
        primary.blobs.delete(BLOB.sha256)

        carry(primary, key=b"again")
        monkeypatch.setattr(Parcels, "unpack", lambda _self: None)
        primary.close()

        assert check(primary.path).is_clean

    def test_snapshot_finds_held_blobs_present(self, primary: Store, replica: Store, tmp_path: Path) -> None:
        carry(primary)
        primary.write_snapshot(tmp_path / "snapshot")
        replica.apply(all_entries(primary), {BLOB.sha256: CARRIED}).result()

        replica.load_snapshot(tmp_path / "snapshot").result()

        assert (replica.pending_totals(), replica.blobs.read(BLOB.sha256)) == ((0, 0), CARRIED)
        assert everything(replica) == everything(primary)

    async def test_crowd_is_unpacked_while_work_waits(self, primary: Store) -> None:
        contents = [b"%d" % number for number in range(CROWDED_PARCELS)]

        for content in contents:
            carry(primary, content, key=content)

        await eventually(lambda: len(files(primary)) == CROWDED_PARCELS, what="files of a crowd of parcels")
        primary.submit(put(b"a", b"b")).result()
        assert records(primary) == []

    def test_close_leaves_files_only(self, primary: Store) -> None:
        carry(primary)

        primary.close()

        assert check(primary.path).findings == []
        assert files(primary) == {BLOB.sha256}


async def test_idle_writer_makes_files_and_removes_records(
    primary: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.parcels.REMOVE_AFTER_SECONDS", 0.001)

    carry(primary)

    await eventually(lambda: not records(primary), what=lambda: f"records {records(primary)}")
    assert (files(primary), primary.blobs.held(BLOB.sha256)) == ({BLOB.sha256}, None)
    assert primary.blobs.read(BLOB.sha256) == CARRIED


def test_open_makes_files_of_parcels(killed: Path) -> None:
    before = check(killed)

    store = Store.open(killed)
    found = files(store), records(store), store.blobs.read(BLOB.sha256)
    store.close()

    assert [(finding.severity, finding.kind) for finding in before.findings] == [
        (Severity.NOTE, "parcel-held")
    ]
    assert found == ({BLOB.sha256}, [], CARRIED)
    assert check(killed).findings == []


def test_damaged_parcel_is_found_and_repaired(killed: Path) -> None:
    store = Store.open(killed)
    environment = store._environment
    with environment.lmdb.begin(write=True) as txn:
        txn.put(PARCEL_PREFIX + BLOB.sha256, b"not what it was", db=environment.local_db)
    store.blobs.delete(BLOB.sha256)
    store.close()

    with pytest.raises(StateCorrupt):
        Store.open(killed)
    found = check(killed, repair=True)
    store = Store.open(killed)
    pending = store.pending_blobs(limit=9)
    store.close()

    assert sorted(finding.kind for finding in found.findings) == ["blob-missing", "parcel-corrupt"]
    assert (pending, check(killed).findings) == ([BLOB], [])
