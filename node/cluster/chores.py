"""What a node does beside answering: clear away deleted indexes, prune the changelog, forget gone mirrors."""

import asyncio

import structlog

from node.catalog.indexes import reap_deleted_index
from node.catalog.keys import INDEXES, unpack_id
from node.catalog.records import unpack_index
from node.finished import configuration_serial
from node.mirror.errors import MirrorError
from node.mirror.mirror import Mirror
from node.simple.collect import SourceOf
from replication.feeder import Feeder
from storage.errors import StorageError
from storage.store import Store

LOOK_SECONDS = 60.0
_log = structlog.get_logger()


class Reaper:
    """Removes what deleted indexes leave behind, a bounded part per entry."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._woken = asyncio.Event()
        self._woken.set()

    def wake(self) -> None:
        """Say that there may be work."""
        self._woken.set()

    async def run(self) -> None:
        """Work when there is work, for ever."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                has_more = True
                while has_more:
                    receipt = await asyncio.wrap_future(self._store.submit(reap_deleted_index()))
                    has_more = receipt.result
            except StorageError as error:
                _log.warning("deleted index not cleared yet", error=str(error))
                await asyncio.sleep(LOOK_SECONDS)
                self._woken.set()


async def forget_gone_mirrors(store: Store, mirror: Mirror, source_of: SourceOf) -> None:
    """Drop cached pages of mirrors that were deleted or got a new upstream, for ever; on every node."""
    seen = 0
    while True:
        try:
            seen = await _forget_if_changed(store, mirror, source_of, seen)
        except (StorageError, MirrorError) as error:
            _log.warning("gone mirrors not forgotten", error=str(error))
        await asyncio.sleep(LOOK_SECONDS)


async def _forget_if_changed(store: Store, mirror: Mirror, source_of: SourceOf, seen: int) -> int:
    """Look once; return the configuration that was looked at. 0 is that of a replica that has nothing yet."""
    with store.view() as view:
        configuration = configuration_serial(view)
        if configuration == seen:
            return seen
        indexes = [unpack_index(view, unpack_id(key[1:]), value) for key, value in view.scan(INDEXES)]
    count = await mirror.keep_only([source_of(index) for index in indexes if index.is_mirror])
    if count:
        _log.info("gone mirrors forgotten", count=count)
    return configuration


async def prune_regularly(feeder: Feeder, *, retention_entries: int) -> None:
    """Keep the changelog within its retention, for ever."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            await feeder.prune(retention_entries=retention_entries)
        except StorageError as error:
            _log.warning("changelog not pruned", error=str(error))
