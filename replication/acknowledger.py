"""Tells the primary how far this replica is: soon after a change, and every second anyway."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from replication.errors import LinkDown, ProofRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from replication.hello import Ack
    from replication.link import Link

DELAY_SECONDS: Final = 0.005
"""Between a change and its acknowledgement: those who wait to read the change are answered first."""

INTERVAL_SECONDS: Final = 0.1
"""The shortest pause between two acknowledgements."""

REFRESH_SECONDS: Final = 1.0
"""The longest one: the primary shows when it last heard of us."""


class Acknowledger:
    """Sends acknowledgements while a conversation lasts. A lost one does not matter, the next says more."""

    def __init__(
        self,
        link: Link,
        make_ack: Callable[[], Ack],
        *,
        delay_seconds: float = DELAY_SECONDS,
        interval_seconds: float = INTERVAL_SECONDS,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        self._link = link
        self._make_ack = make_ack
        self._delay_seconds = delay_seconds
        self._interval_seconds = interval_seconds
        self._refresh_seconds = refresh_seconds
        self._is_wanted = asyncio.Event()
        self.sent_count = 0
        self.failed_count = 0

    def soon(self) -> None:
        """Something changed that the primary should know."""
        self._is_wanted.set()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._refresh_seconds):
                    await self._is_wanted.wait()
                await asyncio.sleep(self._delay_seconds)
            self._is_wanted.clear()
            try:
                await self._link.acknowledge(self._make_ack())
                self.sent_count += 1
            except (LinkDown, ProofRefused):
                # The stream breaks for the same reason and says so; here the next attempt is soon enough.
                self.failed_count += 1
            await asyncio.sleep(self._interval_seconds)
