"""Blocking file work off the event loop, and futures of the writer thread on it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ``function`` in a worker thread; cancelled, still wait for it to end.

    The caller closes or deletes on the way out what the thread works on, so it must not outlive the call.
    """
    task = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # looked at, so that nobody warns about it
        raise


async def written(future: concurrent.futures.Future[T]) -> T:
    """Await what the writer thread promised; cancelled, the write still happens."""
    return await asyncio.shield(asyncio.wrap_future(future))
