"""What a search costs: nothing before it, little after it, and memory within a bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from node.catalog.lookups import get_index
from node.errors import Unavailable
from node.search import index as index_module
from node.search.index import PROJECTS_PER_VIEW
from node.search.memory import NewestMemory
from node.search.newest import SUMMARY_CHARACTERS_MAX, Newest
from tests.node.search.searcher import Searcher

if TYPE_CHECKING:
    from tests.node.catalog.world import World


def test_nothing_is_read_before_a_search_nor_of_other_indexes(world: World, searcher: Searcher) -> None:
    world.index("alice/other")
    world.submit("alice/other", "elsewhere", "1.0")
    world.submit("alice/dev", "thing", "1.0")
    assert searcher.read == []

    searcher.hits("thing")

    assert searcher.read == ["thing"]


def test_only_what_changed_is_read_again(world: World, searcher: Searcher) -> None:
    for name in ("one", "two", "three"):
        world.submit("alice/dev", name, "1.0")
    searcher.hits("one")
    searcher.read.clear()

    world.submit("alice/dev", "two", "1.1")
    for _ in range(2):
        searcher.hits("one")

    assert searcher.read == ["two"]


def test_large_index_is_read_in_many_transactions_before_the_one_that_answers(
    world: World, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "PROJECTS_PER_VIEW", 3)
    for number in range(7):
        world.submit("alice/dev", f"thing{number}", "1.0")
    with world.store.view() as view:
        index = get_index(view, "alice", "dev")

    searcher.index._catch_up(index.index_id)

    assert searcher.read == [f"thing{number}" for number in range(7)]
    assert len(searcher.found("thing")) == len(searcher.read) == 7
    assert PROJECTS_PER_VIEW > 3


def test_memory_keeps_its_bound_and_answers_stay_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    searcher = Searcher(world, monkeypatch, bytes_max=2000)
    for number in range(9):
        world.submit("alice/dev", f"thing{number}", "1.0", summary="word")

    for _ in range(2):
        assert len(searcher.found("word")) == 9
        assert 0 < searcher.memory.size_bytes <= 2000


def test_index_that_is_searched_keeps_what_is_remembered_of_it() -> None:
    memory = NewestMemory(bytes_max=2000)
    newest = Newest(1, "thing", "1.0", "", is_complete=True)
    memory.use([7])

    has_room = [memory.put(7, f"thing{number}", newest) for number in range(9)]

    assert has_room == sorted(has_room, reverse=True)
    assert len(memory) == has_room.count(True) > 1
    assert memory.get(7, "thing0", 1) is newest


def test_room_is_made_by_the_index_that_is_not_searched(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    searcher = Searcher(world, monkeypatch, bytes_max=2000)
    world.index("alice/other")
    for number in range(2):
        world.submit("alice/dev", f"thing{number}", "1.0")
        world.submit("alice/other", f"thing{number}", "1.0")

    searcher.hits("thing")
    searcher.hits("thing", index="alice/other")
    searcher.read.clear()
    searcher.hits("thing", index="alice/other")

    assert searcher.read == []
    assert len(searcher.memory) == 2


def test_long_summary_is_cut(world: World, searcher: Searcher) -> None:
    world.submit("alice/dev", "thing", "1.0", summary="x" * 100_000)

    assert searcher.hits("thing")[0].summary == "x" * SUMMARY_CHARACTERS_MAX


def test_stopped_search_ends_before_it_reads_more(world: World, searcher: Searcher) -> None:
    world.submit("alice/dev", "thing", "1.0")

    searcher.index.stop()

    with pytest.raises(Unavailable):
        searcher.hits("thing")
    assert searcher.read == []
