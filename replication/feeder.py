"""The primary's side of the conversation: where the replica is in, frames out."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from replication.blocks import encode_blocks
from replication.frames import (
    SNAPSHOT_CHUNK_BYTES,
    GoodbyeFrame,
    HeartbeatFrame,
    RefusalFrame,
    SnapshotChunk,
    SnapshotFrame,
    WelcomeFrame,
)
from replication.framing import encode_frame
from replication.hello import PROTOCOL
from replication.plan import SUSPECT_REASONS, Ground, Refuse, SendEntries, SendSnapshot, plan_for
from replication.snapshots import SnapshotDesk
from replication.threads import in_thread, written
from storage.errors import SerialPruned
from storage.position import Serial

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from replication.hello import Hello
    from replication.members import Members
    from replication.plan import Plan
    from replication.signal import HeadSignal
    from storage.store import Store

READ_ENTRIES_MAX: Final = 256
READ_BYTES_MAX: Final = 1 << 20
"""What one short read transaction takes from the changelog before anything is sent."""

PINNED_ENTRIES_MAX: Final = 1_000_000
"""How far a replica that is being fed holds back pruning; slower ones get another snapshot."""

PRUNE_SLACK_ENTRIES: Final = 4096
"""Entries that may be written between asking for a pruning and its execution on the writer thread."""


class _Stream:
    """One conversation: the serial that the replica has been sent, and when it last heard of the head."""

    __slots__ = ("cursor", "heartbeat_due")

    def __init__(self, cursor: Serial, heartbeat_due: float) -> None:
        self.cursor = cursor
        self.heartbeat_due = heartbeat_due


class Feeder:
    """Feeds any number of replicas; each at its own pace, with no queue in memory for any of them."""

    def __init__(
        self,
        store: Store,
        members: Members,
        signal: HeadSignal,
        *,
        snapshot_dir: Path,
        snapshot_after_entries: int = 10_000,
        heartbeat_seconds: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._members = members
        self._signal = signal
        self._snapshot_after_entries = snapshot_after_entries
        self._heartbeat_seconds = heartbeat_seconds
        self._clock = clock
        self._wall_clock = wall_clock
        self._desk = SnapshotDesk(store, snapshot_dir, reuse_entries=snapshot_after_entries // 2, clock=clock)
        self._streams: set[_Stream] = set()
        self._is_closing = False
        self.suspect_reason: str | None = None
        self.plan_counts: dict[str, int] = {}
        """Conversations by what was decided: ``entries``, or the reason of a snapshot or refusal."""
        self.sent_bytes = 0

    @property
    def is_suspect(self) -> bool:
        """Whether a replica knows more than this primary: no write may be accepted until somebody has looked."""
        return self.suspect_reason is not None

    @property
    def snapshots_made(self) -> int:
        """Snapshots written since the start."""
        return self._desk.made_count

    async def feed(self, hello: Hello, *, address: str = "") -> AsyncGenerator[bytes, None]:
        """Encoded frames for one replica, for as long as it listens; close the generator when it went away.

        ``address`` is where the replica connects from, for people who look at the members.

        Each item is at most a few MiB. Ends by itself after a refusal, and after a goodbye when the feeder
        closes.

        Raises:
            OSError: a snapshot cannot be written or read.
            StorageError: the changelog or the state cannot be read.

        """
        plan = self._decide(hello)
        if isinstance(plan, Refuse):
            yield encode_frame(RefusalFrame(plan.reason, plan.detail))
            return
        stream = _Stream(hello.position.serial, self._clock())
        self._streams.add(stream)
        self._members.connected(hello.card, applied=hello.position.serial, address=address)
        try:
            yield encode_frame(self._welcome(hello, plan))
            async with aclosing(self._frames(stream, plan)) as frames:
                async for encoded in frames:
                    self.sent_bytes += len(encoded)
                    yield encoded
        finally:
            self._streams.discard(stream)
            self._members.disconnected(hello.card.node_id)

    async def prune(self, *, retention_entries: int) -> Serial:
        """Prune the changelog, but nothing that a bootstrap or catch-up under way still needs; the new floor.

        Raises:
            StorageError: the store cannot write.

        """
        head = self._store.position.serial
        needed = max((head - stream.cursor for stream in self._streams), default=0)
        if needed > 0:
            pinned = min(needed, PINNED_ENTRIES_MAX) + PRUNE_SLACK_ENTRIES
            retention_entries = max(retention_entries, pinned)
        return await written(self._store.prune(retention_entries=retention_entries))

    async def close(self) -> None:
        """Say goodbye on every stream, at its next turn; take no more snapshots."""
        self._is_closing = True
        await self._desk.close()

    def _decide(self, hello: Hello) -> SendEntries | SendSnapshot | Refuse:
        store = self._store
        cluster_id = store.cluster_id
        if cluster_id is None:
            plan: Plan = Refuse("not-a-primary", "this node belongs to no cluster yet")
        else:
            at = store.position_at(hello.position.serial) if hello.position.serial else None
            head = store.position
            if at is not None and at.serial > head.serial:
                # Committed, and the writer thread is just about to say so: no reason to suspect ourselves.
                head = at
            ground = Ground(
                cluster_id=cluster_id,
                epoch=max(store.epoch, head.epoch),
                head=head,
                floor=store.floor,
                at=at,
                snapshot_after_entries=self._snapshot_after_entries,
            )
            plan = plan_for(hello, ground)
        label = "entries" if isinstance(plan, SendEntries) else plan.reason
        self.plan_counts[label] = self.plan_counts.get(label, 0) + 1
        if isinstance(plan, Refuse) and plan.reason in SUSPECT_REASONS and self.suspect_reason is None:
            self.suspect_reason = f"{plan.reason}: {plan.detail} (node {hello.card.node_id})"
        return plan

    async def _frames(self, stream: _Stream, plan: SendEntries | SendSnapshot) -> AsyncGenerator[bytes, None]:
        while not (self._is_closing or self._signal.is_closed):
            if isinstance(plan, SendSnapshot):
                async with aclosing(self._snapshot(stream, plan.reason)) as frames:
                    async for encoded in frames:
                        yield encoded
                plan = SendEntries(after=stream.cursor)
            try:
                async with aclosing(self._next_entries(stream)) as frames:
                    async for encoded in frames:
                        yield encoded
            except SerialPruned:
                # Too slow for the retention: the same way out as for a replica that was away.
                plan = SendSnapshot("pruned")
        yield encode_frame(GoodbyeFrame("the primary is stopping"))

    async def _next_entries(self, stream: _Stream) -> AsyncGenerator[bytes, None]:
        """Whatever follows the cursor; when nothing does, wait for it, or for the next heartbeat."""
        entries = self._store.entries_after(
            stream.cursor,
            max_entries=READ_ENTRIES_MAX,
            max_bytes=READ_BYTES_MAX,
        )
        async with aclosing(encode_blocks(entries, self._store.blobs)) as blocks:
            async for encoded, count in blocks:
                yield encoded
                stream.cursor = Serial(stream.cursor + count)
        if not entries:
            # A commit between the read and here has moved the position: no wake-up is lost.
            await self._signal.moved(stream.cursor, max(0.0, stream.heartbeat_due - self._clock()))
        if self._clock() >= stream.heartbeat_due:
            stream.heartbeat_due = self._clock() + self._heartbeat_seconds
            yield self._heartbeat()

    async def _snapshot(self, stream: _Stream, reason: str) -> AsyncGenerator[bytes, None]:
        snapshot = self._desk.recent()
        while snapshot is None:
            making = self._desk.make()
            done, _ = await asyncio.wait([making], timeout=self._heartbeat_seconds)
            if making.cancelled():
                return  # closing
            if done:
                snapshot = making.result()
            else:
                yield self._heartbeat()
        with snapshot.path.open("rb") as file:
            stream.cursor = snapshot.position.serial
            yield encode_frame(
                SnapshotFrame(snapshot.size_bytes, snapshot.sha256, snapshot.position, reason),
            )
            while chunk := await in_thread(file.read, SNAPSHOT_CHUNK_BYTES):
                yield encode_frame(SnapshotChunk(chunk))

    def _welcome(self, hello: Hello, plan: SendEntries | SendSnapshot) -> WelcomeFrame:
        cluster_id = self._store.cluster_id
        assert cluster_id is not None  # noqa: S101 - decided above
        head = self._store.position
        return WelcomeFrame(
            cluster_id=cluster_id,
            epoch=max(self._store.epoch, head.epoch),
            protocol=min(PROTOCOL, hello.protocol),
            head=head,
            card=self._members.card,
            snapshot_reason=plan.reason if isinstance(plan, SendSnapshot) else None,
        )

    def _heartbeat(self) -> bytes:
        members = tuple(self._members.rows())
        frame = HeartbeatFrame(self._store.position, int(self._wall_clock() * 1000), members)
        return encode_frame(frame)
