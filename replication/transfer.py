"""Blobs too large to travel with their entry: fetched apart, verified, retried until they are here."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from replication.backoff import BackOff
from replication.errors import BlobGarbled, LinkDown, ProofRefused, ReplicationError
from replication.threads import in_thread, written
from storage.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from replication.link import Link
    from replication.signal import HeadSignal
    from storage.entry import BlobRef
    from storage.store import Store

CONCURRENT_FETCHES: Final = 4
WRITE_BYTES: Final = 256 << 10
"""Small chunks are gathered to about this size before they go to a thread."""

SILENCE_SECONDS: Final = 30.0
LOOK_AHEAD_BLOBS: Final = 64
FAILING_BLOBS_MAX: Final = 1024
"""So many failing blobs are not a matter of single blobs: no new ones are tried until one of them works."""

IDLE_SECONDS: Final = 60.0
RETRY_SECONDS_MAX: Final = 60.0


@dataclass(frozen=True, slots=True)
class BlobFailure:
    """A blob that could not be fetched so far."""

    sha256: bytes
    size_bytes: int
    attempts: int
    error: str
    retry_in_seconds: float


@dataclass(frozen=True, slots=True)
class TransferStatus:
    """What the transfer is doing."""

    fetching: int
    pending: int
    pending_bytes: int
    fetched: int  # since the start of this process
    fetched_bytes: int
    failures: tuple[BlobFailure, ...]
    last_error: str | None


@dataclass(slots=True)
class _Failing:
    blob: BlobRef
    back_off: BackOff
    error: str
    retry_at: float  # monotonic seconds


class BlobTransfer:
    """Fetches what `Store.pending_blobs` lists, a few at once; woken by the head when entries are applied."""

    def __init__(
        self,
        store: Store,
        link: Link,
        signal: HeadSignal,
        *,
        concurrent_fetches: int = CONCURRENT_FETCHES,
        first_retry_seconds: float = 0.2,
        silence_seconds: float = SILENCE_SECONDS,
        on_arrived: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._link = link
        self._signal = signal
        self._concurrent_fetches = concurrent_fetches
        self._first_retry_seconds = first_retry_seconds
        self._silence_seconds = silence_seconds
        self._on_arrived = on_arrived
        self._clock = clock
        self._fetching: dict[bytes, asyncio.Task[None]] = {}
        self._failing: dict[bytes, _Failing] = {}
        self._queue: list[BlobRef] = []
        self._is_changed = asyncio.Event()
        self._link_back_off = BackOff(first_seconds=first_retry_seconds)
        self._link_retry_at = 0.0
        self._fetched = 0
        self._fetched_bytes = 0
        self._last_error: str | None = None

    @property
    def status(self) -> TransferStatus:
        """What is going on, with every blob that failed last time."""
        pending, pending_bytes = self._store.pending_totals()
        now = self._clock()
        failures = tuple(
            BlobFailure(
                sha256=failing.blob.sha256,
                size_bytes=failing.blob.size_bytes,
                attempts=failing.back_off.failures,
                error=failing.error,
                retry_in_seconds=max(0.0, failing.retry_at - now),
            )
            for failing in self._failing.values()
        )
        return TransferStatus(
            fetching=len(self._fetching),
            pending=pending,
            pending_bytes=pending_bytes,
            fetched=self._fetched,
            fetched_bytes=self._fetched_bytes,
            failures=failures,
            last_error=self._last_error,
        )

    async def run(self) -> None:
        """Fetch until cancelled."""
        watcher = asyncio.create_task(self._watch(), name="blob transfer watcher")
        try:
            while True:
                self._is_changed.clear()
                self._start_fetches()
                pause_seconds = self._pause_seconds()
                try:
                    async with asyncio.timeout(pause_seconds):
                        await self._is_changed.wait()
                except TimeoutError:
                    continue
        finally:
            tasks = [watcher, *self._fetching.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self) -> None:
        serial = -1
        while not self._signal.is_closed:
            if await self._signal.moved(serial, IDLE_SECONDS):
                serial = self._store.position.serial
                self._is_changed.set()

    def _start_fetches(self) -> None:
        if self._store.pending_totals()[0] == 0:
            self._failing.clear()
            self._queue.clear()
            return
        while len(self._fetching) < self._concurrent_fetches and self._clock() >= self._link_retry_at:
            blob = self._next_blob()
            if blob is None:
                return
            task = asyncio.create_task(self._fetch(blob), name=f"blob {blob.sha256.hex()[:16]}")
            self._fetching[blob.sha256] = task

    def _next_blob(self) -> BlobRef | None:
        if not self._queue:
            self._look()
        return self._queue.pop() if self._queue else None

    def _look(self) -> None:
        """Refill the queue, past the blobs that are under way or have to wait."""
        limit = LOOK_AHEAD_BLOBS + len(self._fetching) + len(self._failing)
        pending = self._store.pending_blobs(limit=limit)
        if len(pending) < limit:
            # Everything that is pending: what failed and is not among it, nobody needs any more.
            names = {blob.sha256 for blob in pending}
            self._failing = {name: failing for name, failing in self._failing.items() if name in names}
        self._queue = [blob for blob in reversed(pending) if self._is_due(blob)]

    def _is_due(self, blob: BlobRef) -> bool:
        if blob.sha256 in self._fetching:
            return False
        failing = self._failing.get(blob.sha256)
        if failing is None:
            return len(self._failing) < FAILING_BLOBS_MAX
        return failing.retry_at <= self._clock()

    def _pause_seconds(self) -> float:
        now = self._clock()
        moments = [failing.retry_at for name, failing in self._failing.items() if name not in self._fetching]
        if self._link_retry_at > now:
            moments.append(self._link_retry_at)
        return min((max(0.01, moment - now) for moment in moments), default=IDLE_SECONDS)

    async def _fetch(self, blob: BlobRef) -> None:
        try:
            await self._receive(blob)
        except (LinkDown, ProofRefused) as error:
            # Not this blob's fault: all of them wait.
            self._last_error = str(error)
            if self._clock() >= self._link_retry_at:
                self._link_retry_at = self._clock() + self._link_back_off.next_seconds()
        except (ReplicationError, StorageError, OSError) as error:
            self._failed(blob, error)
        else:
            self._link_back_off.reset()
            self._failing.pop(blob.sha256, None)
            self._fetched += 1
            self._fetched_bytes += blob.size_bytes
            self._on_arrived()
        finally:
            del self._fetching[blob.sha256]
            self._is_changed.set()

    def _failed(self, blob: BlobRef, error: Exception) -> None:
        self._last_error = str(error)
        failing = self._failing.get(blob.sha256)
        if failing is None:
            back_off = BackOff(first_seconds=self._first_retry_seconds, most_seconds=RETRY_SECONDS_MAX)
            failing = self._failing[blob.sha256] = _Failing(blob, back_off, "", 0.0)
        failing.error = str(error) or type(error).__name__
        failing.retry_at = self._clock() + failing.back_off.next_seconds()

    async def _receive(self, blob: BlobRef) -> None:
        # It is here when an earlier process was killed between commit and the note of the arrival.
        if not self._store.blobs.has(blob.sha256):
            await self._download(blob)
        await written(self._store.blob_arrived(blob.sha256))

    async def _download(self, blob: BlobRef) -> None:
        with self._store.blobs.writer() as writer:
            async with (
                self._link.fetch_blob(blob.sha256) as chunks,
                aclosing(self._gathered(chunks)) as pieces,
            ):
                async for piece in pieces:
                    await in_thread(writer.write, piece)
                    if writer.size_bytes > blob.size_bytes:
                        raise BlobGarbled(blob.sha256, f"more than {blob.size_bytes} bytes")
            if writer.sha256 != blob.sha256 or writer.size_bytes != blob.size_bytes:
                raise BlobGarbled(blob.sha256, f"{writer.size_bytes} bytes hash to {writer.sha256.hex()}")
            await in_thread(writer.commit)

    async def _gathered(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Chunks in pieces worth a thread; a peer that stops sending is a broken link."""
        parts: list[bytes] = []
        iterator = aiter(chunks)
        while True:
            try:
                async with asyncio.timeout(self._silence_seconds):
                    chunk = await anext(iterator)
            except StopAsyncIteration:
                break
            except TimeoutError:
                raise LinkDown(f"no bytes of a blob for {self._silence_seconds:g} s") from None
            parts.append(chunk)
            if sum(map(len, parts)) >= WRITE_BYTES:
                yield b"".join(parts)
                parts = []
        if parts:
            yield b"".join(parts)
