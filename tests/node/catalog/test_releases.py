from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from node.catalog.deletion import addressed_file
from node.catalog.lookups import find_file, get_index, has_project, log_of, project_serial, version_names
from node.catalog.releases import Identical, Stored, find_metadata
from node.errors import BadRequest, Conflict, FileExists, Forbidden, Gone, NotFound

if TYPE_CHECKING:
    from node.catalog.records import Fields, FileRecord
    from tests.node.catalog.world import World

INDEX = "alice/dev"
ONE = "one-1.tar.gz"


@pytest.fixture(autouse=True)
def indexes(world: World) -> None:
    world.index(INDEX)
    world.index("alice/fixed", volatile=False)


def metadata(world: World, version: str = "1", *, index: str = "dev") -> Fields | None:
    with world.store.view() as view:
        return find_metadata(view, get_index(view, "alice", index).index_id, "one", version)


def logs(world: World, filename: str = ONE, *, index: str = "dev") -> list[tuple[str, object]]:
    with world.store.view() as view:
        items = log_of(view, get_index(view, "alice", index).index_id, "one", filename)
        return [(item["what"], item.get("count") or item.get("dst")) for item in items]


def record(world: World, filename: str = ONE, *, index: str = "dev") -> FileRecord | None:
    with world.store.view() as view:
        return find_file(view, get_index(view, "alice", index).index_id, "one", filename)


def at_address(world: World, content: bytes) -> FileRecord:
    with world.store.view() as view:
        index = get_index(view, "alice", "dev")
        return addressed_file(view, index, hashlib.sha256(content).digest()[:8], ONE)


class TestUpload:
    def test_first_file_registers_the_release_with_empty_fields(self, world: World) -> None:
        assert world.upload(INDEX, ONE, summary="words") == Stored()

        found = metadata(world)
        assert found is not None
        assert (found["summary"], found["author"], found["classifiers"]) == ("words", "", [])
        assert logs(world) == [("upload", INDEX)]

    def test_later_file_changes_only_the_fields_it_sends(self, world: World) -> None:
        world.upload(INDEX, ONE, summary="words", author="A")
        world.upload(INDEX, "one-1.zip", summary="later")

        found = metadata(world)
        assert found is not None
        assert (found["summary"], found["author"]) == ("later", "A")

    def test_submit_replaces_all_fields_also_where_files_never_change(self, world: World) -> None:
        world.upload("alice/fixed", ONE, summary="words", author="A")
        world.submit("alice/fixed", "one", "1", summary="new")

        found = metadata(world, index="fixed")
        assert found is not None
        assert (found["summary"], found["author"]) == ("new", "")

    @pytest.mark.parametrize("index", [INDEX, "alice/fixed"])
    def test_same_bytes_again_write_nothing(self, world: World, index: str) -> None:
        world.upload(index, ONE, b"x")
        serial = world.serial

        assert world.upload(index, ONE, b"x", summary="other words") == Identical()
        assert world.serial == serial

    def test_other_bytes_are_refused_where_files_never_change(self, world: World) -> None:
        world.upload("alice/fixed", ONE, b"x")
        serial = world.serial

        with pytest.raises(FileExists):
            world.upload("alice/fixed", ONE, b"y", summary="sneaked in")
        assert world.serial == serial

    def test_overwriting_counts_and_leaves_the_old_address_gone(self, world: World) -> None:
        for content in (b"x", b"y", b"z"):
            world.upload(INDEX, ONE, content)

        assert logs(world) == [("overwrite", 2), ("upload", INDEX)]
        assert at_address(world, b"z").sha256
        with pytest.raises(Gone):
            at_address(world, b"x")

    def test_sdist_needs_the_python_that_its_release_needs(self, world: World) -> None:
        world.upload(INDEX, ONE, requires_python=">=3.8")
        world.upload(INDEX, "one-1.zip")

        found = record(world, "one-1.zip")
        assert found is not None
        assert found.requires_python == ">=3.8"

    def test_mirrors_and_strangers_are_refused(self, world: World) -> None:
        world.index("alice/m", type="mirror")
        world.index("alice/closed", acl_upload=[])
        with pytest.raises(NotFound):
            world.upload("alice/m", ONE)
        with pytest.raises(Forbidden):
            world.upload("alice/closed", ONE)


class TestPush:
    def test_copies_files_metadata_and_log(self, world: World) -> None:
        world.upload(INDEX, ONE, b"x", metadata=b"m", summary="words")
        world.upload(INDEX, ONE, b"y", summary="words")

        actions = world.push(INDEX, "One", "1", "alice/fixed")

        copied = record(world, index="fixed")
        assert copied is not None
        assert actions == [
            [200, "register", "One", "1", "->", "alice/fixed"],
            [200, "store_releasefile", f"alice/fixed/{copied.address}"],
        ]
        assert logs(world, index="fixed") == [("upload", INDEX), ("push", "alice/fixed")]
        assert metadata(world, index="fixed") == metadata(world)

    def test_again_is_refused_where_files_never_change(self, world: World) -> None:
        world.upload(INDEX, ONE)
        world.push(INDEX, "one", "1", "alice/fixed")
        serial = world.serial

        with pytest.raises(Conflict, match=r"one-1\.tar\.gz already exists in non-volatile index"):
            world.push(INDEX, "one", "1", "alice/fixed")
        assert world.serial == serial

    def test_needs_a_release_with_files(self, world: World) -> None:
        world.submit(INDEX, "one", "1")
        with pytest.raises(NotFound, match="no release/files found"):
            world.push(INDEX, "one", "1", "alice/fixed")
        with pytest.raises(BadRequest, match="there are no files"):
            world.push(INDEX, "one", "2", "alice/fixed")


class TestDeletion:
    def test_last_file_takes_the_version_and_the_last_version_the_project(self, world: World) -> None:
        world.upload(INDEX, ONE, b"x")
        world.upload(INDEX, "one-1.zip", b"x")
        world.upload(INDEX, "one-2.tar.gz", b"x")

        world.delete_file(INDEX, ONE, b"x")
        assert self._versions(world) == ["1", "2"]
        world.delete_file(INDEX, "one-1.zip", b"x")
        assert self._versions(world) == ["2"]
        world.delete_version(INDEX, "one", "2")

        assert not self._has_project(world)

    def test_change_is_seen_by_pages_that_rest_on_the_project(self, world: World) -> None:
        world.upload(INDEX, ONE, b"x")
        world.upload(INDEX, "one-2.tar.gz", b"x")

        world.delete_file(INDEX, ONE, b"x")

        with world.store.view() as view:
            assert project_serial(view, get_index(view, "alice", "dev").index_id, "one") == world.serial

    def test_file_that_comes_back_has_a_new_log(self, world: World) -> None:
        world.upload(INDEX, ONE, b"x")
        world.upload(INDEX, ONE, b"y")
        world.delete_project(INDEX, "one")

        world.upload(INDEX, ONE, b"x")

        assert logs(world) == [("upload", INDEX)]

    def test_fixed_index_needs_force(self, world: World) -> None:
        world.upload("alice/fixed", ONE, b"x")
        serial = world.serial
        with pytest.raises(Forbidden):
            world.delete_file("alice/fixed", ONE, b"x")
        with pytest.raises(Forbidden):
            world.delete_version("alice/fixed", "one", "1")
        with pytest.raises(Forbidden):
            world.delete_project("alice/fixed", "one")
        assert world.serial == serial

        world.delete_project("alice/fixed", "one", force=True)

        assert record(world, index="fixed") is None

    def test_unknown_things_are_told_apart(self, world: World) -> None:
        world.upload(INDEX, ONE, b"x")
        with pytest.raises(NotFound, match="version '9' of project 'one' not found"):
            world.delete_version(INDEX, "one", "9")
        with pytest.raises(NotFound, match="project 'two' not found"):
            world.delete_version(INDEX, "two", "1")
        with pytest.raises(NotFound, match="project not found"):
            world.delete_project(INDEX, "two")
        with pytest.raises(NotFound, match="doesn't exist"):
            world.delete_file(INDEX, ONE, b"y")
        world.delete_file(INDEX, ONE, b"x")
        with pytest.raises(Gone, match="existed, deleted in later serial"):
            world.delete_file(INDEX, ONE, b"x")

    @staticmethod
    def _versions(world: World) -> list[str]:
        with world.store.view() as view:
            return version_names(view, get_index(view, "alice", "dev").index_id, "one")

    @staticmethod
    def _has_project(world: World) -> bool:
        with world.store.view() as view:
            return has_project(view, get_index(view, "alice", "dev").index_id, "one")
