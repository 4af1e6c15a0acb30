"""Numbers about a store, for status and metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storage.ledger import Ledger


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """What a store knows about itself at one moment; counters count since the store was opened."""

    map_bytes: int
    map_used_bytes: int
    log_entries: int
    state_keys: int
    queued_items: int
    commits: int
    entries_committed: int
    last_commit_seconds: float
    last_commit_at_ms: int  # 0 before the first commit
    stale_readers_cleared: int
    listener_errors: int
    pending_blobs: int
    pending_blob_bytes: int


def gather(ledger: Ledger, *, queued_items: int) -> StoreStatistics:
    """Read the numbers; costs one read transaction."""
    environment = ledger.environment
    info = environment.lmdb.info()
    with environment.begin_read() as txn:
        page_bytes = txn.stat(environment.state_db)["psize"]
        state_keys = txn.stat(environment.state_db)["entries"]
        log_entries = txn.stat(environment.log_db)["entries"]
    counters = ledger.counters
    return StoreStatistics(
        map_bytes=info["map_size"],
        map_used_bytes=(info["last_pgno"] + 1) * page_bytes,
        log_entries=log_entries,
        state_keys=state_keys,
        queued_items=queued_items,
        commits=counters.commits,
        entries_committed=counters.entries,
        last_commit_seconds=counters.last_commit_seconds,
        last_commit_at_ms=counters.last_commit_at_ms,
        stale_readers_cleared=counters.stale_readers_cleared,
        listener_errors=counters.listener_errors,
        pending_blobs=ledger.pending.count,
        pending_blob_bytes=ledger.pending.size_bytes,
    )
