from __future__ import annotations

import pytest

from replication.errors import FrameCorrupt
from replication.frames import (
    CONTENTS_BYTES_MAX,
    KINDS,
    EntryFrame,
    Frame,
    GoodbyeFrame,
    HeartbeatFrame,
    RefusalFrame,
    SnapshotChunk,
    SnapshotFrame,
    WelcomeFrame,
)
from replication.hello import NodeCard
from replication.members import MEMBERS_MAX, MemberRow
from storage.entry import ENTRY_BYTES_MAX, INLINE_BLOB_BYTES_MAX
from storage.position import Position, Serial

CARD = NodeCard("node-1", "https://one.test:3141", "eu", "0.1.0")
POSITION = Position(2, Serial(9), b"x" * 32)
ROW = MemberRow(CARD, Serial(9), Serial(8), 1, 2, 1_800_000_000.5, lag_serials=1, is_streaming=True)

SAMPLES: dict[str, Frame] = {
    "welcome": WelcomeFrame(b"c" * 16, 2, 1, POSITION, CARD, None),
    "welcome-snapshot": WelcomeFrame(b"c" * 16, 2, 1, POSITION, CARD, "pruned"),
    "entry": EntryFrame(b"encoded"),
    "entry-contents": EntryFrame(b"encoded", (b"one", b"", b"three")),
    "heartbeat": HeartbeatFrame(POSITION, 1_800_000_000_000),
    "heartbeat-members": HeartbeatFrame(POSITION, 1_800_000_000_000, (ROW, ROW)),
    "snapshot": SnapshotFrame(1 << 40, b"s" * 32, POSITION, "empty"),
    "chunk": SnapshotChunk(b"data"),
    "refusal": RefusalFrame("replica-ahead", "the replica is at 9"),
    "goodbye": GoodbyeFrame("stopping"),
}


@pytest.mark.parametrize("frame", SAMPLES.values(), ids=SAMPLES.keys())
def test_body_comes_back_as_it_was(frame: Frame) -> None:
    assert type(frame).parse(frame.body()) == frame


def test_every_kind_has_a_sample_and_a_number_of_its_own() -> None:
    assert {type(frame) for frame in SAMPLES.values()} == set(KINDS.values())
    assert sorted(KINDS) == [1, 2, 3, 4, 5, 6, 7]


def test_largest_entry_with_the_most_contents_fits_its_frame() -> None:
    small = INLINE_BLOB_BYTES_MAX
    frame = EntryFrame(bytes(ENTRY_BYTES_MAX), (bytes(small),) * (CONTENTS_BYTES_MAX // small))

    assert len(frame.body()) <= EntryFrame.BODY_BYTES_MAX


def test_heartbeat_with_the_most_members_fits_its_frame() -> None:
    assert len(HeartbeatFrame(POSITION, 0, (ROW,) * MEMBERS_MAX).body()) <= HeartbeatFrame.BODY_BYTES_MAX


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\0\0", id="inside-length"),
        pytest.param(b"\0\0\0\5four", id="shorter-than-it-says"),
        pytest.param(b"\0\0\0\1a\xff\xff\xff\xffb", id="content-shorter"),
    ],
)
def test_entry_body_that_does_not_add_up_is_refused(body: bytes) -> None:
    with pytest.raises(FrameCorrupt):
        EntryFrame.parse(body)


def test_contents_are_named_by_their_bytes() -> None:
    (name,) = EntryFrame(b"", (b"abc",)).named_contents()

    assert name.hex().startswith("ba7816bf8f01cfea")
