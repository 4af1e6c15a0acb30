from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.errors import FrameCorrupt
from replication.frames import EntryFrame, Frame, GoodbyeFrame, HeartbeatFrame, SnapshotChunk
from replication.framing import HEADER_BYTES, FrameReader, encode_frame
from storage.position import Position, Serial
from tests.replication.test_frames import SAMPLES

STREAM = b"".join(encode_frame(frame) for frame in SAMPLES.values())


def read(*chunks: bytes) -> list[Frame]:
    reader = FrameReader()
    frames = [frame for chunk in chunks for frame in reader.feed(chunk)]
    reader.finish()
    return frames


def read_into(frames: list[Frame], data: bytes) -> None:
    reader = FrameReader()
    frames.extend(reader.feed(data))
    reader.finish()


def test_stream_comes_back_as_frames() -> None:
    assert read(STREAM) == list(SAMPLES.values())


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_stream_comes_back_however_it_is_cut_in_chunks(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]

    assert read(*(STREAM[a:b] for a, b in pairwise(edges))) == list(SAMPLES.values())


def test_stream_comes_back_byte_by_byte() -> None:
    assert read(*(bytes([byte]) for byte in STREAM)) == list(SAMPLES.values())


@given(st.integers(0, len(STREAM) - 1), st.integers(1, 255))
def test_flipped_byte_never_gives_another_frame(offset: int, mask: int) -> None:
    flipped = bytearray(STREAM)
    flipped[offset] ^= mask
    frames: list[Frame] = []

    with pytest.raises(FrameCorrupt):
        read_into(frames, bytes(flipped))

    assert frames == list(SAMPLES.values())[: len(frames)]


@given(st.binary(min_size=HEADER_BYTES, max_size=400))
def test_garbage_is_no_frame(garbage: bytes) -> None:
    with pytest.raises(FrameCorrupt):
        read(garbage)


def test_end_inside_a_frame_is_not_an_end() -> None:
    reader = FrameReader()
    list(reader.feed(STREAM[:-1]))

    assert reader.buffered_bytes == len(encode_frame(GoodbyeFrame("stopping"))) - 1
    with pytest.raises(FrameCorrupt, match="cut"):
        reader.finish()


@pytest.mark.parametrize("kind", [EntryFrame, HeartbeatFrame, SnapshotChunk])
def test_frame_larger_than_its_kind_is_refused_from_its_header(kind: type[Frame]) -> None:
    header = struct.pack(">IBI", kind.BODY_BYTES_MAX + 1, kind.KIND, 0)

    with pytest.raises(FrameCorrupt, match="at most"):
        list(FrameReader().feed(header))


def test_frame_larger_than_its_kind_is_not_sent() -> None:
    with pytest.raises(FrameCorrupt, match="at most"):
        encode_frame(SnapshotChunk(bytes(SnapshotChunk.BODY_BYTES_MAX + 1)))


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(FrameCorrupt, match="unknown kind 99"):
        list(FrameReader().feed(struct.pack(">IBI", 0, 99, 0)))


def test_reader_takes_nothing_after_an_error() -> None:
    reader = FrameReader()
    with pytest.raises(FrameCorrupt):
        list(reader.feed(bytes(HEADER_BYTES)))

    with pytest.raises(FrameCorrupt, match="unknown kind 0"):
        list(reader.feed(STREAM))


def test_body_that_cannot_be_read_is_corrupt() -> None:
    class Fake(GoodbyeFrame):
        def body(self) -> bytes:
            return b"\xc1"

    with pytest.raises(FrameCorrupt, match="goodbye corrupt: not msgpack"):
        read(encode_frame(Fake("")))


def test_position_survives_at_its_largest() -> None:
    head = Position((1 << 63) - 1, Serial((1 << 63) - 1), b"\xff" * 32)

    assert read(encode_frame(HeartbeatFrame(head, 0))) == [HeartbeatFrame(head, 0)]
