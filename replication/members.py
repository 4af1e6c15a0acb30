"""Who follows this primary, and how far each of them is. Kept in memory; a replica reintroduces itself."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from replication.hello import Ack, NodeCard
from storage.position import Serial

if TYPE_CHECKING:
    from collections.abc import Callable

    from replication.wire import Record

MEMBERS_MAX: Final = 256
"""Replicas remembered at once; beyond it the one silent for longest is forgotten, then newcomers go unlisted."""


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One replica as the primary knows it."""

    card: NodeCard
    appended: Serial
    applied: Serial
    blobs_pending: int
    blobs_pending_bytes: int
    last_seen: float  # unix seconds on the primary's clock
    lag_serials: int
    is_streaming: bool
    address: str = ""  # from where it connects; only the primary knows, and tells nobody

    def to_record(self) -> dict[str, object]:
        """The wire form, for heartbeats."""
        return {
            "card": self.card.to_record(),
            "appended": int(self.appended),
            "applied": int(self.applied),
            "blobs": self.blobs_pending,
            "blob_bytes": self.blobs_pending_bytes,
            "seen": float(self.last_seen),
            "lag": self.lag_serials,
            "streaming": self.is_streaming,
        }

    @classmethod
    def from_record(cls, record: Record) -> MemberRow:
        """The row in a wire record.

        Raises:
            MessageCorrupt: a field is missing or of another type.

        """
        return cls(
            card=NodeCard.from_record(record.record("card")),
            appended=Serial(record.integer("appended")),
            applied=Serial(record.integer("applied")),
            blobs_pending=record.integer("blobs"),
            blobs_pending_bytes=record.integer("blob_bytes"),
            last_seen=record.number("seen"),
            lag_serials=record.integer("lag"),
            is_streaming=record.boolean("streaming"),
        )


@dataclass(frozen=True, slots=True)
class _Member:
    card: NodeCard
    ack: Ack
    last_seen: float
    streams: int  # more than one while a reconnect overtakes the end of the old stream
    address: str


class Members:
    """The table of replicas, fed by streams and acknowledgements. Used on the event loop only."""

    def __init__(
        self,
        card: NodeCard,
        *,
        head: Callable[[], Serial],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.card = card
        """The primary's own card; replicas learn it from the stream."""
        self._head = head
        self._clock = clock
        self._members: dict[str, _Member] = {}

    def rows(self) -> list[MemberRow]:
        """All known replicas, by node id."""
        head = self._head()
        return [
            MemberRow(
                card=member.card,
                appended=member.ack.appended,
                applied=member.ack.applied,
                blobs_pending=member.ack.blobs_pending,
                blobs_pending_bytes=member.ack.blobs_pending_bytes,
                last_seen=member.last_seen,
                lag_serials=max(0, head - member.ack.applied),
                is_streaming=member.streams > 0,
                address=member.address,
            )
            for _, member in sorted(self._members.items())
        ]

    def connected(self, card: NodeCard, *, applied: Serial, address: str = "") -> None:
        """Note the start of a stream; ``applied`` is what the hello claims, ``address`` where it came from."""
        known = self._members.get(card.node_id)
        streams = 1 if known is None else known.streams + 1
        ack = Ack(card.node_id, 0, applied, applied, blobs_pending=0, blobs_pending_bytes=0)
        if known is not None:
            ack = replace(known.ack, appended=applied, applied=applied)
        elif not self._has_room():
            return
        self._members[card.node_id] = _Member(card, ack, self._clock(), streams, address)

    def disconnected(self, node_id: str) -> None:
        """Note the end of a stream."""
        known = self._members.get(node_id)
        if known is not None and known.streams > 0:
            self._members[node_id] = replace(known, streams=known.streams - 1)

    def acknowledged(self, ack: Ack) -> bool:
        """Note how far a replica is. False, and no effect, when no such replica ever opened a stream."""
        known = self._members.get(ack.node_id)
        if known is None:
            return False
        self._members[ack.node_id] = replace(known, ack=ack, last_seen=self._clock())
        return True

    def forget(self, node_id: str) -> bool:
        """Drop a replica that will not come back. False when it is unknown."""
        return self._members.pop(node_id, None) is not None

    def _has_room(self) -> bool:
        if len(self._members) < MEMBERS_MAX:
            return True
        idle = [
            (member.last_seen, node_id) for node_id, member in self._members.items() if not member.streams
        ]
        if not idle:
            return False
        del self._members[min(idle)[1]]
        return True
