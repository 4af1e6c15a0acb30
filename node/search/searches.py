"""Searches one after the other, on a thread of their own."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from node.catalog.permissions import Identity
from node.errors import Unavailable
from node.search.index import Hit, ProjectIndex
from node.search.query import Query
from storage.store import Store

SEARCHES_WAITING_MAX = 32
"""Searches that may wait; one more is told to come back, so that they cannot use up memory."""


class Searches:
    """Runs searches off the event loop. The thread starts with the first search."""

    def __init__(self, store: Store) -> None:
        self._index = ProjectIndex(store)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="search")
        self._waiting = 0

    def close(self) -> None:
        """End the thread; a search that is under way is cut short first, because it reads the store."""
        self._index.stop()
        self._thread.shutdown(wait=True, cancel_futures=True)

    async def find(self, user: str, name: str, query: Query, reader: Identity) -> list[Hit]:
        """Return what fits; see ``ProjectIndex.search``.

        Raises:
            IndexUnknown: no such index.
            LoginRequired, Forbidden: the index is not for this reader.
            Unavailable: too many searches wait, or the node stops.
            StateCorrupt: a record fails its checksum.

        """
        if self._waiting >= SEARCHES_WAITING_MAX:
            raise Unavailable("too many searches at once", retry_after_seconds=1)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, self._index.search, user, name, query, reader)
        finally:
            self._waiting -= 1
