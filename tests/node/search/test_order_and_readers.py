"""In which order a search shows what fits, and to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from node.catalog.permissions import NOBODY, Identity
from node.errors import Forbidden, LoginRequired
from node.search import index as index_module
from node.search.index import HITS_MAX
from tests.node.catalog.world import ALICE, World

if TYPE_CHECKING:
    from tests.node.search.searcher import Searcher

BOB = Identity("bob", 3)


class TestOrder:
    def test_nearest_index_comes_first_then_what_fits_best(self, world: World, searcher: Searcher) -> None:
        world.index("alice/base")
        world.index("alice/far")
        world.index("alice/over", bases=["alice/base", "alice/far"])
        for index, name, summary in (
            ("alice/far", "word", "exactly"),
            ("alice/base", "unrelated", "has the Word"),
            ("alice/base", "sword", ""),
            ("alice/base", "wordy", ""),
            ("alice/over", "about", "a word"),
        ):
            world.submit(index, name, "1.0", summary=summary)

        assert searcher.found("word", index="alice/over") == [
            "alice/over about 1.0",
            "alice/base wordy 1.0",
            "alice/base sword 1.0",
            "alice/base unrelated 1.0",
            "alice/far word 1.0",
        ]

    def test_project_comes_once_from_the_nearest_index_where_it_fits(
        self, world: World, searcher: Searcher
    ) -> None:
        world.index("alice/over", bases=["alice/dev"])
        world.submit("alice/dev", "thing", "2.0", summary="only here")
        world.submit("alice/over", "thing", "1.0", summary="near")

        assert searcher.found("thing", index="alice/over") == ["alice/over thing 1.0"]
        assert searcher.found("only here", index="alice/over") == ["alice/dev thing 2.0"]

    def test_answer_has_a_bound(
        self, world: World, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(index_module, "HITS_MAX", 3)
        world.index("alice/over", bases=["alice/dev"])
        for index, name in (("dev", "a-x"), ("dev", "x"), ("over", "b-x"), ("over", "x-y")):
            world.submit(f"alice/{index}", name, "1.0")

        assert searcher.found("x", index="alice/over") == [
            "alice/over x-y 1.0",
            "alice/over b-x 1.0",
            "alice/dev x 1.0",
        ]
        assert HITS_MAX > 3


class TestReaders:
    def test_each_reader_finds_what_they_may_read_now(self, world: World, searcher: Searcher) -> None:
        world.index("alice/over", bases=["alice/dev"])
        world.submit("alice/dev", "secret", "1.0")
        world.change("alice/dev", ["acl_read=bob"])

        def by_reader() -> list[int]:
            return [
                len(searcher.hits("secret", index="alice/over", reader=one)) for one in (BOB, NOBODY, ALICE)
            ]

        assert by_reader() == [1, 0, 0]
        world.change("alice/dev", ["acl_read=alice"])
        assert by_reader() == [0, 0, 1]

    def test_index_itself_is_refused_to_others(self, world: World, searcher: Searcher) -> None:
        world.submit("alice/dev", "secret", "1.0")
        world.change("alice/dev", ["acl_read=bob"])

        assert len(searcher.hits("secret", reader=BOB)) == 1
        with pytest.raises(LoginRequired):
            searcher.hits("secret")
        with pytest.raises(Forbidden):
            searcher.hits("secret", reader=ALICE)

    def test_index_that_is_restricted_during_a_search_shows_nothing(
        self, world: World, searcher: Searcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The restriction comes after the search has looked at the index, while it reads its projects."""
        world.index("alice/over", bases=["alice/dev"])
        world.submit("alice/dev", "secret", "1.0")
        catch_up = searcher.index._catch_up

        def restricted_meanwhile(index_id: int) -> None:
            catch_up(index_id)
            world.change("alice/dev", ["acl_read=bob"])

        monkeypatch.setattr(searcher.index, "_catch_up", restricted_meanwhile)

        assert searcher.hits("secret", index="alice/over") == []

    def test_names_of_mirrors_are_not_searched(self, world: World, searcher: Searcher) -> None:
        world.index("alice/mirror", type="mirror", mirror_url="http://127.0.0.1:1/simple/")
        world.index("alice/over", bases=["alice/mirror", "alice/dev"])
        world.submit("alice/dev", "thing", "1.0")

        assert searcher.found("thing", index="alice/over") == ["alice/dev thing 1.0"]
        assert searcher.found("thing", index="alice/mirror") == []
