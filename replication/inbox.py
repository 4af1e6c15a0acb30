"""What has arrived and is not applied yet: bounded, in order, with one reader and one writer."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from replication.frames import EntryFrame

if TYPE_CHECKING:
    from pathlib import Path

    from storage.position import Serial

INBOX_ENTRIES_MAX: Final = 4096
INBOX_BYTES_MAX: Final = 16 << 20
"""Beyond these the follower stops reading, and the primary's socket fills up: that is the back-pressure."""

BATCH_ENTRIES_MAX: Final = 512
BATCH_BYTES_MAX: Final = 8 << 20


@dataclass(frozen=True, slots=True)
class SnapshotReady:
    """A snapshot whose bytes are complete and have the SHA-256 that was announced."""

    path: Path
    common: Serial | None  # last serial both histories are known to share; None: their epochs tell


Batch = list[EntryFrame] | SnapshotReady


class Inbox:
    """A queue that hands out entries in batches: whatever arrived while the last batch was applied."""

    def __init__(self) -> None:
        self._items: deque[EntryFrame | SnapshotReady] = deque()
        self._size_bytes = 0
        self._arrived = asyncio.Event()
        self._taken = asyncio.Event()
        self._end: Exception | None = None

    async def put(self, item: EntryFrame | SnapshotReady) -> None:
        """Add an item, when there is room."""
        while len(self._items) >= INBOX_ENTRIES_MAX or self._size_bytes >= INBOX_BYTES_MAX:
            self._taken.clear()
            await self._taken.wait()
        self._items.append(item)
        if isinstance(item, EntryFrame):
            self._size_bytes += item.size_bytes
        self._arrived.set()

    def end(self, reason: Exception) -> None:
        """Nothing more comes, for this reason. What is inside is still handed out."""
        self._end = reason
        self._arrived.set()

    async def take(self) -> Batch:
        """The next entries in a row, or the next snapshot; waits while there is neither.

        Raises:
            Exception: the reason given to `end`, once everything has been handed out.

        """
        while not self._items:
            if self._end is not None:
                raise self._end
            self._arrived.clear()
            await self._arrived.wait()
        first = self._items[0]
        self._taken.set()
        if isinstance(first, SnapshotReady):
            self._items.popleft()
            return first
        return self._entries()

    def _entries(self) -> list[EntryFrame]:
        batch: list[EntryFrame] = []
        size_bytes = 0
        while self._items and len(batch) < BATCH_ENTRIES_MAX and size_bytes < BATCH_BYTES_MAX:
            item = self._items[0]
            if isinstance(item, SnapshotReady):
                break
            self._items.popleft()
            batch.append(item)
            size_bytes += item.size_bytes
        self._size_bytes -= size_bytes
        return batch
