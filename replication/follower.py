"""The replica's side: keep a conversation with the primary going, for ever."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, NoReturn

from replication.acknowledger import INTERVAL_SECONDS, Acknowledger
from replication.backoff import BackOff
from replication.conversation import Conversation
from replication.errors import (
    FollowRefused,
    HandshakeRefused,
    PrimarySilent,
    ProofRefused,
    ReplicationError,
)
from replication.hello import PROTOCOL, Ack, Hello
from replication.progress import Progress
from replication.states import Connecting, FollowerStatus, Halted, Refused, Waiting
from storage.errors import DigestMismatch, EntryTooNew, EnvironmentBroken, StateCorrupt, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from replication.hello import NodeCard
    from replication.link import Link
    from storage.store import Store

SILENCE_SECONDS: Final = 10.0
"""Ten missed heartbeats: the connection is dead, whatever TCP thinks."""

REFUSED_RETRY_SECONDS: Final = 15.0

HALTING: Final = (DigestMismatch, EntryTooNew, StateCorrupt, EnvironmentBroken)
"""Errors after which applying more would make this replica wrong, or wrong in more places."""


class Follower:
    """Follows one primary. ``run`` is the only task that writes to the store of a replica."""

    def __init__(
        self,
        store: Store,
        link: Link,
        card: NodeCard,
        *,
        snapshot_dir: Path | None = None,
        back_off: BackOff | None = None,
        refused_retry_seconds: float = REFUSED_RETRY_SECONDS,
        silence_seconds: float = SILENCE_SECONDS,
        ack_interval_seconds: float = INTERVAL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._link = link
        self._card = card
        self._snapshot_path = (snapshot_dir or store.path / "snapshots") / "incoming.part"
        self._back_off = back_off or BackOff()
        self._refused_back_off = BackOff(
            first_seconds=refused_retry_seconds, most_seconds=refused_retry_seconds
        )
        self._silence_seconds = silence_seconds
        self._progress = Progress(store, clock=clock, wall_clock=wall_clock)
        self._acknowledger = Acknowledger(link, self._ack, interval_seconds=ack_interval_seconds)
        self._has_met = False

    @property
    def status(self) -> FollowerStatus:
        """What this follower does, and how far it is."""
        return self._progress.status()

    def acknowledge_soon(self) -> None:
        """Tell the primary about a change that the follower did not make itself: a blob that arrived."""
        self._acknowledger.soon()

    async def run(self) -> NoReturn:
        """Follow until cancelled.

        Raises:
            FollowRefused: the first handshake of this process was refused, and waiting would not help.

        """
        while True:
            try:
                await self._converse()
            except (HandshakeRefused, ProofRefused) as error:
                if error.is_final and not self._has_met:
                    raise FollowRefused(error.reason, error.detail) from error
                self._progress.failed(error, Refused(error.reason))
                await asyncio.sleep(self._refused_back_off.next_seconds())
            except HALTING as error:
                self._progress.failed(error, Halted())
                await asyncio.get_running_loop().create_future()
            except (ReplicationError, StorageError, OSError) as error:
                pause_seconds = self._back_off.next_seconds()
                self._progress.failed(error, Waiting(pause_seconds))
                await asyncio.sleep(pause_seconds)
            self._progress.reconnects += 1

    async def _converse(self) -> None:
        self._progress.state = Connecting()
        conversation = Conversation(
            self._store,
            self._progress,
            self._acknowledger,
            snapshot_path=self._snapshot_path,
            silence_seconds=self._silence_seconds,
            on_welcome=self._welcomed,
            on_progress=self._back_off.reset,
        )
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._silence_seconds):
                    chunks = await stack.enter_async_context(self._link.open_stream(self._hello()))
            except TimeoutError:
                raise PrimarySilent(self._silence_seconds) from None
            await conversation.run(chunks)

    def _welcomed(self) -> None:
        self._has_met = True

    def _hello(self) -> Hello:
        position = self._store.position
        epoch = max(self._store.epoch, position.epoch)
        return Hello(PROTOCOL, self._store.cluster_id, position, self._card, epoch)

    def _ack(self) -> Ack:
        position = self._store.position
        blobs_pending, blobs_pending_bytes = self._store.pending_totals()
        return Ack(
            node_id=self._card.node_id,
            epoch=max(self._store.epoch, position.epoch),
            appended=max(self._store.appended.serial, position.serial),
            applied=position.serial,
            blobs_pending=blobs_pending,
            blobs_pending_bytes=blobs_pending_bytes,
        )
