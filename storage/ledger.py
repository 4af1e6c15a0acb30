"""What the writer's jobs work on: environment, blobs, and the newest committed position record."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from storage.environment import Durability
from storage.failpoints import failpoint
from storage.meta import META_KEY, encode_meta

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import lmdb

    from storage.blobs import BlobStore
    from storage.environment import Environment
    from storage.meta import Meta
    from storage.parcels import Parcels
    from storage.pending import PendingTotals


@dataclass(slots=True)
class Counters:
    """Plain numbers about the writer, changed by its thread only."""

    commits: int = 0
    entries: int = 0
    last_commit_seconds: float = 0.0
    last_commit_at_ms: int = 0
    stale_readers_cleared: int = 0
    listener_errors: int = 0


@dataclass(slots=True)
class Ledger:
    """Shared between the store, which reads, and the writer thread, which alone changes it.

    ``meta`` and ``pending`` are immutable objects swapped after each commit, so any thread may
    read them without a lock.
    """

    path: Path  # the data directory
    environment: Environment
    blobs: BlobStore
    parcels: Parcels
    meta: Meta
    pending: PendingTotals
    clock_ms: Callable[[], int]
    observe_commit_seconds: Callable[[float], None]
    counters: Counters
    is_settled: bool = True  # whether everything that was committed is durable

    def settle(self) -> None:
        """Make durable what was committed; before anybody is told that it is.

        Raises:
            lmdb.Error: The disk failed.

        """
        if self.is_settled:
            return
        failpoint("writer.settle")
        self.environment.sync()
        self.is_settled = True

    def commit(
        self,
        txn: lmdb.Transaction[bytes],
        *,
        meta: Meta | None = None,
        pending: PendingTotals | None = None,
        entries: int = 0,
    ) -> None:
        """Commit a write transaction with the position record, then publish both.

        Where the environment says so, settle() must follow before it is durable.

        Raises:
            lmdb.Error: Nothing is published; after anything but a full map or disk the outcome is unknown.

        """
        if meta is not None:
            txn.put(META_KEY, encode_meta(meta), db=self.environment.meta_db)
        self.parcels.remove_unpacked(txn)
        failpoint("writer.commit")
        started = time.perf_counter()
        txn.commit()
        elapsed_seconds = time.perf_counter() - started
        self.is_settled = self.environment.durability is Durability.FULL
        failpoint("writer.committed")
        self.parcels.forget_unpacked()
        # Pending first: whoever sees the new position must not miss a blob that it needs.
        if pending is not None:
            self.pending = pending
        if meta is not None:
            self.meta = meta
        self.counters.commits += 1
        self.counters.entries += entries
        self.counters.last_commit_seconds = elapsed_seconds
        self.counters.last_commit_at_ms = self.clock_ms()
        self.observe_commit_seconds(elapsed_seconds)
