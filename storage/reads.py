"""The reading half of a store: no lock, no waiting for the writer."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from storage import changelog
from storage.entry import decode_entry
from storage.local import get_local, scan_local
from storage.pending import iterate_pending
from storage.position import Serial
from storage.snapshot import write_snapshot
from storage.view import StateView

if TYPE_CHECKING:
    from pathlib import Path

    from storage.entry import BlobRef
    from storage.ledger import Ledger
    from storage.position import Position


class StoreReads:
    """What may be asked of a store on any thread, at any time."""

    def __init__(self, ledger: Ledger) -> None:
        self.path = ledger.path
        self.blobs = ledger.blobs
        self._ledger = ledger
        self._environment = ledger.environment

    @property
    def cluster_id(self) -> bytes | None:
        """Cluster this directory belongs to; None while an empty replica has not met its primary."""
        return self._ledger.meta.cluster_id

    @property
    def epoch(self) -> int:
        """Epoch that new entries get; 0 while an empty replica knows none."""
        return self._ledger.meta.epoch

    @property
    def position(self) -> Position:
        """Position up to which the state is applied."""
        return self._ledger.meta.applied

    @property
    def appended(self) -> Position:
        """Position up to which the changelog is durable."""
        return self._ledger.meta.appended

    @property
    def floor(self) -> Serial:
        """Oldest serial still kept in the changelog."""
        return self._ledger.meta.floor

    @property
    def digest(self) -> bytes:
        """Digest of the state at ``position``, 32 bytes."""
        return self._ledger.meta.digest

    def view(self) -> StateView:
        """Return one short read transaction, to be used with ``with`` and never across an await."""
        return StateView(self._environment, self.blobs)

    def entries_after(self, serial: Serial, *, max_entries: int, max_bytes: int) -> list[bytes]:
        """Return encoded entries above a serial: at least one if there is one, then within both limits.

        Raises:
            SerialPruned: The entry after ``serial`` is no longer kept.

        """
        meta = self._ledger.meta
        return changelog.entries_after(
            self._environment, meta, serial, max_entries=max_entries, max_bytes=max_bytes
        )

    def position_at(self, serial: Serial) -> Position | None:
        """Return the position at a serial, None when it is ahead of the head or pruned."""
        return changelog.position_at(self._environment, self._ledger.meta, serial)

    def head_time_ms(self) -> int | None:
        """Return the time in the newest entry, by its primary's clock; None where no entry is kept.

        Raises:
            EntryCorrupt: The entry is damaged.

        """
        serial = self.position.serial
        if serial < max(1, self.floor):
            return None
        newest = self.entries_after(Serial(serial - 1), max_entries=1, max_bytes=0)
        return decode_entry(newest[0]).time_ms

    def write_snapshot(self, target: Path) -> Position:
        """Write the state to one file, from a copy of the environment; slow, so not on an event loop.

        Raises:
            OSError: The disk is full or failed; there is no target then.
            StorageFull: There is no room for the copy of the environment.
            EnvironmentBroken: LMDB cannot copy the environment.
            StateCorrupt: A stored value fails its checksum.

        """
        return write_snapshot(self._environment, target)

    def set_aside(self) -> list[Path]:
        """Return the files that hold diverged entries, oldest first."""
        return sorted((self.path / "set-aside").glob("*.entries"))

    def pending_blobs(self, *, limit: int) -> list[BlobRef]:
        """Return blobs that the state needs and that are not here.

        Raises:
            StateCorrupt: A pending record fails its checksum.

        """
        with self._environment.begin_read() as txn:
            return list(islice(iterate_pending(txn, self._environment.local_db), limit))

    def pending_totals(self) -> tuple[int, int]:
        """Return how many blobs are pending, and their bytes."""
        pending = self._ledger.pending
        return pending.count, pending.size_bytes

    def get_local(self, table: str, key: bytes) -> bytes | None:
        """Return a node-local record.

        Raises:
            StateCorrupt: It fails its checksum.

        """
        return get_local(self._environment, table, key)

    def scan_local(self, table: str, prefix: bytes = b"") -> list[tuple[bytes, bytes]]:
        """Return the node-local records of a table whose keys have a prefix, in key order.

        Raises:
            StateCorrupt: One fails its checksum.

        """
        return scan_local(self._environment, table, prefix)
