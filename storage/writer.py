"""The one thread that writes to LMDB."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import lmdb

from storage.batch import Submission, run_submissions
from storage.environment import storage_error_of
from storage.errors import BlobMissing, EnvironmentBroken, StorageError, StoreClosed, WriterBusy
from storage.pending import PendingTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future

    from storage.ledger import Ledger
    from storage.position import Position

BATCH_ITEMS_MAX = 256
QUEUE_ITEMS_MAX = 16_384
READER_CHECK_SECONDS = 10.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Task(Generic[T]):
    """Work that needs a transaction of its own."""

    work: Callable[[Ledger], T]
    future: Future[T]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A pending blob that became durable; many share one transaction."""

    sha256: bytes
    future: Future[None]


Item = Submission | Task[Any] | Arrival


class Writer:
    """Drains a queue: everything that waits goes into one batch, so nobody waits for a timer."""

    def __init__(self, ledger: Ledger, *, on_fatal: Callable[[StorageError], None]) -> None:
        self._ledger = ledger
        self._on_fatal = on_fatal
        self._queue: SimpleQueue[Item | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._is_closing = False
        self._told = ledger.meta.applied
        self._listeners: tuple[Callable[[Position], None], ...] = ()
        self._thread = threading.Thread(target=self._loop, name="storage-writer", daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Queue an item.

        Raises:
            StoreClosed: The writer stopped or is stopping.
            WriterBusy: QUEUE_ITEMS_MAX items wait already.

        """
        with self._lock:
            if self._is_closing:
                raise StoreClosed
            if self._queue.qsize() >= QUEUE_ITEMS_MAX:
                raise WriterBusy(queued=self._queue.qsize())
            self._queue.put(item)

    @property
    def queued(self) -> int:
        """Items that wait."""
        return self._queue.qsize()

    def subscribe(self, listener: Callable[[Position], None]) -> Callable[[], None]:
        """Call ``listener`` on this thread after each commit that moved the position; return the undoing."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def unsubscribe() -> None:
            with self._lock:
                self._listeners = tuple(kept for kept in self._listeners if kept is not listener)

        return unsubscribe

    def close(self) -> None:
        """Write what is queued, then stop the thread."""
        with self._lock:
            if not self._is_closing:
                self._is_closing = True
                self._queue.put(None)
        self._thread.join()

    def _loop(self) -> None:
        checked_at = float("-inf")
        while True:
            error = None
            if time.monotonic() - checked_at >= READER_CHECK_SECONDS:
                error = self._attempt(self._clear_stale_readers, [])
                checked_at = time.monotonic()
            items = self._drain()
            is_closing = bool(items) and items[-1] is None
            for kind, group in groupby(filter(None, items), key=type):
                error = error or self._run(kind, list(group))
            tend = partial(self._tend_parcels, is_idle=not items, is_closing=is_closing)
            error = error or self._attempt(tend, [])
            if error is not None:
                self._on_fatal(error)
                self._give_up(error, items)
                return
            if is_closing:
                return

    def _drain(self) -> list[Item | None]:
        items: list[Item | None] = []
        with suppress(Empty):
            patience_seconds = min(READER_CHECK_SECONDS, self._ledger.parcels.patience_seconds)
            items.append(self._queue.get(timeout=patience_seconds))
            while len(items) < BATCH_ITEMS_MAX and items[-1] is not None:
                items.append(self._queue.get_nowait())
        return items

    def _clear_stale_readers(self) -> None:
        # A reader that was killed keeps its slot, and with it pages from being reused.
        self._ledger.counters.stale_readers_cleared += self._ledger.environment.lmdb.reader_check()

    def _run(self, kind: type[Item], group: list[Any]) -> EnvironmentBroken | None:
        """Do what a group of items of one kind asks for; an error means that the writer must not go on."""
        items = [item for item in group if item.future.set_running_or_notify_cancel()]
        if kind is Submission:
            return self._attempt(lambda: self._submissions(items), [item.future for item in items])
        if kind is Arrival:
            return self._attempt(lambda: self._arrivals(items), [item.future for item in items])
        broken = (self._attempt(partial(self._task, task), [task.future]) for task in items)
        return next(filter(None, broken), None)

    def _attempt(self, work: Callable[[], None], futures: Iterable[Future[Any]]) -> EnvironmentBroken | None:
        try:
            work()
        except (StorageError, OSError, lmdb.Error) as caught:
            error = storage_error_of(caught)
        except Exception as caught:  # noqa: BLE001 - a bug on the way to the disk: nothing may be trusted after it
            error = EnvironmentBroken(detail=f"unexpected {caught!r}")
            error.__cause__ = caught
        else:
            return None
        if isinstance(error, EnvironmentBroken):
            return error
        for future in futures:
            future.set_exception(error)
        return None

    def _submissions(self, items: list[Submission]) -> None:
        outcomes = run_submissions(self._ledger, items)
        self._notify()
        self._ledger.settle()
        for submission, outcome in outcomes:
            if isinstance(outcome, Exception):
                submission.future.set_exception(outcome)
            else:
                submission.future.set_result(outcome)

    def _arrivals(self, items: list[Arrival]) -> None:
        ledger = self._ledger
        present = {item.sha256: ledger.blobs.has(item.sha256) for item in items}
        with ledger.environment.begin_write() as txn:
            pending = PendingTable(txn, ledger.environment, ledger.blobs, ledger.pending)
            for sha256, is_present in present.items():
                if is_present:
                    pending.remove(sha256)
            ledger.commit(txn, pending=pending.totals)
        ledger.settle()
        for item in items:
            if present[item.sha256]:
                item.future.set_result(None)
            else:
                item.future.set_exception(BlobMissing(sha256=item.sha256))

    def _tend_parcels(self, *, is_idle: bool, is_closing: bool) -> None:
        """Make files of parcels, then remove their records, when nobody waits or there are too many."""
        ledger = self._ledger
        had_held = ledger.parcels.has_held
        if had_held and (is_idle or is_closing or ledger.parcels.is_crowded):
            ledger.parcels.unpack()
        is_time = is_closing or (is_idle and not had_held)
        if is_time and ledger.parcels.has_unpacked and ledger.environment.has_room():
            with ledger.environment.begin_write() as txn:
                ledger.commit(txn)

    def _task(self, task: Task[Any]) -> None:
        result = task.work(self._ledger)
        self._notify()
        self._ledger.settle()
        task.future.set_result(result)

    def _notify(self) -> None:
        """Tell the listeners, before anybody who waits: replicas hear of an entry while its answer is written."""
        position = self._ledger.meta.applied
        if position == self._told:
            return
        self._told = position
        for listener in self._listeners:
            try:
                listener(position)
            except Exception:  # noqa: BLE001 - the entry is durable; a listener cannot undo that
                self._ledger.counters.listener_errors += 1

    def _give_up(self, error: StorageError, items: list[Item | None]) -> None:
        """Fail everybody who waits, for the case that ``on_fatal`` did not end the process."""
        with self._lock:
            self._is_closing = True
        while not self._queue.empty():
            items.append(self._queue.get())
        for item in items:
            if item is not None and not item.future.done():
                item.future.set_exception(error)
