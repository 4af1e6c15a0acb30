"""A data directory: the one object that the layers above use."""

from __future__ import annotations

import os
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from storage.batch import Submission
from storage.blobs import BlobStore
from storage.bootstrap import load_snapshot
from storage.defaults import exit_process, ignore_seconds, wall_clock_ms
from storage.environment import MAP_BYTES_DEFAULT, Durability, Environment
from storage.errors import (
    ForeignCluster,
    NotADataDirectory,
    StateCorrupt,
    StorageError,
)
from storage.ledger import Counters, Ledger
from storage.local import change_local
from storage.lock import take_directory_lock
from storage.meta import META_KEY, Meta
from storage.parcels import Parcels
from storage.pending import read_totals
from storage.position import GENESIS, Position, Serial
from storage.pruning import prune_some
from storage.reads import StoreReads
from storage.replay import apply_entries
from storage.statistics import StoreStatistics, gather
from storage.writer import Arrival, Task, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from storage.draft import Operation, Receipt

T = TypeVar("T")


class Store(StoreReads):
    """An open data directory, with its writer thread. Safe on any thread; not in a forked child."""

    def __init__(
        self,
        path: Path,
        environment: Environment,
        *,
        clock_ms: Callable[[], int],
        on_fatal: Callable[[StorageError], None],
        observe_commit_seconds: Callable[[float], None],
    ) -> None:
        """Take over an environment that has a position record; open() and create() are the ways in."""
        blobs = BlobStore(path / "blobs")
        meta = environment.read_meta()
        if meta.appended != meta.applied:
            raise StateCorrupt(key=META_KEY, detail=f"appended {meta.appended} but applied {meta.applied}")
        blobs.recover()
        parcels = Parcels(environment, blobs)
        parcels.recover()
        ledger = Ledger(
            path=path,
            environment=environment,
            blobs=blobs,
            parcels=parcels,
            meta=meta,
            pending=read_totals(environment),
            clock_ms=clock_ms,
            observe_commit_seconds=observe_commit_seconds,
            counters=Counters(),
        )
        super().__init__(ledger)
        self._writer = Writer(ledger, on_fatal=on_fatal)

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        cluster_id: bytes | None,
        epoch: int = 1,
        map_bytes: int = MAP_BYTES_DEFAULT,
        durability: Durability = Durability.FULL,
        clock_ms: Callable[[], int] = wall_clock_ms,
        on_fatal: Callable[[StorageError], None] = exit_process,
        observe_commit_seconds: Callable[[float], None] = ignore_seconds,
    ) -> Store:
        """Make a data directory and open it; ``cluster_id`` is None for an empty replica.

        May be repeated when an earlier attempt was killed.

        Raises:
            AlreadyADataDirectory: A store is there.
            DirectoryInUse: Another process is at work there.
            EnvironmentBroken: LMDB cannot open what is there.
            OSError: The disk is full or failed.

        """
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        meta = Meta(cluster_id=cluster_id)
        if cluster_id is not None:
            meta = meta.with_epoch(epoch, first_serial=Serial(1), previous_chain=GENESIS.chain)
        lock = take_directory_lock(path)
        try:
            (path / "db").mkdir(mode=0o700, exist_ok=True)
            BlobStore(path / "blobs").create()
            environment = Environment(path / "db", map_bytes=map_bytes, lock=None)
            try:
                environment.create_meta(meta)
            finally:
                environment.close()
        finally:
            os.close(lock)
        return cls.open(
            path,
            map_bytes=map_bytes,
            durability=durability,
            clock_ms=clock_ms,
            on_fatal=on_fatal,
            observe_commit_seconds=observe_commit_seconds,
        )

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        map_bytes: int = MAP_BYTES_DEFAULT,
        durability: Durability = Durability.FULL,
        clock_ms: Callable[[], int] = wall_clock_ms,
        on_fatal: Callable[[StorageError], None] = exit_process,
        observe_commit_seconds: Callable[[float], None] = ignore_seconds,
    ) -> Store:
        """Open a data directory and recover what a killed process left.

        With ``Durability.LATER`` listeners and readers see a commit before it is durable, and futures are done
        after it is: for a replica, whose primary has everything that a power cut may undo here.

        Raises:
            NotADataDirectory: No store was completed there.
            DirectoryInUse: Another process is at work there.
            FormatTooNew: A later version wrote it.
            StateCorrupt: Its position record, or a record of a pending blob or parcel, is damaged.
            EnvironmentBroken: LMDB cannot open it.
            OSError: The disk is full or failed.

        """
        if not (path / "db" / "data.mdb").exists():
            raise NotADataDirectory(path=path)
        environment = Environment(
            path / "db", map_bytes=map_bytes, lock=take_directory_lock(path), durability=durability
        )
        try:
            return cls(
                path,
                environment,
                clock_ms=clock_ms,
                on_fatal=on_fatal,
                observe_commit_seconds=observe_commit_seconds,
            )
        except BaseException:
            environment.close()
            raise

    def submit(self, operation: Operation[T]) -> Future[Receipt[T]]:
        """Run an operation on the writer thread and make what it drafts durable.

        The future fails with whatever the operation raised, with DraftInvalid, EntryTooLarge, BlobMissing or
        BlobCorrupt for its own draft, or with StorageFull or EnvironmentBroken for its whole batch.

        Raises:
            StoreClosed: The store is closed.
            WriterBusy: Too many operations wait.

        """
        future: Future[Receipt[T]] = Future()
        self._writer.put(Submission(operation, future))
        return future

    def apply(self, entries: Sequence[bytes], contents: Mapping[bytes, bytes]) -> Future[Position]:
        """Append and apply entries of the primary; ``contents`` are small blobs by SHA-256.

        Either all entries are applied or none; the future fails as apply_entries raises, and with StorageFull.

        Raises:
            StoreClosed: The store is closed.
            WriterBusy: Too many operations wait.

        """
        return self._task(lambda ledger: apply_entries(ledger, entries, contents))

    def adopt_cluster(self, cluster_id: bytes) -> None:
        """Make an empty replica part of a cluster; waits until that is durable.

        Raises:
            ForeignCluster: It belongs to another one already.
            StorageError: As for any write.

        """

        def adopt(ledger: Ledger) -> None:
            ours = ledger.meta.cluster_id
            if ours == cluster_id:
                return
            if ours is not None:
                raise ForeignCluster(path=self.path, ours=ours, theirs=cluster_id)
            with ledger.environment.begin_write() as txn:
                ledger.commit(txn, meta=ledger.meta.with_cluster(cluster_id))

        self._task(adopt).result()

    def prune(self, *, retention_entries: int) -> Future[Serial]:
        """Remove all but the newest entries from the changelog, in many short transactions.

        Raises:
            StoreClosed: The store is closed.
            WriterBusy: Too many operations wait.

        """
        done: Future[Serial] = Future()

        def go_on(finished: Future[bool]) -> None:
            error = finished.exception()
            if error is not None:
                done.set_exception(error)
            elif finished.result():
                done.set_result(self.floor)
            else:
                step()

        def step() -> None:
            try:
                self._task(lambda ledger: prune_some(ledger, retention_entries)).add_done_callback(go_on)
            except StorageError as error:
                done.set_exception(error)

        done.set_running_or_notify_cancel()
        step()
        return done

    def load_snapshot(self, source: Path, *, common: Serial | None = None) -> Future[Position]:
        """Replace the whole state by a snapshot, in one transaction.

        ``common`` is the last serial that both histories are known to share; without it the epochs decide.
        Entries above it are written to ``set-aside/`` first. The future fails with SnapshotCorrupt,
        ForeignCluster or StorageFull, and everything is as it was.

        Raises:
            StoreClosed: The store is closed.
            WriterBusy: Too many operations wait.

        """
        return self._task(lambda ledger: load_snapshot(ledger, source, common=common))

    def blob_arrived(self, sha256: bytes) -> Future[None]:
        """Note that a pending blob is durable now; the future fails with BlobMissing if it is not.

        Raises:
            StoreClosed: The store is closed.
            WriterBusy: Too many operations wait.

        """
        future: Future[None] = Future()
        self._writer.put(Arrival(sha256, future))
        return future

    def change_local(
        self, table: str, *, puts: Mapping[bytes, bytes] | None = None, deletes: Sequence[bytes] = ()
    ) -> Future[None]:
        """Write and remove node-local records in one transaction, without an entry.

        Raises:
            StoreClosed: The store is closed.
            WriterBusy: Too many operations wait.

        """
        return self._task(lambda ledger: change_local(ledger, table, puts or {}, deletes))

    def subscribe(self, listener: Callable[[Position], None]) -> Callable[[], None]:
        """Call ``listener`` on the writer thread after each commit that moved the position; returns the undoing."""
        return self._writer.subscribe(listener)

    def statistics(self) -> StoreStatistics:
        """Return the numbers of this moment."""
        return gather(self._ledger, queued_items=self._writer.queued)

    def close(self) -> None:
        """Write what is queued, stop the writer, close the environment and let go of the directory."""
        self._writer.close()
        self._ledger.environment.close()

    def _task(self, work: Callable[[Ledger], T]) -> Future[T]:
        future: Future[T] = Future()
        self._writer.put(Task(work, future))
        return future
