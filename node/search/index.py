"""The node's index of hosted projects: the state says what there is, memory says what it is about.

Every search lists the projects of its search path in the state, where each has the serial of its
last change; so nothing needs to be told of uploads and deletions, what is gone cannot be found,
and only what changed is read again. Nothing is read before somebody searches.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice

from node.catalog.lookups import get_index, index_by_id, projects_of, search_path
from node.catalog.permissions import Identity
from node.catalog.reading import unreadable
from node.catalog.records import IndexRecord
from node.errors import Unavailable
from node.search.memory import NewestMemory
from node.search.newest import Newest, one_line, read_newest
from node.search.query import Fit, Query
from storage.store import Store
from storage.view import View

HITS_MAX = 200
PROJECTS_PER_VIEW = 500
"""Projects that are read in one transaction, which must stay short."""
_Fitting = tuple[Fit, str, Newest]


@dataclass(frozen=True, slots=True)
class Hit:
    """A project that fits."""

    index: str  # user/index
    name: str
    version: str
    summary: str

    @property
    def summary_with_index(self) -> str:
        """The summary as devpi-web shows it: ``[user/index] summary``."""
        return one_line(f"[{self.index}] {self.summary}")


class ProjectIndex:
    """Searches the projects that the indexes of a search path host. For one thread, and not the event loop's."""

    def __init__(self, store: Store, memory: NewestMemory | None = None) -> None:
        self._store = store
        self._memory = NewestMemory() if memory is None else memory
        self._is_stopped = False

    def stop(self) -> None:
        """End a search that is under way soon; may be called on any thread."""
        self._is_stopped = True

    def search(self, user: str, name: str, query: Query, reader: Identity) -> list[Hit]:
        """Return what fits of an index and its bases, as far as ``reader`` may see them, in one state.

        As in devpi-web a project comes once, from the nearest index where it fits, and its
        newest release there decides; pre-releases count. The nearest index comes first, on it
        what fits best, then by name; ``HITS_MAX`` in all. The names of mirrors are not searched.

        Raises:
            IndexUnknown: no such index.
            LoginRequired, Forbidden: the index is not for this reader.
            Unavailable: the node stops.
            StateCorrupt: a record fails its checksum.

        """
        with self._store.view() as view:
            path = _searched(view, user, name, reader)
            for index_id in self._memory.index_ids:
                if index_by_id(view, index_id) is None:
                    self._memory.forget(index_id)
        self._memory.use(index.index_id for index in path)
        for index in path:
            self._catch_up(index.index_id)
        with self._store.view() as view:
            # Decided anew: rights and bases may have changed since.
            return self._hits(view, _searched(view, user, name, reader), query)

    def _catch_up(self, index_id: int) -> None:
        """Read what changed on an index in many short transactions, so that one is enough to answer."""
        after: str | None = None
        while True:
            with self._store.view() as view:
                some = list(islice(projects_of(view, index_id, after=after), PROJECTS_PER_VIEW))
                has_room = all(
                    self._memory.get(index_id, project, serial) is not None
                    or self._remember(index_id, project, self._read(view, index_id, project, serial))
                    for project, serial in some
                )
            if len(some) < PROJECTS_PER_VIEW or not has_room:
                return
            after = some[-1][0]

    def _remember(self, index_id: int, project: str, newest: Newest) -> bool:
        return not newest.is_complete or self._memory.put(index_id, project, newest)

    def _read(self, view: View, index_id: int, project: str, serial: int) -> Newest:
        if self._is_stopped:
            raise Unavailable("this node is stopping")
        return read_newest(view, index_id, project, serial)

    def _hits(self, view: View, path: list[IndexRecord], query: Query) -> list[Hit]:
        found: dict[str, Hit] = {}
        for index in path:
            fitting = (one for one in self._fitting(view, index.index_id, query) if one[1] not in found)
            best = nsmallest(HITS_MAX - len(found), fitting, key=lambda one: one[:2])
            for _, project, newest in best:
                found[project] = Hit(index.full_name, newest.name, newest.version or "", newest.summary)
        return list(found.values())

    def _fitting(self, view: View, index_id: int, query: Query) -> Iterator[_Fitting]:
        listed = dict(projects_of(view, index_id))
        self._memory.keep_only(index_id, listed)
        for project, serial in listed.items():
            newest = self._memory.get(index_id, project, serial) or self._read(
                view, index_id, project, serial
            )
            fit = None if newest.version is None else query.fit(project, newest.summary)
            if fit is not None:
                yield fit, project, newest


def _searched(view: View, user: str, name: str, reader: Identity) -> list[IndexRecord]:
    """Return the indexes of a search path that ``reader`` may read; mirrors host nothing.

    Raises:
        IndexUnknown: no such index.
        LoginRequired, Forbidden: the first index of the path is not for this reader.

    """
    path = search_path(view, get_index(view, user, name))
    hidden = unreadable(reader, path)
    return [index for index in path if index.index_id not in hidden]
