from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.node.catalog.world import World
from tests.node.search.searcher import Searcher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "store")
    world.index("alice/dev", volatile=True)
    yield world
    world.close()


@pytest.fixture
def searcher(world: World, monkeypatch: pytest.MonkeyPatch) -> Searcher:
    return Searcher(world, monkeypatch)
