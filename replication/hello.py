"""What two nodes say about themselves before a stream begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from replication.errors import MessageCorrupt
from replication.wire import Record, pack, pack_position
from storage.position import Position, Serial

PROTOCOL: Final = 1
"""The newest conversation this code can hold."""

PROTOCOL_OLDEST: Final = 1
"""The oldest one; this and the one before the newest always work."""

CLUSTER_ID_BYTES: Final = 16
HELLO_BYTES_MAX: Final = 8192
ACK_BYTES_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class NodeCard:
    """Who a node is and where clients reach it."""

    node_id: str
    url: str
    region: str
    version: str

    def to_record(self) -> dict[str, object]:
        """The wire form."""
        return {"node": self.node_id, "url": self.url, "region": self.region, "version": self.version}

    @classmethod
    def from_record(cls, record: Record) -> NodeCard:
        """The card in a wire record.

        Raises:
            MessageCorrupt: a field is missing or not a short printable text.

        """
        return cls(record.text("node"), record.text("url"), record.text("region"), record.text("version"))


@dataclass(frozen=True, slots=True)
class Hello:
    """A replica's first and only message on a stream: who and where it is."""

    protocol: int  # newest one spoken
    cluster_id: bytes | None  # 16 bytes; None while the directory belongs to no cluster
    position: Position  # applied
    card: NodeCard
    epoch: int = 0  # highest one this replica has ever seen
    oldest_protocol: int = PROTOCOL_OLDEST

    def to_wire(self) -> bytes:
        """Encode."""
        return pack(
            {
                "protocol": self.protocol,
                "oldest": self.oldest_protocol,
                "cluster": self.cluster_id,
                "position": pack_position(self.position),
                "epoch": self.epoch,
                "card": self.card.to_record(),
            },
        )

    @classmethod
    def from_wire(cls, data: bytes) -> Hello:
        """Decode.

        Raises:
            MessageCorrupt: not a hello.

        """
        record = Record.parse("hello", data, bytes_max=HELLO_BYTES_MAX)
        return cls(
            protocol=record.integer("protocol"),
            cluster_id=record.optional_octets("cluster", length_bytes=CLUSTER_ID_BYTES),
            position=record.position("position"),
            card=NodeCard.from_record(record.record("card")),
            epoch=record.integer("epoch"),
            oldest_protocol=record.integer("oldest"),
        )


@dataclass(frozen=True, slots=True)
class Ack:
    """How far a replica is; everything it names is durable there."""

    node_id: str
    epoch: int
    appended: Serial
    applied: Serial
    blobs_pending: int
    blobs_pending_bytes: int

    def to_wire(self) -> bytes:
        """Encode."""
        return pack(
            {
                "node": self.node_id,
                "epoch": self.epoch,
                "appended": int(self.appended),
                "applied": int(self.applied),
                "blobs": self.blobs_pending,
                "blob_bytes": self.blobs_pending_bytes,
            },
        )

    @classmethod
    def from_wire(cls, data: bytes) -> Ack:
        """Decode.

        Raises:
            MessageCorrupt: not an acknowledgement, or one that applied more than it appended.

        """
        record = Record.parse("acknowledgement", data, bytes_max=ACK_BYTES_MAX)
        ack = cls(
            node_id=record.text("node"),
            epoch=record.integer("epoch"),
            appended=Serial(record.integer("appended")),
            applied=Serial(record.integer("applied")),
            blobs_pending=record.integer("blobs"),
            blobs_pending_bytes=record.integer("blob_bytes"),
        )
        if ack.applied > ack.appended:
            raise MessageCorrupt("acknowledgement", "more applied than appended")
        return ack
