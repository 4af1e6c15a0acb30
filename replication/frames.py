"""The units of a stream from primary to replica. All integers are big-endian.

======  =====  ====================================================================
offset  bytes  every frame
======  =====  ====================================================================
0       4      length of the body, n
4       1      kind
5       4      CRC-32 over the five bytes above and the body
9       n      body
======  =====  ====================================================================

====  ==============  ==========  ==================================================================
kind  frame           n at most   body
====  ==============  ==========  ==================================================================
1     Welcome         8 KiB       msgpack map; the first frame of every conversation that goes on
2     Entry           2.1 MiB     u32 length, encoded entry, then per inlined blob: u32 length, bytes
3     Heartbeat       1 MiB       msgpack map: head, time, members
4     Snapshot        8 KiB       msgpack map: size and SHA-256 of what the chunks add up to
5     SnapshotChunk   256 KiB     bytes of the snapshot, in order
6     Refusal         8 KiB       msgpack map: reason, detail; the last frame
7     Goodbye         8 KiB       msgpack map: reason; the last frame, the replica may come back
====  ==============  ==========  ==================================================================

The end of a stream between two frames is a clean end; inside one it is a cut. An inlined blob carries no name:
the receiver computes its SHA-256, so bytes can never pass under the name of others.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar, Final

from replication.errors import FrameCorrupt
from replication.hello import CLUSTER_ID_BYTES, NodeCard
from replication.members import MEMBERS_MAX, MemberRow
from replication.wire import Record, pack, pack_position
from storage.entry import ENTRY_BYTES_MAX

if TYPE_CHECKING:
    from storage.position import Position

_LENGTH: Final = struct.Struct(">I")
CONTENTS_BYTES_MAX: Final = 1 << 20
"""Bytes of small blobs that one entry frame carries; the others follow by blob transfer."""

SNAPSHOT_CHUNK_BYTES: Final = 256 << 10
_RECORD_BYTES_MAX: Final = 8 << 10
_SHA256_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class WelcomeFrame:
    """The primary takes the replica: which cluster this is, and where it stands."""

    KIND: ClassVar[int] = 1
    BODY_BYTES_MAX: ClassVar[int] = _RECORD_BYTES_MAX
    cluster_id: bytes
    epoch: int
    protocol: int  # the one this conversation is held in
    head: Position
    card: NodeCard
    snapshot_reason: str | None  # a snapshot comes before any entry, and why

    def body(self) -> bytes:
        """Encode."""
        return pack(
            {
                "cluster": self.cluster_id,
                "epoch": self.epoch,
                "protocol": self.protocol,
                "head": pack_position(self.head),
                "card": self.card.to_record(),
                "snapshot": self.snapshot_reason or "",
            },
        )

    @classmethod
    def parse(cls, body: bytes) -> WelcomeFrame:
        """Decode."""
        record = Record.parse("welcome", body, bytes_max=cls.BODY_BYTES_MAX)
        return cls(
            cluster_id=record.octets("cluster", length_bytes=CLUSTER_ID_BYTES),
            epoch=record.integer("epoch"),
            protocol=record.integer("protocol"),
            head=record.position("head"),
            card=NodeCard.from_record(record.record("card")),
            snapshot_reason=record.text("snapshot") or None,
        )


@dataclass(frozen=True, slots=True)
class EntryFrame:
    """One entry of the changelog, with the small blobs that it needs."""

    KIND: ClassVar[int] = 2
    # One length before the entry, and one before each blob; an empty blob costs its length only.
    BODY_BYTES_MAX: ClassVar[int] = ENTRY_BYTES_MAX + CONTENTS_BYTES_MAX + (64 << 10)
    encoded: bytes
    contents: tuple[bytes, ...] = ()

    @property
    def size_bytes(self) -> int:
        """What this frame weighs in memory."""
        return len(self.encoded) + sum(map(len, self.contents))

    def named_contents(self) -> dict[bytes, bytes]:
        """The inlined blobs by the SHA-256 of their bytes."""
        return {sha256(content).digest(): content for content in self.contents}

    def body(self) -> bytes:
        """Encode."""
        parts = [_LENGTH.pack(len(self.encoded)), self.encoded]
        for content in self.contents:
            parts += (_LENGTH.pack(len(content)), content)
        return b"".join(parts)

    @classmethod
    def parse(cls, body: bytes) -> EntryFrame:
        """Decode."""
        parts = []
        offset = 0
        while offset < len(body):
            if offset + _LENGTH.size > len(body):
                raise FrameCorrupt("entry frame ends inside a length")
            (length,) = _LENGTH.unpack_from(body, offset)
            offset += _LENGTH.size
            if offset + length > len(body):
                raise FrameCorrupt("entry frame is shorter than it says")
            parts.append(body[offset : offset + length])
            offset += length
        if not parts:
            raise FrameCorrupt("entry frame without an entry")
        return cls(parts[0], tuple(parts[1:]))


@dataclass(frozen=True, slots=True)
class HeartbeatFrame:
    """Where the head is now, and how everybody is doing."""

    KIND: ClassVar[int] = 3
    BODY_BYTES_MAX: ClassVar[int] = 1 << 20
    head: Position
    time_ms: int  # the primary's clock, information only
    members: tuple[MemberRow, ...] = ()

    def body(self) -> bytes:
        """Encode."""
        members = [member.to_record() for member in self.members]
        return pack({"head": pack_position(self.head), "time_ms": self.time_ms, "members": members})

    @classmethod
    def parse(cls, body: bytes) -> HeartbeatFrame:
        """Decode."""
        record = Record.parse("heartbeat", body, bytes_max=cls.BODY_BYTES_MAX)
        rows = record.records("members", count_max=MEMBERS_MAX)
        members = tuple(MemberRow.from_record(row) for row in rows)
        return cls(record.position("head"), record.integer("time_ms"), members)


@dataclass(frozen=True, slots=True)
class SnapshotFrame:
    """A snapshot follows in chunks."""

    KIND: ClassVar[int] = 4
    BODY_BYTES_MAX: ClassVar[int] = _RECORD_BYTES_MAX
    size_bytes: int
    sha256: bytes
    position: Position  # of the state in the snapshot
    reason: str

    def body(self) -> bytes:
        """Encode."""
        return pack(
            {
                "size": self.size_bytes,
                "sha256": self.sha256,
                "position": pack_position(self.position),
                "reason": self.reason,
            },
        )

    @classmethod
    def parse(cls, body: bytes) -> SnapshotFrame:
        """Decode."""
        record = Record.parse("snapshot", body, bytes_max=cls.BODY_BYTES_MAX)
        digest = record.octets("sha256", length_bytes=_SHA256_BYTES)
        return cls(record.integer("size"), digest, record.position("position"), record.text("reason"))


@dataclass(frozen=True, slots=True)
class SnapshotChunk:
    """The next bytes of the snapshot."""

    KIND: ClassVar[int] = 5
    BODY_BYTES_MAX: ClassVar[int] = SNAPSHOT_CHUNK_BYTES
    data: bytes

    def body(self) -> bytes:
        """Encode."""
        return self.data

    @classmethod
    def parse(cls, body: bytes) -> SnapshotChunk:
        """Decode."""
        return cls(body)


@dataclass(frozen=True, slots=True)
class RefusalFrame:
    """The primary does not take the replica."""

    KIND: ClassVar[int] = 6
    BODY_BYTES_MAX: ClassVar[int] = _RECORD_BYTES_MAX
    reason: str
    detail: str

    def body(self) -> bytes:
        """Encode."""
        return pack({"reason": self.reason, "detail": self.detail})

    @classmethod
    def parse(cls, body: bytes) -> RefusalFrame:
        """Decode."""
        record = Record.parse("refusal", body, bytes_max=cls.BODY_BYTES_MAX)
        return cls(record.text("reason"), record.text("detail"))


@dataclass(frozen=True, slots=True)
class GoodbyeFrame:
    """The primary ends the stream on purpose."""

    KIND: ClassVar[int] = 7
    BODY_BYTES_MAX: ClassVar[int] = _RECORD_BYTES_MAX
    reason: str

    def body(self) -> bytes:
        """Encode."""
        return pack({"reason": self.reason})

    @classmethod
    def parse(cls, body: bytes) -> GoodbyeFrame:
        """Decode."""
        return cls(Record.parse("goodbye", body, bytes_max=cls.BODY_BYTES_MAX).text("reason"))


Frame = (
    WelcomeFrame | EntryFrame | HeartbeatFrame | SnapshotFrame | SnapshotChunk | RefusalFrame | GoodbyeFrame
)

KINDS: Final[dict[int, type[Frame]]] = {
    kind.KIND: kind
    for kind in (
        WelcomeFrame,
        EntryFrame,
        HeartbeatFrame,
        SnapshotFrame,
        SnapshotChunk,
        RefusalFrame,
        GoodbyeFrame,
    )
}
"""From the number on the wire to the class."""
