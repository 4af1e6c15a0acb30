"""One stream from the primary, from welcome to end: read, apply, acknowledge."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, assert_never

from replication.download import SnapshotDownload
from replication.errors import FrameCorrupt, HandshakeRefused, LinkDown, PrimarySilent
from replication.frames import (
    EntryFrame,
    GoodbyeFrame,
    HeartbeatFrame,
    RefusalFrame,
    SnapshotChunk,
    SnapshotFrame,
    WelcomeFrame,
)
from replication.framing import FrameReader
from replication.inbox import Inbox, SnapshotReady
from replication.states import Bootstrapping, Following
from replication.threads import in_thread, written
from storage.entry import position_of
from storage.errors import ForeignCluster
from storage.position import Serial

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from replication.acknowledger import Acknowledger
    from replication.frames import Frame
    from replication.progress import Progress
    from storage.store import Store

HASH_ON_LOOP_BYTES_MAX: Final = 256 << 10
"""Inlined blobs of a batch that are hashed on the event loop, well under a millisecond; more go to a thread."""


class Conversation:
    """Reads ahead of the applier, up to the bounds of the inbox; one apply is in flight at any time.

    Whatever arrived before the stream broke is still applied, so even a link that breaks every few bytes makes
    progress.
    """

    def __init__(
        self,
        store: Store,
        progress: Progress,
        acknowledger: Acknowledger,
        *,
        snapshot_path: Path,
        silence_seconds: float,
        on_welcome: Callable[[], None],
        on_progress: Callable[[], None],
    ) -> None:
        self._store = store
        self._progress = progress
        self._acknowledger = acknowledger
        self._snapshot_path = snapshot_path
        self._silence_seconds = silence_seconds
        self._on_welcome = on_welcome
        self._on_progress = on_progress
        self._inbox = Inbox()
        self._download: SnapshotDownload | None = None
        self._acknowledging: asyncio.Task[None] | None = None

    async def run(self, chunks: AsyncIterator[bytes]) -> None:
        """Hold the conversation until it ends; it always ends with an exception.

        Raises:
            LinkDown: the stream ended, with or without a goodbye, or went silent.
            FrameCorrupt: the stream broke the rules.
            HandshakeRefused: one of the two sides does not want this conversation.
            StorageError: what came could not be applied.
            OSError: a snapshot could not be written.

        """
        reader = asyncio.create_task(self._read(chunks), name="follower reader")
        try:
            while True:
                batch = await self._inbox.take()
                if isinstance(batch, SnapshotReady):
                    await self._load(batch)
                else:
                    await self._apply(batch)
        finally:
            tasks = [task for task in (reader, self._acknowledging) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._download is not None:
                self._download.close()
            self._snapshot_path.unlink(missing_ok=True)

    async def _apply(self, batch: list[EntryFrame]) -> None:
        contents: dict[bytes, bytes] = {}
        if sum(len(content) for frame in batch for content in frame.contents) > HASH_ON_LOOP_BYTES_MAX:
            contents = await in_thread(_named_contents, batch)
        else:
            contents = _named_contents(batch)
        await written(self._store.apply([frame.encoded for frame in batch], contents))
        self._progress.applied(len(batch))
        self._acknowledger.soon()
        self._on_progress()

    async def _load(self, snapshot: SnapshotReady) -> None:
        await written(self._store.load_snapshot(snapshot.path, common=snapshot.common))
        await in_thread(snapshot.path.unlink)
        self._progress.loaded()
        self._acknowledger.soon()
        self._on_progress()

    async def _read(self, chunks: AsyncIterator[bytes]) -> None:
        reader = FrameReader()
        try:
            async for chunk in self._heard(chunks):
                self._progress.contacted(len(chunk))
                for frame in reader.feed(chunk):
                    await self._receive(frame)
            reader.finish()
            self._inbox.end(LinkDown("the stream ended"))
        except Exception as error:  # noqa: BLE001 - not swallowed: the applier raises it when it has caught up
            self._inbox.end(error)

    async def _heard(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        iterator = aiter(chunks)
        while True:
            try:
                async with asyncio.timeout(self._silence_seconds):
                    chunk = await anext(iterator)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise PrimarySilent(self._silence_seconds) from None
            yield chunk

    async def _receive(self, frame: Frame) -> None:
        if self._acknowledging is None and not isinstance(frame, WelcomeFrame | RefusalFrame):
            raise FrameCorrupt("the stream does not begin with a welcome")
        match frame:
            case EntryFrame():
                self._progress.received(position_of(frame.encoded).serial, frame.size_bytes)
                await self._inbox.put(frame)
            case HeartbeatFrame():
                self._heartbeat(frame)
            case WelcomeFrame():
                await self._welcome(frame)
            case SnapshotFrame() | SnapshotChunk():
                await self._snapshot(frame)
            case RefusalFrame():
                raise HandshakeRefused(frame.reason, frame.detail)
            case GoodbyeFrame():
                raise LinkDown(frame.reason)
            case _:
                assert_never(frame)

    async def _welcome(self, frame: WelcomeFrame) -> None:
        if self._acknowledging is not None:
            raise FrameCorrupt("a second welcome")
        ours = self._store.cluster_id
        if ours is None:
            await self._adopt(frame.cluster_id)
        elif ours != frame.cluster_id:
            raise _foreign(ours, frame.cluster_id)
        if frame.epoch < self._store.epoch:
            detail = f"the primary is in epoch {frame.epoch}, this replica has seen {self._store.epoch}"
            raise HandshakeRefused("stale-primary", detail)
        self._progress.welcomed(frame)
        self._acknowledging = asyncio.create_task(self._acknowledger.run(), name="follower acknowledger")
        self._on_welcome()

    async def _adopt(self, cluster_id: bytes) -> None:
        try:
            await in_thread(self._store.adopt_cluster, cluster_id)
        except ForeignCluster as error:
            raise _foreign(error.ours, cluster_id) from error

    def _heartbeat(self, frame: HeartbeatFrame) -> None:
        self._progress.heard(frame)
        if isinstance(self._progress.state, Following):
            self._on_progress()

    async def _snapshot(self, frame: SnapshotFrame | SnapshotChunk) -> None:
        if isinstance(frame, SnapshotFrame):
            if self._download is not None:
                raise FrameCorrupt("a snapshot inside a snapshot")
            self._download = SnapshotDownload(frame, self._snapshot_path)
            self._progress.state = Bootstrapping(frame.reason, frame.size_bytes)
            return
        if self._download is None:
            raise FrameCorrupt("a chunk of no snapshot")
        await self._download.add(frame.data)
        if self._download.is_complete:
            complete, self._download = self._download.frame, None
            await self._inbox.put(SnapshotReady(self._snapshot_path, self._common(complete)))

    def _common(self, frame: SnapshotFrame) -> Serial | None:
        # Two histories in one epoch: somebody restored a copy and went on writing. Nothing tells where they
        # parted, so everything we still have is set aside.
        is_forked = frame.reason == "diverged" and frame.position.epoch == self._store.position.epoch
        return Serial(0) if is_forked else None


def _named_contents(batch: list[EntryFrame]) -> dict[bytes, bytes]:
    contents: dict[bytes, bytes] = {}
    for frame in batch:
        if frame.contents:
            contents |= frame.named_contents()
    return contents


def _foreign(ours: bytes | None, theirs: bytes) -> HandshakeRefused:
    mine = ours.hex() if ours is not None else "none"
    return HandshakeRefused(
        "foreign-cluster",
        f"this directory belongs to cluster {mine}, the primary's to {theirs.hex()}; an empty directory can join",
    )
