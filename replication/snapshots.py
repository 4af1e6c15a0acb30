"""Snapshot files on the primary: made off the loop, and shared by the bootstraps of the next minute."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from dataclasses import dataclass
from hashlib import file_digest
from typing import TYPE_CHECKING, Final

from replication.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from storage.position import Position
    from storage.store import Store

REUSE_SECONDS: Final = 60.0
"""How long a snapshot serves further bootstraps."""

_SUFFIX: Final = ".snapshot"


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """A finished snapshot on disk.

    Whoever reads it opens it at once, without an await in between, and keeps it open: the name may go at any
    time, the bytes stay until the last reader closes them.
    """

    path: Path
    position: Position
    size_bytes: int
    sha256: bytes
    made_at: float  # monotonic seconds


class SnapshotDesk:
    """Hands out snapshots; at most one is being made at any time. Used on the event loop only."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        *,
        reuse_entries: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._folder = folder
        self._reuse_entries = reuse_entries
        self._clock = clock
        self._numbers = itertools.count(1)
        self._latest: SnapshotFile | None = None
        self._making: asyncio.Task[SnapshotFile] | None = None
        self.made_count = 0

    def recent(self) -> SnapshotFile | None:
        """The last snapshot, if it is worth sending: young, close to the head, and the changelog continues it."""
        latest = self._latest
        if latest is None:
            return None
        behind_entries = self._store.position.serial - latest.position.serial
        is_recent = (
            self._clock() - latest.made_at <= REUSE_SECONDS
            and 0 <= behind_entries <= self._reuse_entries
            and latest.position.serial + 1 >= self._store.floor
        )
        return latest if is_recent else None

    def make(self) -> asyncio.Task[SnapshotFile]:
        """The task that makes the next snapshot; everybody waits for the same one and nobody cancels it.

        It fails with OSError when the file cannot be written, with StorageError when the state cannot be read.
        """
        if self._making is None:
            self._making = asyncio.create_task(self._make(), name="snapshot")
            self._making.add_done_callback(_look_at_outcome)
        return self._making

    async def close(self) -> None:
        """Stop making, and remove the last one."""
        if self._making is not None:
            self._making.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._making
        if self._latest is not None:
            self._discard(self._latest)

    def _discard(self, snapshot: SnapshotFile) -> None:
        snapshot.path.unlink(missing_ok=True)
        if self._latest is snapshot:
            self._latest = None

    async def _make(self) -> SnapshotFile:
        try:
            made = await in_thread(self._write)
            if self._latest is not None:
                self._discard(self._latest)
            self._latest = made
            asyncio.get_running_loop().call_later(REUSE_SECONDS, self._discard, made)
            return made
        finally:
            self._making = None

    def _write(self) -> SnapshotFile:
        self._folder.mkdir(parents=True, exist_ok=True)
        if self.made_count == 0:
            # Left behind by a process that was killed while it bootstrapped a replica.
            for leftover in self._folder.glob(f"*{_SUFFIX}"):
                leftover.unlink(missing_ok=True)
        self.made_count += 1
        path = self._folder / f"{next(self._numbers)}{_SUFFIX}"
        try:
            position = self._store.write_snapshot(path)
            with path.open("rb") as file:
                digest = file_digest(file, "sha256").digest()
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return SnapshotFile(path, position, path.stat().st_size, digest, self._clock())


def _look_at_outcome(task: asyncio.Task[SnapshotFile]) -> None:
    # Those who wait raise it; when all of them went away, nobody is to be warned about it.
    if not task.cancelled():
        task.exception()
