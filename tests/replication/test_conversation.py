"""Streams that break the rules: whatever comes, nothing wrong is applied."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replication.acknowledger import Acknowledger
from replication.backoff import BackOff
from replication.conversation import Conversation
from replication.errors import FrameCorrupt, HandshakeRefused, LinkDown
from replication.frames import (
    EntryFrame,
    Frame,
    GoodbyeFrame,
    HeartbeatFrame,
    RefusalFrame,
    SnapshotChunk,
    SnapshotFrame,
    WelcomeFrame,
)
from replication.framing import encode_frame
from replication.hello import Ack
from replication.progress import Progress
from storage.errors import StorageError
from storage.position import GENESIS, Position, Serial
from storage.store import Store
from tests.replication.harness import CLUSTER, MAP_BYTES, Lab, PairedLink, card, equal, open_replica, put

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

WELCOME = WelcomeFrame(CLUSTER, 1, 1, Position(1, Serial(3), b"x" * 32), card("primary"), None)


class DeafLink:
    async def acknowledge(self, ack: Ack) -> None:
        assert ack.node_id == "replica"


async def converse(store: Store, *chunks: bytes) -> Exception:
    """Hold one conversation with a made-up primary; how it ended."""
    progress = Progress(store, clock=lambda: 0.0, wall_clock=lambda: 0.0)
    conversation = Conversation(
        store,
        progress,
        Acknowledger(DeafLink(), lambda: Ack("replica", 1, Serial(0), Serial(0), 0, 0)),  # type: ignore[arg-type]
        snapshot_path=store.path / "incoming.part",
        silence_seconds=5.0,
        on_welcome=lambda: None,
        on_progress=BackOff().reset,
    )

    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    try:
        await conversation.run(stream())
    except Exception as error:  # noqa: BLE001 - what it ends with is the result
        return error
    raise AssertionError


async def recorded(lab: Lab) -> tuple[bytes, Store]:
    """A stream of three entries with contents, and the primary that it came from."""
    primary = lab.primary()
    for number in range(3):
        await put(primary.store, f"key-{number}", contents=(b"content %d" % number,))
    frames: list[Frame] = [WELCOME]
    for encoded in primary.store.entries_after(Serial(0), max_entries=10, max_bytes=1 << 20):
        number = len(frames) - 1
        frames.append(EntryFrame(encoded, (b"content %d" % number,)))
    return b"".join(map(encode_frame, frames)), primary.store


async def test_recorded_stream_is_applied(lab: Lab) -> None:
    stream, source = await recorded(lab)
    store = lab.keep(open_replica(lab.path / "replica"))

    ended = await converse(store, stream)

    assert isinstance(ended, LinkDown)
    assert (store.position, store.digest, store.pending_totals()) == (source.position, source.digest, (0, 0))


async def test_flipped_bytes_never_apply_wrong_data(lab: Lab, tmp_path: Path) -> None:
    """Each example flips bytes of a stream; what is applied is a prefix of the true history, or nothing."""
    stream, source = await recorded(lab)
    prefix = {GENESIS, *(source.position_at(Serial(serial)) for serial in (1, 2, 3))}
    numbers = iter(range(10_000))

    @given(st.lists(st.tuples(st.integers(0, len(stream) - 1), st.integers(1, 255)), min_size=1, max_size=3))
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    def attempt(flips: list[tuple[int, int]]) -> None:
        flipped = bytearray(stream)
        for offset, mask in flips:
            flipped[offset] ^= mask
        store = Store.create(tmp_path / f"r{next(numbers)}", cluster_id=None, map_bytes=MAP_BYTES)
        try:
            asyncio.run(converse(store, bytes(flipped)))

            assert store.position in prefix
            for digest, _ in store.blobs.stored():
                assert store.blobs.read(digest).startswith(b"content ")
        finally:
            store.close()

    await asyncio.to_thread(attempt)


async def test_flipped_bytes_behind_a_right_checksum_never_apply_wrong_data(lab: Lab) -> None:
    """The frame is well-formed, the entry inside is not: its own checksums speak."""
    stream, source = await recorded(lab)
    (encoded,) = source.entries_after(Serial(0), max_entries=1, max_bytes=1 << 20)
    store = lab.keep(open_replica(lab.path / "replica"))

    for offset in range(0, len(encoded), 5):
        flipped = bytearray(encoded)
        flipped[offset] ^= 0x10
        ended = await converse(store, encode_frame(WELCOME), encode_frame(EntryFrame(bytes(flipped))))
        assert isinstance(ended, StorageError), offset

    assert store.position == GENESIS
    await converse(store, stream)
    assert store.position == source.position


async def test_inlined_bytes_of_another_blob_leave_the_right_one_pending(lab: Lab) -> None:
    _, source = await recorded(lab)
    (encoded,) = source.entries_after(Serial(0), max_entries=1, max_bytes=1 << 20)
    store = lab.keep(open_replica(lab.path / "replica"))

    await converse(store, encode_frame(WELCOME), encode_frame(EntryFrame(encoded, (b"forged",))))

    assert store.position.serial == 1
    assert store.pending_totals() == (1, len(b"content 0"))


@pytest.mark.parametrize(
    ("frames", "problem"),
    [
        pytest.param([GoodbyeFrame("x")], "does not begin with a welcome", id="no-welcome"),
        pytest.param([HeartbeatFrame(GENESIS, 0), WELCOME], "does not begin", id="welcome-too-late"),
        pytest.param([WELCOME, WELCOME], "a second welcome", id="two-welcomes"),
        pytest.param([WELCOME, SnapshotChunk(b"x")], "a chunk of no snapshot", id="chunk-alone"),
        pytest.param(
            [
                WELCOME,
                SnapshotFrame(9, bytes(32), GENESIS, "empty"),
                SnapshotFrame(9, bytes(32), GENESIS, "empty"),
            ],
            "a snapshot inside a snapshot",
            id="nested-snapshot",
        ),
        pytest.param(
            [WELCOME, SnapshotFrame(1, bytes(32), GENESIS, "empty"), SnapshotChunk(b"xy")],
            "larger than announced",
            id="snapshot-too-large",
        ),
        pytest.param(
            [WELCOME, SnapshotFrame(1, bytes(32), GENESIS, "empty"), SnapshotChunk(b"x")],
            "announced SHA-256",
            id="snapshot-digest",
        ),
    ],
)
async def test_frames_out_of_order_end_the_conversation(lab: Lab, frames: list[Frame], problem: str) -> None:
    store = lab.keep(open_replica(lab.path / "replica"))

    ended = await converse(store, *map(encode_frame, frames))

    assert isinstance(ended, FrameCorrupt)
    assert problem in str(ended)
    assert store.position == GENESIS
    assert not (store.path / "incoming.part").exists()


async def test_snapshot_that_is_no_snapshot_leaves_everything_as_it_was(lab: Lab) -> None:
    stream, source = await recorded(lab)
    store = lab.keep(open_replica(lab.path / "replica"))
    await converse(store, stream)
    garbage = b"garbage" * 100

    ended = await converse(
        store,
        encode_frame(WELCOME),
        encode_frame(SnapshotFrame(len(garbage), sha256(garbage).digest(), GENESIS, "pruned")),
        encode_frame(SnapshotChunk(garbage)),
    )

    assert isinstance(ended, StorageError)
    assert (store.position, store.digest) == (source.position, source.digest)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        pytest.param(RefusalFrame("replica-ahead", "at 9"), "replica-ahead", id="by-the-primary"),
        pytest.param(
            WelcomeFrame(b"another-cluster!", 1, 1, GENESIS, card("p"), None),
            "foreign-cluster",
            id="foreign-cluster",
        ),
        pytest.param(
            WelcomeFrame(CLUSTER, 0, 1, GENESIS, card("p"), None), "stale-primary", id="lower-epoch"
        ),
    ],
)
async def test_handshake_is_refused(lab: Lab, frame: Frame, reason: str) -> None:
    stream, source = await recorded(lab)
    store = lab.keep(open_replica(lab.path / "replica"))
    await converse(store, stream)

    ended = await converse(store, encode_frame(frame))

    assert isinstance(ended, HandshakeRefused)
    assert ended.reason == reason
    assert store.position == source.position


async def test_follower_recovers_from_a_garbled_stream(lab: Lab) -> None:
    """Every fifth chunk has a flipped byte, on a real link with reconnects; the end is equal all the same."""
    primary = lab.primary()
    chunks = 0

    def garble(chunk: bytes) -> bytes:
        nonlocal chunks
        chunks += 1
        if chunks % 5:
            return chunk
        middle = len(chunk) // 2
        return chunk[:middle] + bytes([chunk[middle] ^ 1]) + chunk[middle + 1 :]

    link = PairedLink(primary, garble=garble)
    replica = lab.replica(link)
    for number in range(50):
        await put(primary.store, f"key-{number}", contents=(b"%d" % number,))

    await equal(primary, replica)
    assert "corrupt" in (replica.follower.status.last_error or "")
