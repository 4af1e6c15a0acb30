"""What to send to a replica, decided from positions alone.

Every reason is a metric label, a word in the log and a test id: change none of them lightly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from replication.hello import PROTOCOL, PROTOCOL_OLDEST

if TYPE_CHECKING:
    from replication.hello import Hello
    from storage.position import Position, Serial


@dataclass(frozen=True, slots=True)
class SendEntries:
    """The replica is on our history: go on from here."""

    after: Serial


@dataclass(frozen=True, slots=True)
class SendSnapshot:
    """Entries cannot bring the replica to our head, or not soon: send the whole state first."""

    reason: str  # "empty", "diverged", "pruned" or "far-behind"


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nothing we send would be right."""

    reason: str  # "protocol", "foreign-cluster", "higher-epoch" or "replica-ahead"
    detail: str


Plan = SendEntries | SendSnapshot | Refuse

SUSPECT_REASONS: Final = frozenset({"higher-epoch", "replica-ahead"})
"""Refusals that mean the fault is probably ours: this primary must stop accepting writes."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Where the primary stands while it decides."""

    cluster_id: bytes
    epoch: int
    head: Position
    floor: Serial  # oldest entry still in the changelog
    at: Position | None  # our own position at the replica's serial, None when we cannot tell any more
    snapshot_after_entries: int


def plan_for(hello: Hello, ground: Ground) -> Plan:  # noqa: C901 - flat guards, one test each
    """Decide; no I/O, guards in order of severity."""
    replica, head = hello.position, ground.head
    replica_epoch = max(hello.epoch, replica.epoch)
    if hello.oldest_protocol > PROTOCOL or hello.protocol < PROTOCOL_OLDEST:
        return Refuse("protocol", _protocol_detail(hello))
    if hello.cluster_id is not None and hello.cluster_id != ground.cluster_id:
        return Refuse("foreign-cluster", _cluster_detail(hello.cluster_id, ground.cluster_id))
    if replica_epoch > ground.epoch:
        return Refuse("higher-epoch", f"the replica knows epoch {replica_epoch}, the primary {ground.epoch}")
    if replica.serial > head.serial and replica.epoch == ground.epoch:
        return Refuse("replica-ahead", f"the replica is at {replica}, the primary at {head}")
    if replica.serial > head.serial:
        # An older primary gave it entries that the present history does not have.
        return SendSnapshot("diverged")
    if replica.serial == head.serial == 0:
        return SendEntries(after=replica.serial)
    if replica.serial == 0:
        return SendSnapshot("empty")
    if replica.serial + 1 < ground.floor or ground.at is None:
        return SendSnapshot("pruned")
    if replica.chain != ground.at.chain:
        return SendSnapshot("diverged")
    if head.serial - replica.serial > ground.snapshot_after_entries:
        return SendSnapshot("far-behind")
    return SendEntries(after=replica.serial)


def _protocol_detail(hello: Hello) -> str:
    return (
        f"the replica speaks protocols {hello.oldest_protocol} to {hello.protocol}, "
        f"the primary {PROTOCOL_OLDEST} to {PROTOCOL}"
    )


def _cluster_detail(theirs: bytes, ours: bytes) -> str:
    return (
        f"the replica's directory belongs to cluster {theirs.hex()}, the primary's to {ours.hex()}; "
        "an empty directory can join"
    )
