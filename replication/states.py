"""What a follower is doing, one class per state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from replication.hello import NodeCard
    from replication.members import MemberRow

Phase = Literal[
    "connecting",
    "bootstrapping",
    "catching-up",
    "following",
    "waiting",
    "refused",
    "halted",
]


@dataclass(frozen=True, slots=True)
class Connecting:
    """Opening a stream, or waiting for its first frame."""

    PHASE: ClassVar[Phase] = "connecting"


@dataclass(frozen=True, slots=True)
class Bootstrapping:
    """Receiving or loading a snapshot."""

    PHASE: ClassVar[Phase] = "bootstrapping"
    reason: str  # a reason of plan.py
    size_bytes: int


@dataclass(frozen=True, slots=True)
class CatchingUp:
    """Applying entries, behind the head."""

    PHASE: ClassVar[Phase] = "catching-up"


@dataclass(frozen=True, slots=True)
class Following:
    """At the head, or so close that the next heartbeat finds us there."""

    PHASE: ClassVar[Phase] = "following"


@dataclass(frozen=True, slots=True)
class Waiting:
    """No conversation; the next attempt comes after a pause."""

    PHASE: ClassVar[Phase] = "waiting"
    delay_seconds: float


@dataclass(frozen=True, slots=True)
class Refused:
    """The primary refuses us, or we refuse it; asked again slowly."""

    PHASE: ClassVar[Phase] = "refused"
    reason: str


@dataclass(frozen=True, slots=True)
class Halted:
    """Going on would make this replica wrong; it serves what it has until somebody has looked."""

    PHASE: ClassVar[Phase] = "halted"


State = Connecting | Bootstrapping | CatchingUp | Following | Waiting | Refused | Halted


@dataclass(frozen=True, slots=True)
class FollowerStatus:
    """Everything an operator asks of a replica, at one moment. Times are unix seconds, None means never."""

    phase: Phase
    head_serial: int | None  # the primary's, as last heard; None before the first contact
    applied_serial: int
    lag_serials: int | None
    lag_bytes: int | None  # entries not applied, estimated from the mean size, and blobs not here
    lag_seconds: float | None  # at most so old is what we serve; None: never proven current since the start
    blobs_pending: int
    blobs_pending_bytes: int
    last_error: str | None  # stays after recovery, see last_error_at
    last_error_at: float | None
    contacted_at: float | None  # last frame from the primary
    updated_at: float | None  # last time entries or a snapshot were applied
    started_at: float
    in_sync_at: float | None  # last time that the state was known to be the primary's
    files_complete_at: float | None  # last time that it was, and all its blobs were here
    files_first_complete_at: float | None
    connected_at: float | None  # start of the present conversation
    entries_applied: int  # since the start of this process, as all counters here
    bytes_received: int
    snapshots_loaded: int
    reconnects: int
    primary: NodeCard | None
    members: tuple[MemberRow, ...]  # the primary's view of all replicas
