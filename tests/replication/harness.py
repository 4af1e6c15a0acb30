"""A primary and replicas in one process, over links whose faults the tests choose."""

from __future__ import annotations

import asyncio
import contextlib
import os
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from replication.backoff import BackOff
from replication.errors import BlobNotServed, LinkDown
from replication.feeder import Feeder
from replication.follower import Follower
from replication.hello import Ack, Hello, NodeCard
from replication.members import Members
from replication.signal import HeadSignal
from replication.transfer import BlobTransfer
from replication.trust import HEADER_NONCE, Trust
from storage.draft import Draft
from storage.entry import BlobRef, Put
from storage.store import Store
from tests.helpers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from pathlib import Path

    from storage.position import Position
    from storage.view import View

CLUSTER = b"wheelyard-test-1"
MAP_BYTES = 1 << 28
SECRET = b"the secret of the test cluster"


def card(name: str) -> NodeCard:
    return NodeCard(name, f"http://{name}.test:3141", "lab", "0.1")


def blob_of(content: bytes) -> BlobRef:
    return BlobRef(sha256(content).digest(), len(content))


def raise_fatal(error: Exception) -> None:
    raise error


def open_primary(path: Path, *, cluster_id: bytes = CLUSTER, epoch: int = 1) -> Store:
    return Store.create(path, cluster_id=cluster_id, epoch=epoch, map_bytes=MAP_BYTES, on_fatal=raise_fatal)


def open_replica(path: Path) -> Store:
    return Store.create(path, cluster_id=None, map_bytes=MAP_BYTES, on_fatal=raise_fatal)


async def put(
    store: Store, key: str, value: bytes = b"value", *, contents: tuple[bytes, ...] = ()
) -> Position:
    """Write one entry; small contents travel with it, larger ones become blobs first."""
    small = {sha256(content).digest(): content for content in contents if len(content) <= 64 * 1024}
    store.blobs.put_many([content for content in contents if len(content) > 64 * 1024])
    draft = Draft(
        (Put(key.encode(), value),),
        adds=tuple(blob_of(content) for content in contents),
        contents=small,
    )

    def operation(_view: View) -> tuple[Draft | None, None]:
        return draft, None

    return (await asyncio.wrap_future(store.submit(operation))).position


async def put_many(store: Store, count: int, *, prefix: str = "key") -> None:
    await asyncio.gather(*(put(store, f"{prefix}-{number}") for number in range(count)))


@dataclass
class Primary:
    store: Store
    members: Members
    signal: HeadSignal
    feeder: Feeder
    trust: Trust

    @classmethod
    def start(cls, store: Store, *, snapshot_after_entries: int = 10_000) -> Primary:
        members = Members(card("primary"), head=lambda: store.position.serial)
        signal = HeadSignal(store, asyncio.get_running_loop())
        feeder = Feeder(
            store,
            members,
            signal,
            snapshot_dir=store.path / "snapshots",
            snapshot_after_entries=snapshot_after_entries,
            heartbeat_seconds=0.05,
        )
        return cls(store, members, signal, feeder, Trust([SECRET]))

    async def stop(self) -> None:
        await self.feeder.close()
        self.signal.close()


@dataclass
class PairedLink:
    """Everything goes through the encoded forms and the proofs, as it would over HTTP."""

    primary: Primary
    secret: bytes = SECRET
    node_id: str = "replica"
    is_down: bool = False
    cut_after_bytes: Callable[[int], int | None] = lambda _connection: None
    garble: Callable[[bytes], bytes] = lambda chunk: chunk
    garble_blob: Callable[[bytes], bytes] = lambda content: content
    refused_blobs: set[bytes] = field(default_factory=set)
    connections: int = 0
    blob_requests: list[bytes] = field(default_factory=list)
    acks: list[Ack] = field(default_factory=list)
    blobs_under_way: int = 0
    blobs_under_way_max: int = 0

    def __post_init__(self) -> None:
        self._trust = Trust([self.secret])

    def _prove(self, path: str) -> None:
        if self.is_down:
            raise LinkDown("cable pulled")
        headers = self._trust.sign(method="POST", path=path, node_id=self.node_id)
        self.primary.trust.verify(method="POST", path=path, headers=headers)
        self._trust.verify_answer(headers[HEADER_NONCE], self.primary.trust.answer(headers[HEADER_NONCE]))

    @asynccontextmanager
    async def open_stream(self, hello: Hello) -> AsyncIterator[AsyncIterator[bytes]]:
        self._prove("/stream")
        self.connections += 1
        limit = self.cut_after_bytes(self.connections)
        frames = self.primary.feeder.feed(Hello.from_wire(hello.to_wire()))
        async with aclosing(frames), aclosing(self._chunks(frames, limit)) as chunks:
            yield chunks

    async def _chunks(self, frames: AsyncIterator[bytes], limit: int | None) -> AsyncGenerator[bytes, None]:
        sent = 0
        async for encoded in frames:
            if self.is_down:
                raise LinkDown("cable pulled")
            chunk = encoded if limit is None else encoded[: limit - sent]
            sent += len(chunk)
            yield self.garble(chunk)
            if sent == limit:
                return

    async def acknowledge(self, ack: Ack) -> None:
        self._prove("/ack")
        self.acks.append(ack)
        self.primary.members.acknowledged(Ack.from_wire(ack.to_wire()))

    @asynccontextmanager
    async def fetch_blob(self, sha256: bytes) -> AsyncIterator[AsyncIterator[bytes]]:
        self._prove("/blob")
        self.blob_requests.append(sha256)
        if sha256 in self.refused_blobs:
            raise BlobNotServed(sha256)
        self.blobs_under_way += 1
        self.blobs_under_way_max = max(self.blobs_under_way, self.blobs_under_way_max)
        try:
            yield self._blob_chunks(sha256)
        finally:
            self.blobs_under_way -= 1

    async def _blob_chunks(self, sha256: bytes) -> AsyncIterator[bytes]:
        content = self.garble_blob(self.primary.store.blobs.read(sha256))
        for start in range(0, len(content), 50_000):
            await asyncio.sleep(0)
            yield content[start : start + 50_000]


@dataclass
class Replica:
    store: Store
    link: PairedLink
    signal: HeadSignal
    follower: Follower
    transfer: BlobTransfer
    task: asyncio.Task[None]
    transferring: asyncio.Task[None]

    @classmethod
    def start(cls, store: Store, link: PairedLink, *, silence_seconds: float = 5.0) -> Replica:
        signal = HeadSignal(store, asyncio.get_running_loop())
        follower = Follower(
            store,
            link,
            card(link.node_id),
            back_off=BackOff(first_seconds=0.002, most_seconds=0.005),
            refused_retry_seconds=0.02,
            silence_seconds=silence_seconds,
            ack_interval_seconds=0.01,
        )
        transfer = BlobTransfer(
            store,
            link,
            signal,
            first_retry_seconds=0.002,
            on_arrived=follower.acknowledge_soon,
        )
        return cls(
            store,
            link,
            signal,
            follower,
            transfer,
            asyncio.create_task(follower.run()),
            asyncio.create_task(transfer.run()),
        )

    async def stop(self) -> None:
        self.signal.close()
        for task in (self.task, self.transferring):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task


@dataclass
class Lab:
    """Makes nodes and puts everything away at the end."""

    path: Path
    primaries: list[Primary] = field(default_factory=list)
    replicas: list[Replica] = field(default_factory=list)
    stores: list[Store] = field(default_factory=list)

    def primary(self, name: str = "primary", *, snapshot_after_entries: int = 10_000) -> Primary:
        return self.primary_on(open_primary(self.path / name), snapshot_after_entries=snapshot_after_entries)

    def primary_on(self, store: Store, *, snapshot_after_entries: int = 10_000) -> Primary:
        primary = Primary.start(self.keep(store), snapshot_after_entries=snapshot_after_entries)
        self.primaries.append(primary)
        return primary

    def replica(
        self, link: PairedLink, *, store: Store | None = None, silence_seconds: float = 5.0
    ) -> Replica:
        store = (
            store if store is not None else open_replica(self.path / f"{link.node_id}-{os.urandom(4).hex()}")
        )
        replica = Replica.start(self.keep(store), link, silence_seconds=silence_seconds)
        self.replicas.append(replica)
        return replica

    def keep(self, store: Store) -> Store:
        if store not in self.stores:
            self.stores.append(store)
        return store

    async def close(self) -> None:
        for replica in self.replicas:
            await replica.stop()
        for primary in self.primaries:
            await primary.stop()
        for store in self.stores:
            store.close()


async def equal(primary: Primary, *replicas: Replica, within_seconds: float = 10.0) -> None:
    """Wait until all have the position and state of the primary, and every blob."""
    stores = [replica.store for replica in replicas]

    def is_equal() -> bool:
        return all(
            (store.position, store.digest, store.pending_totals()[0])
            == (primary.store.position, primary.store.digest, 0)
            for store in stores
        ) and not any(replica.transfer.status.fetching for replica in replicas)

    await eventually(
        is_equal,
        what=lambda: (
            f"primary {primary.store.position}, replicas "
            f"{[(str(store.position), store.pending_totals()) for store in stores]}, "
            f"{[replica.follower.status for replica in replicas]}"
        ),
        within_seconds=within_seconds,
    )
