"""The one mutable record of what a follower has done, and the status made from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from replication.lag import Lag
from replication.states import (
    Bootstrapping,
    CatchingUp,
    Connecting,
    FollowerStatus,
    Following,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from replication.frames import HeartbeatFrame, WelcomeFrame
    from replication.hello import NodeCard
    from replication.members import MemberRow
    from replication.states import State
    from storage.store import Store

CATCHING_UP_SECONDS: Final = 5.0
"""A follower that was at the head stays "following" while its last proof of that is younger."""


class Progress:
    """Written by follower and conversation, read by status. Used on the event loop only."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._wall_clock = wall_clock
        self.lag = Lag(clock=clock, wall_clock=wall_clock)
        self.state: State = Connecting()
        self.primary: NodeCard | None = None
        self.members: tuple[MemberRow, ...] = ()
        self.started_at = wall_clock()
        self.connected_at: float | None = None
        self.contacted_at: float | None = None
        self.updated_at: float | None = None
        self.files_complete_at: float | None = None
        self.files_first_complete_at: float | None = None
        self.last_error: str | None = None
        self.last_error_at: float | None = None
        self.entries_applied = 0
        self.bytes_received = 0
        self.snapshots_loaded = 0
        self.reconnects = 0

    @property
    def applied_serial(self) -> int:
        """The last entry in the state."""
        return self._store.position.serial

    def contacted(self, size_bytes: int) -> None:
        """Note bytes from the primary."""
        self.contacted_at = self._wall_clock()
        self.bytes_received += size_bytes

    def welcomed(self, frame: WelcomeFrame) -> None:
        """Note the start of a conversation."""
        self.connected_at = self._wall_clock()
        self.primary = frame.card
        self.lag.restarted(frame.head.serial)
        if frame.snapshot_reason is None:
            self.state = CatchingUp()
        else:
            self.state = Bootstrapping(frame.snapshot_reason, size_bytes=0)

    def heard(self, frame: HeartbeatFrame) -> None:
        """Note a heartbeat."""
        self.members = frame.members
        if isinstance(self.state, Bootstrapping):
            # Our serial is not of this history, or far from it: it proves nothing about being current.
            self.lag.head_serial = frame.head.serial
            return
        self.lag.heard(frame.head.serial, applied_serial=self.applied_serial)
        self._look_at_head()
        self._look_at_files()

    def received(self, serial: int, size_bytes: int) -> None:
        """Note an entry that arrived."""
        self.lag.received(serial, size_bytes)

    def applied(self, entry_count: int) -> None:
        """Note entries applied."""
        self.entries_applied += entry_count
        self._updated()

    def loaded(self) -> None:
        """Note a snapshot loaded."""
        self.snapshots_loaded += 1
        self.state = CatchingUp()
        self._updated()

    def failed(self, error: Exception, state: State) -> None:
        """Note the end of a conversation, or of an attempt at one."""
        self.state = state
        self.connected_at = None
        self.last_error = str(error) or type(error).__name__
        self.last_error_at = self._wall_clock()

    def status(self) -> FollowerStatus:
        """Everything, at this moment."""
        applied_serial = self.applied_serial
        blobs_pending, blobs_pending_bytes = self._store.pending_totals()
        return FollowerStatus(
            phase=self.state.PHASE,
            head_serial=self.lag.head_serial,
            applied_serial=applied_serial,
            lag_serials=self.lag.missing_serials(applied_serial),
            lag_bytes=self.lag.missing_bytes(applied_serial, blobs_pending_bytes),
            lag_seconds=self.lag.age_seconds(),
            blobs_pending=blobs_pending,
            blobs_pending_bytes=blobs_pending_bytes,
            last_error=self.last_error,
            last_error_at=self.last_error_at,
            contacted_at=self.contacted_at,
            updated_at=self.updated_at,
            started_at=self.started_at,
            in_sync_at=self.lag.in_sync_at,
            files_complete_at=self.files_complete_at,
            files_first_complete_at=self.files_first_complete_at,
            connected_at=self.connected_at,
            entries_applied=self.entries_applied,
            bytes_received=self.bytes_received,
            snapshots_loaded=self.snapshots_loaded,
            reconnects=self.reconnects,
            primary=self.primary,
            members=self.members,
        )

    def _updated(self) -> None:
        self.updated_at = self._wall_clock()
        self.lag.applied(self.applied_serial)
        if not isinstance(self.state, Bootstrapping):
            self._look_at_head()

    def _look_at_files(self) -> None:
        if self.lag.in_sync_at is None or self._store.pending_totals()[0] > 0:
            return
        self.files_complete_at = self._wall_clock()
        if self.files_first_complete_at is None:
            self.files_first_complete_at = self.files_complete_at

    def _look_at_head(self) -> None:
        age_seconds = self.lag.age_seconds()
        if self.lag.missing_serials(self.applied_serial) == 0:
            self.state = Following()
        elif age_seconds is None or age_seconds > CATCHING_UP_SECONDS:
            self.state = CatchingUp()
