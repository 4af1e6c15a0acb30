from __future__ import annotations

from replication.blocks import BLOCK_BYTES, encode_blocks
from replication.frames import EntryFrame
from replication.framing import FrameReader
from storage.position import Serial
from tests.replication.harness import Lab, open_primary, put


async def test_entries_come_in_pieces_that_say_how_many_they_are(lab: Lab) -> None:
    store = lab.keep(open_primary(lab.path / "store"))
    for number in range(30):
        await put(store, f"key-{number}", contents=(b"%02d" % number * 25_000,))
    entries = store.entries_after(Serial(0), max_entries=100, max_bytes=1 << 20)

    blocks = [block async for block in encode_blocks(entries, store.blobs)]

    assert [count for _, count in blocks] == [11, 11, 8]
    assert all(len(encoded) < BLOCK_BYTES + 70_000 for encoded, _ in blocks)
    reader = FrameReader()
    frames = [frame for encoded, _ in blocks for frame in reader.feed(encoded)]
    assert [frame.encoded for frame in frames if isinstance(frame, EntryFrame)] == entries
    assert all(isinstance(frame, EntryFrame) and len(frame.contents) == 1 for frame in frames)


async def test_no_entries_are_no_pieces(lab: Lab) -> None:
    store = lab.keep(open_primary(lab.path / "store"))

    assert [block async for block in encode_blocks([], store.blobs)] == []


async def test_blob_named_twice_in_an_entry_travels_once(lab: Lab) -> None:
    store = lab.keep(open_primary(lab.path / "store"))
    await put(store, "key", contents=(b"same", b"same"))
    entries = store.entries_after(Serial(0), max_entries=1, max_bytes=1 << 20)

    ((encoded, count),) = [block async for block in encode_blocks(entries, store.blobs)]

    assert count == 1
    assert list(FrameReader().feed(encoded)) == [EntryFrame(entries[0], (b"same",))]
