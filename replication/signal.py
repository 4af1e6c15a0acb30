"""From "the writer thread has committed" to "a coroutine goes on", without polling."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from storage.position import Position
    from storage.store import Store


class HeadSignal:
    """Wakes coroutines when the store's position moves.

    A commit costs the writer thread one ``call_soon_threadsafe``, and none at all while the last one has not
    run yet: a burst of commits wakes the loop once.
    """

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop) -> None:
        self._store = store
        self._loop = loop
        self._is_scheduled = False
        self._waiting: dict[asyncio.Future[bool], int] = {}
        self.is_closed = False
        self._unsubscribe = store.subscribe(self._committed)

    async def wait_for(self, serial: int, *, timeout_seconds: float) -> bool:
        """Wait until the store has applied ``serial``. False when the time is over, or the signal is closed."""
        if self._store.position.serial >= serial:
            return True
        if self.is_closed:
            return False
        future: asyncio.Future[bool] = self._loop.create_future()
        timer = self._loop.call_later(timeout_seconds, _settle, future, False)
        self._waiting[future] = serial
        try:
            return await future
        finally:
            timer.cancel()
            self._waiting.pop(future, None)

    async def moved(self, beyond: int, timeout_seconds: float) -> bool:
        """Wait until the store has applied something after ``beyond``. False when the time is over."""
        return await self.wait_for(beyond + 1, timeout_seconds=timeout_seconds)

    def close(self) -> None:
        """Stop listening and let every waiter go, with False."""
        self.is_closed = True
        self._unsubscribe()
        for future in self._waiting:
            _settle(future, False)

    def _committed(self, _position: Position) -> None:
        # Runs on the writer thread. The order matters: `_wake` clears the mark first and looks at the position
        # after, so a commit that finds the mark set is seen by the wake-up that is still to come.
        if self._is_scheduled:
            return
        self._is_scheduled = True
        # The loop may have ended while the writer thread works off its queue: nobody waits any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._is_scheduled = False
        applied = self._store.position.serial
        for future, serial in self._waiting.items():
            if applied >= serial:
                _settle(future, True)


def _settle(future: asyncio.Future[bool], result: bool) -> None:
    if not future.done():
        future.set_result(result)
