"""The index of projects follows the state: what a search finds is what there is now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from node.catalog.permissions import NOBODY
from node.errors import IndexUnknown
from node.search.index import Hit, ProjectIndex
from node.search.query import parse_query
from storage.position import GENESIS
from storage.store import Store
from tests.node.catalog.world import CLUSTER, World

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node.search.searcher import Searcher


def test_hit_has_the_spelling_version_and_summary_of_the_newest_release(
    world: World, searcher: Searcher
) -> None:
    world.submit("alice/dev", "My.Thing", "1.10", summary="new\nwords")
    world.submit("alice/dev", "my-thing", "1.9", summary="old words")

    (hit,) = searcher.hits("my_thing")

    assert hit == Hit("alice/dev", "My.Thing", "1.10", "new words")
    assert hit.summary_with_index == "[alice/dev] new words"
    assert searcher.hits("old") == []


class TestFollowing:
    def test_upload_is_found_by_the_next_search(self, world: World, searcher: Searcher) -> None:
        assert searcher.found("thing") == []
        world.upload("alice/dev", "thing-1.0.tar.gz", summary="does things")
        assert searcher.found("does") == ["alice/dev thing 1.0"]
        world.upload("alice/dev", "thing-2.0.tar.gz", summary="undoes things")
        assert searcher.found("undoes") == ["alice/dev thing 2.0"]
        assert searcher.found("does things") == ["alice/dev thing 2.0"]

    def test_new_summary_replaces_the_old_one(self, world: World, searcher: Searcher) -> None:
        world.submit("alice/dev", "thing", "1.0", summary="before")
        assert searcher.found("before") == ["alice/dev thing 1.0"]

        world.submit("alice/dev", "thing", "1.0", summary="after")

        assert searcher.found("before") == []
        assert searcher.found("after") == ["alice/dev thing 1.0"]

    def test_deleted_version_gives_way_to_the_one_before(self, world: World, searcher: Searcher) -> None:
        world.submit("alice/dev", "thing", "1.0", summary="first")
        world.submit("alice/dev", "thing", "2.0", summary="second")
        assert searcher.found("second") == ["alice/dev thing 2.0"]

        world.delete_version("alice/dev", "thing", "2.0")

        assert searcher.found("second") == []
        assert searcher.found("first") == ["alice/dev thing 1.0"]

    def test_deleted_project_is_gone_from_answers_and_memory(self, world: World, searcher: Searcher) -> None:
        world.submit("alice/dev", "thing", "1.0")
        world.submit("alice/dev", "other-thing", "1.0")
        assert len(searcher.found("thing")) == 2

        world.delete_project("alice/dev", "thing")

        assert searcher.found("thing") == ["alice/dev other-thing 1.0"]
        assert len(searcher.memory) == 1

    def test_index_made_anew_has_nothing_of_the_deleted_one(self, world: World, searcher: Searcher) -> None:
        world.submit("alice/dev", "thing", "1.0")
        assert len(searcher.found("thing")) == 1

        world.drop_index("alice/dev")

        with pytest.raises(IndexUnknown):
            searcher.hits("thing")
        world.index("alice/dev")
        assert searcher.found("thing") == []
        assert (len(searcher.memory), searcher.memory.size_bytes) == (0, 0)

    def test_deleted_base_is_not_searched(self, world: World, searcher: Searcher) -> None:
        world.index("alice/over", bases=["alice/dev"])
        world.submit("alice/dev", "thing", "1.0")
        assert len(searcher.found("thing", index="alice/over")) == 1

        world.drop_index("alice/dev")

        assert searcher.found("thing", index="alice/over") == []

    def test_pushed_release_is_found_on_its_target(self, world: World, searcher: Searcher) -> None:
        world.index("alice/prod")
        world.upload("alice/dev", "thing-1.0.tar.gz", summary="ready")
        assert searcher.found("ready", index="alice/prod") == []

        world.push("alice/dev", "thing", "1.0", "alice/prod")

        assert searcher.found("ready", index="alice/prod") == ["alice/prod thing 1.0"]

    def test_project_without_a_version_that_pip_reads_is_not_listed(
        self, world: World, searcher: Searcher
    ) -> None:
        world.submit("alice/dev", "thing", "final-draft")
        assert searcher.found("thing") == []

        world.submit("alice/dev", "thing", "0.1")

        assert searcher.found("thing") == ["alice/dev thing 0.1"]


class TestMetadataOnItsWay:
    def test_project_is_found_by_name_until_its_metadata_is_here(self, world: World, tmp_path: Path) -> None:
        """A replica that has the entry; metadata too large to come with it lives in a blob that comes later."""
        world.submit("alice/dev", "thing", "1.0", summary="words", description="x" * 200_000)
        (sha256,) = world.referred()
        replica = Store.create(tmp_path / "replica", cluster_id=None, map_bytes=1 << 26)
        entries = world.store.entries_after(GENESIS.serial, max_entries=100, max_bytes=1 << 20)
        replica.adopt_cluster(CLUSTER)
        replica.apply(entries, {}).result()
        index = ProjectIndex(replica)

        def hits(word: str) -> list[Hit]:
            return index.search("alice", "dev", parse_query([{"name": word, "summary": word}, "or"]), NOBODY)

        assert hits("thing") == [Hit("alice/dev", "thing", "1.0", "")]
        assert hits("words") == []
        replica.blobs.put_many([world.store.blobs.read(sha256)])
        assert hits("words") == [Hit("alice/dev", "thing", "1.0", "words")]
        replica.close()
