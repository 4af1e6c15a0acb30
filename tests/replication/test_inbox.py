from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from replication.frames import EntryFrame
from replication.inbox import BATCH_ENTRIES_MAX, INBOX_BYTES_MAX, INBOX_ENTRIES_MAX, Inbox, SnapshotReady

SNAPSHOT = SnapshotReady(Path("snapshot"), common=None)


def entries(count: int, *, size_bytes: int = 1) -> list[EntryFrame]:
    return [EntryFrame(bytes(size_bytes)) for _ in range(count)]


async def fill(inbox: Inbox, items: list[EntryFrame | SnapshotReady]) -> None:
    for item in items:
        await inbox.put(item)


async def test_everything_that_arrived_is_one_batch() -> None:
    inbox = Inbox()
    await fill(inbox, [*entries(7)])

    assert await inbox.take() == entries(7)


async def test_batch_is_bounded() -> None:
    inbox = Inbox()
    await fill(inbox, [*entries(BATCH_ENTRIES_MAX + 3)])

    assert [len(await inbox.take()) for _ in range(2)] == [BATCH_ENTRIES_MAX, 3]  # type: ignore[arg-type]


async def test_snapshot_keeps_its_place_between_entries() -> None:
    inbox = Inbox()
    await fill(inbox, [*entries(2), SNAPSHOT, *entries(1)])

    assert [await inbox.take() for _ in range(3)] == [entries(2), SNAPSHOT, entries(1)]


@pytest.mark.parametrize(
    "items",
    [
        pytest.param(entries(INBOX_ENTRIES_MAX), id="entries"),
        pytest.param(entries(16, size_bytes=INBOX_BYTES_MAX // 16), id="bytes"),
    ],
)
async def test_writer_waits_while_the_inbox_is_full(items: list[EntryFrame]) -> None:
    inbox = Inbox()
    await fill(inbox, [*items])
    writer = asyncio.create_task(inbox.put(EntryFrame(b"more")))
    await asyncio.sleep(0)
    assert not writer.done()

    await inbox.take()
    await writer


async def test_reader_waits_for_the_first_item() -> None:
    inbox = Inbox()
    reader = asyncio.create_task(inbox.take())
    await asyncio.sleep(0)
    assert not reader.done()

    await inbox.put(EntryFrame(b"one"))

    assert await reader == [EntryFrame(b"one")]


async def test_end_comes_after_everything_inside() -> None:
    inbox = Inbox()
    await inbox.put(EntryFrame(b"one"))
    inbox.end(ValueError("over"))

    assert await inbox.take() == [EntryFrame(b"one")]
    with pytest.raises(ValueError, match="over"):
        await inbox.take()


async def test_end_wakes_a_waiting_reader() -> None:
    inbox = Inbox()
    reader = asyncio.create_task(inbox.take())
    await asyncio.sleep(0)

    inbox.end(ValueError("over"))

    with pytest.raises(ValueError, match="over"):
        await reader
