"""What searches remember of projects, within a bound."""

from collections import OrderedDict
from collections.abc import Container, Iterable

from node.search.newest import Newest

REMEMBERED_BYTES_MAX = 64 << 20
"""Some 100,000 projects; what does not fit is read anew by each search."""


class NewestMemory:
    """Newest releases by index and project. Room is made by forgetting indexes that nobody searches now."""

    def __init__(self, *, bytes_max: int = REMEMBERED_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._indexes: OrderedDict[int, dict[str, Newest]] = OrderedDict()
        self._in_use: frozenset[int] = frozenset()
        self.size_bytes = 0

    def __len__(self) -> int:
        return sum(len(projects) for projects in self._indexes.values())

    @property
    def index_ids(self) -> list[int]:
        """The indexes of which something is remembered, the longest unsearched first."""
        return list(self._indexes)

    def use(self, index_ids: Iterable[int]) -> None:
        """Say which indexes are searched now."""
        self._in_use = frozenset(index_ids)
        for index_id in self._in_use & self._indexes.keys():
            self._indexes.move_to_end(index_id)

    def get(self, index_id: int, project: str, serial: int) -> Newest | None:
        """Return what is remembered, if the project has not changed since."""
        newest = self._indexes.get(index_id, {}).get(project)
        return newest if newest is not None and newest.serial == serial else None

    def put(self, index_id: int, project: str, newest: Newest) -> bool:
        """Remember a release if there is room; say whether there was."""
        self._drop(index_id, project)
        size_bytes = newest.size_bytes
        while self.size_bytes + size_bytes > self._bytes_max:
            oldest = next(iter(self._indexes), None)
            if oldest is None or oldest in self._in_use:
                return False
            self.forget(oldest)
        self._indexes.setdefault(index_id, {})[project] = newest
        self.size_bytes += size_bytes
        return True

    def keep_only(self, index_id: int, projects: Container[str]) -> None:
        """Forget the projects that an index no longer has."""
        for project in [known for known in self._indexes.get(index_id, ()) if known not in projects]:
            self._drop(index_id, project)

    def forget(self, index_id: int) -> None:
        """Forget an index."""
        projects = self._indexes.pop(index_id, {})
        self.size_bytes -= sum(newest.size_bytes for newest in projects.values())

    def _drop(self, index_id: int, project: str) -> None:
        old = self._indexes.get(index_id, {}).pop(project, None)
        if old is not None:
            self.size_bytes -= old.size_bytes
