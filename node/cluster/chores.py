"""What a primary does beside answering: clear away deleted indexes, prune the changelog."""

import asyncio

import structlog

from node.catalog.indexes import reap_deleted_index
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


async def prune_regularly(feeder: Feeder, *, retention_entries: int) -> None:
    """Keep the changelog within its retention, for ever."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            await feeder.prune(retention_entries=retention_entries)
        except StorageError as error:
            _log.warning("changelog not pruned", error=str(error))
