"""Searching one world as ``pip search`` does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.catalog.permissions import NOBODY, Identity
from node.search import index as index_module
from node.search.index import Hit, ProjectIndex
from node.search.memory import NewestMemory
from node.search.newest import Newest, read_newest
from node.search.query import parse_query
from tests.node.catalog.world import World, pair

if TYPE_CHECKING:
    import pytest

    from storage.view import View


class Searcher:
    """Searches one world as ``pip search`` does, and counts what is read for it."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch, *, bytes_max: int = 1 << 20) -> None:
        self.memory = NewestMemory(bytes_max=bytes_max)
        self.index = ProjectIndex(world.store, self.memory)
        self.read: list[str] = []

        def counted(view: View, index_id: int, project: str, serial: int) -> Newest:
            self.read.append(project)
            return read_newest(view, index_id, project, serial)

        monkeypatch.setattr(index_module, "read_newest", counted)

    def hits(self, *words: str, index: str = "alice/dev", reader: Identity = NOBODY) -> list[Hit]:
        query = parse_query([{"name": list(words), "summary": list(words)}, "or"])
        return self.index.search(*pair(index), query, reader)

    def found(self, *words: str, index: str = "alice/dev", reader: Identity = NOBODY) -> list[str]:
        return [
            f"{hit.index} {hit.name} {hit.version}" for hit in self.hits(*words, index=index, reader=reader)
        ]
