"""Waiting for a condition, never for time to pass."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_SECONDS = 0.003


async def eventually(
    condition: Callable[[], object],
    *,
    what: str | Callable[[], str],
    within_seconds: float = 10.0,
) -> None:
    """Poll until ``condition()`` is true; fail with ``what``, computed at the end, if it never is.

    Raises:
        AssertionError: the condition did not become true in time; the message is the last seen state.

    """
    deadline = time.monotonic() + within_seconds
    while not condition():
        if time.monotonic() >= deadline:
            seen = what if isinstance(what, str) else what()
            message = f"not within {within_seconds:g} s: {seen}"
            raise AssertionError(message)
        await asyncio.sleep(POLL_SECONDS)
