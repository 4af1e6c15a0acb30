from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from replication.signal import HeadSignal
from tests.replication.harness import Lab, open_primary, put

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage.store import Store


def signal_of(lab: Lab) -> tuple[Store, HeadSignal]:
    store = lab.keep(open_primary(lab.path / "store"))
    return store, HeadSignal(store, asyncio.get_running_loop())


async def test_waiter_goes_on_when_its_serial_is_applied(lab: Lab) -> None:
    store, signal = signal_of(lab)
    waiter = asyncio.create_task(signal.wait_for(2, timeout_seconds=10))

    await put(store, "one")
    assert not waiter.done()
    await put(store, "two")

    assert await waiter
    signal.close()


async def test_waiter_for_something_applied_does_not_wait(lab: Lab) -> None:
    store, signal = signal_of(lab)
    await put(store, "one")

    assert await signal.wait_for(1, timeout_seconds=0)
    assert await signal.moved(0, 0)
    signal.close()


async def test_waiter_gives_up_in_time(lab: Lab) -> None:
    _, signal = signal_of(lab)
    started = time.monotonic()

    assert not await signal.moved(0, 0.01)

    assert time.monotonic() - started < 1
    assert signal._waiting == {}
    signal.close()


async def test_cancelled_waiter_leaves_nothing_behind(lab: Lab) -> None:
    _, signal = signal_of(lab)
    waiter = asyncio.create_task(signal.wait_for(5, timeout_seconds=10))
    await asyncio.sleep(0)

    waiter.cancel()
    await asyncio.wait([waiter])

    assert signal._waiting == {}
    signal.close()


async def test_close_lets_everybody_go(lab: Lab) -> None:
    store, signal = signal_of(lab)
    waiter = asyncio.create_task(signal.wait_for(5, timeout_seconds=10))
    await asyncio.sleep(0)

    signal.close()

    assert not await waiter
    assert not await signal.wait_for(5, timeout_seconds=10)
    await put(store, "after")
    assert await signal.wait_for(1, timeout_seconds=0)


async def test_burst_of_commits_wakes_the_loop_once(lab: Lab) -> None:
    store, signal = signal_of(lab)
    wakes: list[Callable[[], None]] = []
    loop = asyncio.get_running_loop()

    class Counting:
        create_future = loop.create_future
        call_later = loop.call_later

        def call_soon_threadsafe(self, callback: Callable[[], None]) -> None:
            wakes.append(callback)

    signal._loop = Counting()  # type: ignore[assignment]
    for _ in range(20):
        signal._committed(store.position)
    assert len(wakes) == 1

    wakes[0]()
    signal._committed(store.position)

    assert len(wakes) == 2
    signal.close()


async def test_commit_after_the_end_of_the_loop_is_harmless(lab: Lab) -> None:
    store, signal = signal_of(lab)
    dead = asyncio.new_event_loop()
    dead.close()
    signal._loop = dead

    await put(store, "one")

    assert store.statistics().listener_errors == 0
    signal.close()
