from __future__ import annotations

import threading
from concurrent.futures import wait
from typing import TYPE_CHECKING, NoReturn

import msgpack
import pytest

from storage.draft import Draft, Receipt
from storage.entry import ENTRY_BYTES_MAX, KEY_BYTES_MAX, Put, decode_entry
from storage.errors import (
    BlobCorrupt,
    BlobMissing,
    DraftInvalid,
    EntryTooLarge,
    StorageError,
    StoreClosed,
)
from storage.position import GENESIS, Position, Serial
from storage.references import blob_key
from storage.state import digest_bytes, pair_digest
from storage.store import Store
from tests.storage.operations import (
    CLUSTER,
    add_inline,
    add_reference,
    all_entries,
    append_to,
    delete,
    drop,
    everything,
    put,
    read,
    reference,
)

if TYPE_CHECKING:
    from pathlib import Path

    from storage.view import View


class Hold:
    """Keeps the writer busy, so that what is submitted meanwhile forms one batch."""

    def __init__(self, store: Store) -> None:
        self.entered = threading.Event()
        self.release = threading.Event()
        self.future = store.submit(self._operation)
        self.entered.wait(timeout=10)

    def _operation(self, _view: View) -> tuple[None, None]:
        self.entered.set()
        self.release.wait(timeout=10)
        return None, None


class TestSubmit:
    def test_entry_follows_the_head_and_says_what_changed(self, primary: Store) -> None:
        receipt = primary.submit(put(b"k", b"v")).result()

        (encoded,) = all_entries(primary)
        entry = decode_entry(encoded)
        assert receipt == Receipt(primary.position, None)
        assert (entry.epoch, entry.serial, entry.previous_chain) == (1, 1, GENESIS.chain)
        assert (entry.changes, entry.actor, entry.request_id) == ((Put(b"k", b"v"),), "root", "r1")
        assert entry.state_digest == primary.digest == digest_bytes(pair_digest(b"k", b"v"))

    def test_operation_sees_the_ones_before_it_in_the_same_batch(self, primary: Store) -> None:
        hold = Hold(primary)
        futures = [primary.submit(append_to(b"k", f"{number}".encode())) for number in range(5)]
        before = primary.statistics().commits
        hold.release.set()

        results = [future.result().result for future in futures]

        assert results == [b"0", b"01", b"012", b"0123", b"01234"]
        assert primary.statistics().commits == before + 1
        assert read(primary, b"k") == b"01234"

    def test_digest_is_that_of_the_live_pairs(self, primary: Store) -> None:
        for operation in (put(b"a", b"1"), put(b"a", b"2"), put(b"b", b"3"), delete(b"b"), delete(b"c")):
            primary.submit(operation).result()

        assert primary.digest == digest_bytes(pair_digest(b"a", b"2"))

    def test_refusal_reaches_the_submitter_and_writes_nothing(self, primary: Store) -> None:
        def refuse(_view: View) -> NoReturn:
            raise PermissionError("not yours")

        with pytest.raises(PermissionError, match="not yours"):
            primary.submit(refuse).result()

        assert primary.position == GENESIS

    def test_operation_without_draft_writes_nothing(self, primary: Store) -> None:
        primary.submit(put(b"k", b"v")).result()

        receipt = primary.submit(lambda view: (None, view.get(b"k"))).result()

        assert receipt == Receipt(primary.position, b"v")
        assert primary.position.serial == 1

    def test_oversized_draft_fails_alone(self, primary: Store) -> None:
        hold = Hold(primary)
        large = primary.submit(put(b"large", bytes(ENTRY_BYTES_MAX)))
        small = primary.submit(put(b"small", b"v"))
        hold.release.set()

        assert isinstance(large.exception(), EntryTooLarge)
        assert small.result().position.serial == 1
        assert everything(primary) == [(b"small", b"v")]

    @pytest.mark.parametrize(
        "key", [b"", b"k" * (KEY_BYTES_MAX + 1), b"\x00reserved"], ids=["empty", "long", "reserved"]
    )
    def test_key_that_cannot_be_stored_is_refused(self, primary: Store, key: bytes) -> None:
        assert isinstance(primary.submit(put(key, b"v")).exception(), DraftInvalid)

    def test_cancelled_operation_is_not_run(self, primary: Store) -> None:
        hold = Hold(primary)
        cancelled = primary.submit(put(b"cancelled", b"v"))
        kept = primary.submit(put(b"kept", b"v"))

        assert cancelled.cancel()
        hold.release.set()
        kept.result()

        assert everything(primary) == [(b"kept", b"v")]

    def test_time_grows_when_the_clock_goes_back(self, tmp_path: Path) -> None:
        times = iter([500, 100, 100, 900, 900, 900])
        store = Store.create(tmp_path / "data", cluster_id=CLUSTER, clock_ms=lambda: next(times, 900))
        for number in range(3):
            store.submit(put(b"k", b"%d" % number)).result()

        found = [decode_entry(encoded).time_ms for encoded in all_entries(store)]
        store.close()

        assert found[0] == 500
        assert found == sorted(set(found))

    def test_closed_store_refuses_and_what_was_queued_is_written(self, tmp_path: Path) -> None:
        store = Store.create(tmp_path / "data", cluster_id=CLUSTER)
        hold = Hold(store)
        future = store.submit(put(b"k", b"v"))
        hold.release.set()
        store.close()

        with pytest.raises(StoreClosed):
            store.submit(put(b"k", b"v"))
        with pytest.raises(StoreClosed), store.view():
            pass
        assert future.result().position.serial == 1

    def test_many_threads_make_a_gapless_history(self, primary: Store) -> None:
        def write(name: int) -> None:
            wait([primary.submit(put(b"%d-%d" % (name, number), b"v")) for number in range(50)])

        threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        entries = [decode_entry(encoded) for encoded in all_entries(primary)]
        assert [entry.serial for entry in entries] == list(range(1, 201))
        assert len(everything(primary)) == 200


class TestView:
    def test_view_stays_at_its_position(self, primary: Store) -> None:
        primary.submit(put(b"k", b"old")).result()

        with primary.view() as view:
            primary.submit(put(b"k", b"new")).result()

            assert (view.get(b"k"), view.position.serial) == (b"old", 1)
        assert read(primary, b"k") == b"new"

    def test_scan_yields_keys_with_prefix_in_order_after_a_key(self, primary: Store) -> None:
        for key in (b"a1", b"a3", b"a2", b"b1", b"Z"):
            primary.submit(put(key, b"v" + key)).result()

        with primary.view() as view:
            assert [key for key, _ in view.scan(b"a")] == [b"a1", b"a2", b"a3"]
            assert list(view.scan(b"a", after=b"a1")) == [(b"a2", b"va2"), (b"a3", b"va3")]
            assert list(view.scan(b"a", after=b"a3")) == []
            assert [key for key, _ in view.scan(b"")] == [b"Z", b"a1", b"a2", b"a3", b"b1"]

    def test_scan_of_an_operation_merges_what_the_batch_changed(self, primary: Store) -> None:
        for key in (b"a1", b"a3", b"a5"):
            primary.submit(put(key, b"old")).result()
        hold = Hold(primary)
        for operation in (put(b"a2", b"new"), put(b"a3", b"new"), delete(b"a5"), put(b"b", b"new")):
            primary.submit(operation)
        scanned = primary.submit(
            lambda view: (None, [list(view.scan(b"a")), list(view.scan(b"a", after=b"a1"))])
        )
        hold.release.set()

        merged = [(b"a1", b"old"), (b"a2", b"new"), (b"a3", b"new")]
        assert scanned.result().result == [merged, merged[1:]]


class TestBlobReferences:
    def test_references_are_counted_and_vanish_at_zero(self, primary: Store) -> None:
        blob = reference(b"content")
        primary.submit(add_inline(b"one", b"content")).result()
        primary.submit(add_reference(b"two", blob)).result()

        assert msgpack.unpackb(read(primary, blob_key(blob.sha256)) or b"") == [7, 2]

        primary.submit(drop(b"one", blob.sha256)).result()
        primary.submit(drop(b"two", blob.sha256)).result()
        assert everything(primary) == []
        assert primary.blobs.has(blob.sha256)

    def test_reference_to_missing_bytes_fails_alone(self, primary: Store) -> None:
        hold = Hold(primary)
        missing = primary.submit(add_reference(b"k", reference(b"never written")))
        fine = primary.submit(add_inline(b"fine", b"content"))
        hold.release.set()

        assert isinstance(missing.exception(), BlobMissing)
        assert fine.result().position.serial == 1

    def test_operation_reads_and_refers_to_a_blob_of_the_same_batch(self, primary: Store) -> None:
        blob = reference(b"content")
        hold = Hold(primary)
        primary.submit(add_inline(b"one", b"content"))
        second = primary.submit(add_reference(b"two", blob))
        content = primary.submit(lambda view: (None, view.read_blob(blob.sha256)))
        hold.release.set()

        assert second.result().position.serial == 2
        assert content.result().result == b"content"

    def test_content_that_is_not_what_it_is_called_is_refused(self, primary: Store) -> None:
        draft = Draft((), contents={bytes(32): b"content"})

        assert isinstance(primary.submit(lambda _view: (draft, None)).exception(), BlobCorrupt)

    def test_dropping_a_reference_that_is_not_there_is_refused(self, primary: Store) -> None:
        assert isinstance(primary.submit(drop(b"k", bytes(32))).exception(), DraftInvalid)


class TestPositions:
    def test_position_at_answers_for_what_is_kept(self, primary: Store) -> None:
        first = primary.submit(put(b"a", b"1")).result().position
        second = primary.submit(put(b"b", b"2")).result().position

        found = [primary.position_at(Serial(serial)) for serial in range(4)]

        assert found == [GENESIS, first, second, None]

    def test_entries_after_keeps_to_both_limits(self, primary: Store) -> None:
        wait([primary.submit(put(b"%d" % number, b"v")) for number in range(10)])
        size = len(all_entries(primary)[0])

        def count(*, entries: int, size_bytes: int) -> int:
            return len(primary.entries_after(Serial(2), max_entries=entries, max_bytes=size_bytes))

        assert count(entries=3, size_bytes=1 << 20) == 3
        assert count(entries=100, size_bytes=2 * size + 1) == 2
        assert count(entries=100, size_bytes=1) == 1
        assert count(entries=100, size_bytes=1 << 20) == 8

    def test_listener_hears_every_position_until_it_leaves(self, primary: Store) -> None:
        heard: list[Position] = []
        unsubscribe = primary.subscribe(heard.append)
        first = primary.submit(put(b"a", b"1")).result().position
        primary.change_local("t", puts={b"k": b"v"}).result()

        unsubscribe()
        primary.submit(put(b"b", b"2")).result()

        assert heard == [first]

    def test_failing_listener_is_counted_and_stops_nobody(self, primary: Store) -> None:
        def fail(_position: Position) -> NoReturn:
            raise RuntimeError("loop is closed")

        heard: list[Position] = []
        primary.subscribe(fail)
        primary.subscribe(heard.append)
        primary.submit(put(b"a", b"1")).result()
        primary.submit(put(b"b", b"1")).result()

        assert [position.serial for position in heard][:1] == [1]
        assert primary.statistics().listener_errors >= 1

    def test_statistics_move_with_writes(self, primary: Store) -> None:
        before = primary.statistics()
        primary.submit(add_inline(b"k", b"content")).result()
        after = primary.statistics()

        assert (after.commits, after.entries_committed) == (before.commits + 1, 1)
        assert (after.log_entries, after.state_keys, after.queued_items) == (1, 2, 0)
        assert after.last_commit_seconds > 0
        assert after.last_commit_at_ms > 0
        assert after.map_used_bytes > 0


def test_time_of_the_head_is_the_newest_entrys_also_after_a_restart(tmp_path: Path) -> None:
    times = iter([5000, 6000, 7000, 8000, 9000])
    store = Store.create(tmp_path / "data", cluster_id=CLUSTER, clock_ms=lambda: next(times))
    empty = store.head_time_ms()
    store.submit(put(b"k", b"v")).result()
    first = store.head_time_ms()
    store.submit(put(b"k", b"w")).result()
    second = store.head_time_ms()
    store.close()
    store = Store.open(tmp_path / "data")
    reopened = store.head_time_ms()
    store.prune(retention_entries=0).result()
    pruned = store.head_time_ms()
    store.close()

    assert (empty, pruned) == (None, None)
    assert first is not None
    assert second is not None
    assert first < second == reopened


def test_reopened_store_is_where_it_was(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "data", cluster_id=CLUSTER, epoch=4)
    store.submit(put(b"k", b"v")).result()
    before = (store.position, store.digest, store.epoch, store.cluster_id, store.floor)
    store.close()

    again = Store.open(tmp_path / "data")

    assert (again.position, again.digest, again.epoch, again.cluster_id, again.floor) == before
    assert before[2:] == (4, CLUSTER, 1)
    assert again.submit(put(b"k", b"w")).result().position.serial == 2
    again.close()


def test_bug_on_the_way_to_the_disk_is_fatal_and_answers_everybody(
    primary: Store, fatal: list[StorageError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_named: object) -> NoReturn:
        raise RuntimeError("bug")

    monkeypatch.setattr("storage.batch.append", fail)
    hold = Hold(primary)
    written = primary.submit(put(b"k", b"v"))
    pruned = primary.prune(retention_entries=0)
    hold.release.set()

    errors = [written.exception(), pruned.exception()]

    assert fatal == [errors[0]]
    assert errors[1] is errors[0]
    with pytest.raises(StoreClosed):
        primary.submit(put(b"k", b"v"))
