from __future__ import annotations

import asyncio
import concurrent.futures
import threading

import pytest

from replication.threads import in_thread, written


async def test_result_and_error_come_back() -> None:
    assert await in_thread(int, "7") == 7
    with pytest.raises(ValueError, match="invalid literal"):
        await in_thread(int, "seven")


async def test_cancelled_call_waits_for_its_thread() -> None:
    started, may_end = threading.Event(), threading.Event()
    ended = False

    def work() -> None:
        nonlocal ended
        started.set()
        may_end.wait(5)
        ended = True

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(started.wait, 5)

    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    await asyncio.wait([task])

    assert task.cancelled()
    assert ended


async def test_cancelled_wait_does_not_cancel_the_write() -> None:
    future: concurrent.futures.Future[int] = concurrent.futures.Future()
    task = asyncio.create_task(written(future))
    await asyncio.sleep(0)

    task.cancel()
    await asyncio.wait([task])

    assert not future.cancelled()
    future.set_result(1)
