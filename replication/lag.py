"""How far behind a replica is, in serials, bytes and seconds, without trusting any other clock.

*Seconds* is the age of the last proof of being current: the time since the newest heartbeat whose head we have
applied by now arrived. It grows when the link is dead, which the difference of two clocks would not.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

OPEN_HEARTBEATS_MAX: Final = 64
"""Heartbeats remembered while their head is not applied yet; beyond it the later ones prove nothing."""


class Lag:
    """Follows head and applied serial of one replica."""

    def __init__(self, *, clock: Callable[[], float], wall_clock: Callable[[], float]) -> None:
        self._clock = clock
        self._wall_clock = wall_clock
        self._open: deque[tuple[int, float, float]] = deque()
        self._proven_at: float | None = None
        self._entry_count = 0
        self._entry_bytes = 0
        self.head_serial: int | None = None
        self.in_sync_at: float | None = None

    def restarted(self, head_serial: int) -> None:
        """Note a new conversation: heads heard in the last one may belong to a history that is gone."""
        self._open.clear()
        self.head_serial = head_serial

    def heard(self, head_serial: int, *, applied_serial: int) -> None:
        """Note a heartbeat of a primary whose history is ours."""
        # The primary may read its position a hair later than it shows the entry; the head never moves back.
        self.head_serial = max(head_serial, self.head_serial or 0)
        if len(self._open) < OPEN_HEARTBEATS_MAX:
            self._open.append((head_serial, self._clock(), self._wall_clock()))
        self.applied(applied_serial)

    def received(self, serial: int, size_bytes: int) -> None:
        """Note an entry; one that is newer than the last heartbeat moves the head."""
        self._entry_count += 1
        self._entry_bytes += size_bytes
        if self.head_serial is None or serial > self.head_serial:
            self.head_serial = serial

    def applied(self, applied_serial: int) -> None:
        """Note what is applied now; it may prove that we were current when some heartbeat arrived."""
        while self._open and self._open[0][0] <= applied_serial:
            _, self._proven_at, self.in_sync_at = self._open.popleft()

    def missing_serials(self, applied_serial: int) -> int | None:
        """Entries of the primary that are not applied here."""
        return None if self.head_serial is None else max(0, self.head_serial - applied_serial)

    def missing_bytes(self, applied_serial: int, blobs_pending_bytes: int) -> int | None:
        """About how many bytes are missing here."""
        serials = self.missing_serials(applied_serial)
        if serials is None:
            return None
        mean_bytes = self._entry_bytes / self._entry_count if self._entry_count else 0
        return int(serials * mean_bytes) + blobs_pending_bytes

    def age_seconds(self) -> float | None:
        """The age of the last proof of being current."""
        return None if self._proven_at is None else self._clock() - self._proven_at
