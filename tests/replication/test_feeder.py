from __future__ import annotations

from typing import TYPE_CHECKING

from replication.frames import (
    CONTENTS_BYTES_MAX,
    EntryFrame,
    Frame,
    GoodbyeFrame,
    HeartbeatFrame,
    RefusalFrame,
    SnapshotChunk,
    SnapshotFrame,
    WelcomeFrame,
)
from replication.framing import FrameReader
from replication.hello import PROTOCOL, Hello
from storage.entry import decode_entry
from storage.position import GENESIS, Serial
from tests.replication.harness import CLUSTER, Lab, Primary, card, open_replica, put, put_many

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import pytest


def hello_of(primary: Primary, *, serial: int = 0) -> Hello:
    position = primary.store.position_at(serial) if serial else GENESIS  # type: ignore[arg-type]
    assert position is not None
    return Hello(PROTOCOL, CLUSTER, position, card("reader"), epoch=1)


async def read_until(
    frames: AsyncGenerator[bytes, None], kind: type[Frame], *, count: int = 1
) -> list[Frame]:
    reader = FrameReader()
    seen: list[Frame] = []
    async for chunk in frames:
        seen += reader.feed(chunk)
        if sum(isinstance(frame, kind) for frame in seen) >= count:
            break
    return seen


async def test_stream_begins_with_welcome_and_says_where_the_head_is(lab: Lab) -> None:
    primary = lab.primary()
    await put_many(primary.store, 5)
    frames = primary.feeder.feed(hello_of(primary, serial=5))

    welcome, heartbeat = await read_until(frames, HeartbeatFrame)

    assert isinstance(welcome, WelcomeFrame)
    assert (welcome.cluster_id, welcome.epoch, welcome.card) == (CLUSTER, 1, primary.members.card)
    assert welcome.head == primary.store.position
    assert isinstance(heartbeat, HeartbeatFrame)
    assert heartbeat.head == primary.store.position
    assert [row.card for row in heartbeat.members] == [card("reader")]
    await frames.aclose()
    assert not primary.members.rows()[0].is_streaming


async def test_heartbeats_go_on_while_nothing_happens(lab: Lab) -> None:
    primary = lab.primary()
    frames = primary.feeder.feed(hello_of(primary))

    seen = await read_until(frames, HeartbeatFrame, count=3)

    assert [type(frame) for frame in seen] == [WelcomeFrame, HeartbeatFrame, HeartbeatFrame, HeartbeatFrame]
    await frames.aclose()


async def test_entries_follow_the_position_of_the_replica_in_order(lab: Lab) -> None:
    primary = lab.primary()
    await put_many(primary.store, 700)
    frames = primary.feeder.feed(hello_of(primary, serial=100))

    seen = await read_until(frames, EntryFrame, count=600)

    serials = [decode_entry(frame.encoded).serial for frame in seen if isinstance(frame, EntryFrame)]
    assert serials == list(range(101, 701))
    assert sum(isinstance(frame, HeartbeatFrame) for frame in seen) >= 1
    await frames.aclose()


async def test_small_blobs_are_inlined_until_the_frame_is_full(lab: Lab) -> None:
    primary = lab.primary()
    await put(primary.store, "first")
    contents = (*(b"%d" % number * 20_000 for number in range(10, 50)), b"L" * 100_000)
    await put(primary.store, "files", contents=contents)
    frames = primary.feeder.feed(hello_of(primary, serial=1))

    seen = await read_until(frames, EntryFrame)

    (entry,) = [frame for frame in seen if isinstance(frame, EntryFrame)]
    assert entry.contents == contents[: CONTENTS_BYTES_MAX // 40_000]
    await frames.aclose()


async def test_blob_that_is_gone_is_left_out(lab: Lab) -> None:
    primary = lab.primary()
    await put(primary.store, "first")
    await put(primary.store, "files", contents=(b"here", b"gone"))
    (gone,) = primary.store.blobs.put_many([b"gone"])
    primary.store.blobs.delete(gone.sha256)
    frames = primary.feeder.feed(hello_of(primary, serial=1))

    seen = await read_until(frames, EntryFrame)

    assert [frame.contents for frame in seen if isinstance(frame, EntryFrame)] == [(b"here",)]
    await frames.aclose()


async def test_snapshot_is_announced_and_then_sent_in_chunks(lab: Lab) -> None:
    primary = lab.primary()
    await put_many(primary.store, 300)
    frames = primary.feeder.feed(hello_of(primary))

    seen = await read_until(frames, HeartbeatFrame)

    assert isinstance(seen[0], WelcomeFrame)
    assert seen[0].snapshot_reason == "empty"
    (announced,) = [frame for frame in seen if isinstance(frame, SnapshotFrame)]
    data = b"".join(frame.data for frame in seen if isinstance(frame, SnapshotChunk))
    assert (announced.size_bytes, announced.position) == (len(data), primary.store.position)
    await frames.aclose()


async def test_stream_that_fell_behind_the_retention_gets_a_snapshot(lab: Lab) -> None:
    primary = lab.primary()
    await put_many(primary.store, 5)
    frames = primary.feeder.feed(hello_of(primary, serial=5))
    await read_until(frames, HeartbeatFrame)
    await put_many(primary.store, 50, prefix="later")
    await read_until(frames, EntryFrame, count=1)
    await put_many(primary.store, 50, prefix="much-later")
    # Past the feeder, as an operator's tool would.
    primary.store.prune(retention_entries=10).result()

    seen = await read_until(frames, SnapshotFrame)

    assert [frame.reason for frame in seen if isinstance(frame, SnapshotFrame)] == ["pruned"]
    await frames.aclose()


async def test_refusal_is_one_frame_and_the_end(lab: Lab) -> None:
    primary = lab.primary()
    hello = Hello(PROTOCOL, b"another-cluster!", GENESIS, card("reader"))

    seen = [frame async for chunk in primary.feeder.feed(hello) for frame in FrameReader().feed(chunk)]

    assert [type(frame) for frame in seen] == [RefusalFrame]
    assert primary.members.rows() == []


async def test_node_without_a_cluster_feeds_nobody(lab: Lab) -> None:
    primary = lab.primary_on(open_replica(lab.path / "empty"))

    seen = [
        frame async for chunk in primary.feeder.feed(hello_of(primary)) for frame in FrameReader().feed(chunk)
    ]

    assert [frame.reason for frame in seen if isinstance(frame, RefusalFrame)] == ["not-a-primary"]
    assert not primary.feeder.is_suspect


async def test_closing_feeder_says_goodbye(lab: Lab) -> None:
    primary = lab.primary()
    frames = primary.feeder.feed(hello_of(primary))
    await read_until(frames, HeartbeatFrame)

    await primary.stop()

    assert [type(frame) for frame in await read_until(frames, GoodbyeFrame)][-1] is GoodbyeFrame
    assert [chunk async for chunk in frames] == []


async def test_counters_move(lab: Lab) -> None:
    primary = lab.primary()
    await put_many(primary.store, 5)
    frames = primary.feeder.feed(hello_of(primary))

    await read_until(frames, HeartbeatFrame)

    assert primary.feeder.plan_counts == {"empty": 1}
    assert primary.feeder.snapshots_made == 1
    assert primary.feeder.sent_bytes > 0
    await frames.aclose()


async def test_replica_that_saw_a_commit_first_does_not_make_the_primary_suspect(
    lab: Lab,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    primary = lab.primary()
    await put_many(primary.store, 5)
    hello, before = hello_of(primary, serial=5), primary.store.position_at(Serial(4))
    # Committed, but the writer thread has not published it yet.
    monkeypatch.setattr(type(primary.store), "position", property(lambda _store: before))
    frames = primary.feeder.feed(hello)

    welcome = (await read_until(frames, WelcomeFrame))[0]

    assert isinstance(welcome, WelcomeFrame)
    assert welcome.snapshot_reason is None
    assert not primary.feeder.is_suspect
    await frames.aclose()
