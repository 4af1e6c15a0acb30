from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from replication.acknowledger import Acknowledger
from replication.errors import LinkDown
from replication.hello import Ack
from storage.position import Serial
from tests.helpers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ACK = Ack("replica", 1, Serial(2), Serial(2), 0, 0)


class Listener:
    def __init__(self, *, failures: int = 0) -> None:
        self.heard: list[tuple[float, Ack]] = []
        self.failures = failures

    async def acknowledge(self, ack: Ack) -> None:
        if self.failures:
            self.failures -= 1
            raise LinkDown("cable pulled")
        self.heard.append((time.monotonic(), ack))


@contextlib.asynccontextmanager
async def running(listener: Listener, *, interval: float, refresh: float) -> AsyncIterator[Acknowledger]:
    acknowledger = Acknowledger(
        listener,  # type: ignore[arg-type]
        lambda: ACK,
        interval_seconds=interval,
        refresh_seconds=refresh,
    )
    task = asyncio.create_task(acknowledger.run())
    yield acknowledger
    task.cancel()
    await asyncio.wait([task])


async def test_burst_of_changes_is_acknowledged_at_once_and_then_at_most_every_interval() -> None:
    listener = Listener()
    async with running(listener, interval=0.05, refresh=60) as acknowledger:
        started = time.monotonic()

        while time.monotonic() - started < 0.12:
            acknowledger.soon()
            await asyncio.sleep(0)

    assert 1 <= len(listener.heard) <= 3
    assert listener.heard[0][1] == ACK


async def test_quiet_replica_is_heard_of_all_the_same() -> None:
    listener = Listener()
    async with running(listener, interval=0.001, refresh=0.01):
        await eventually(lambda: len(listener.heard) >= 3, what=lambda: f"{listener.heard}")


async def test_lost_acknowledgement_is_counted_and_the_next_one_sent() -> None:
    listener = Listener(failures=2)
    async with running(listener, interval=0.001, refresh=0.01) as acknowledger:
        await eventually(lambda: listener.heard, what="an acknowledgement")

        assert acknowledger.failed_count == 2
        assert acknowledger.sent_count >= 1
