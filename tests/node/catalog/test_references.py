"""Blob references: counted in the entry that changes them, right after every operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.catalog import indexes
from node.errors import Refusal
from storage.check import check
from tests.node.catalog.world import World

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

LONG = "x" * 4000  # a description that lives in a blob of its own
INDEXES = st.sampled_from(["alice/a", "alice/b"])
FILES = st.sampled_from(["one-1.tar.gz", "one-1.zip", "one-2.tar.gz", "two-1.tar.gz"])
CONTENTS = st.sampled_from([b"x", b"y"])
METADATA = st.sampled_from([None, b"m", b"n"])
DESCRIPTIONS = st.sampled_from(["", LONG, LONG + "y"])
STEPS = st.one_of(
    st.tuples(st.just("upload"), INDEXES, FILES, CONTENTS, METADATA, DESCRIPTIONS),
    st.tuples(st.just("push"), st.sampled_from(["1", "2"])),
    st.tuples(st.just("delete_file"), INDEXES, FILES, CONTENTS),
    st.tuples(st.just("delete_version"), INDEXES, st.sampled_from(["1", "2"])),
    st.tuples(st.just("delete_project"), INDEXES, st.sampled_from(["one", "two"])),
    st.tuples(st.just("recreate"), INDEXES),
    st.tuples(st.just("reap")),
)


def _apply(world: World, step: tuple[Any, ...]) -> None:
    match step:
        case ("upload", index, filename, content, metadata, description):
            world.upload(index, filename, content, metadata=metadata, description=description)
        case ("push", version):
            world.push("alice/a", "one", version, "alice/b")
        case ("delete_file", index, filename, content):
            world.delete_file(index, filename, content)
        case ("delete_version", index, version):
            world.delete_version(index, "one", version)
        case ("delete_project", index, project):
            world.delete_project(index, project)
        case ("recreate", index):
            world.drop_index(index)
            world.index(index)
        case _:
            world.reap()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=4, max_size=10))
def test_counted_references_are_those_of_the_records(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Any, ...]]
) -> None:
    """Any mix of uploads, overwrites, pushes, deletions and reaping; a refusal leaves the serial where it was."""
    world = World(tmp_path_factory.mktemp("world") / "store")
    try:
        for index in ("alice/a", "alice/b"):
            world.index(index)
        for step in steps:
            serial = world.serial
            try:
                _apply(world, step)
            except Refusal:
                assert world.serial == serial
            assert world.counted() == world.referred()
        for index in ("alice/a", "alice/b"):
            world.drop_index(index)
        world.reap()
        assert world.keys_of_indexes() == []
        assert world.counted() == {}
    finally:
        world.close()


class TestReaper:
    def test_takes_a_bounded_part_per_entry(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(indexes, "REAPED_KEYS_PER_ENTRY", 5)
        world.index("alice/a")
        for number in range(4):
            world.upload("alice/a", f"one-{number}.tar.gz", bytes([number]), description=LONG)
        owned = len(world.keys_of_indexes())

        world.drop_index("alice/a")
        left = len(world.keys_of_indexes())
        entries = world.reap()

        assert left == owned  # the record went, the rest waits
        assert entries >= owned // 5
        assert world.keys_of_indexes() == []
        assert world.counted() == {}

    def test_leaves_other_indexes_alone(self, world: World) -> None:
        for index in ("alice/a", "alice/b"):
            world.index(index)
            world.upload(index, "one-1.tar.gz", metadata=b"m")
        world.drop_index("alice/a")

        world.reap()

        assert world.counted() == world.referred()
        assert set(world.counted().values()) == {1}

    def test_writes_nothing_when_there_is_nothing(self, world: World) -> None:
        serial = world.serial

        assert world.reap() == 0
        assert world.serial == serial


def test_store_that_was_filled_checks_clean(tmp_path: Path) -> None:
    world = World(tmp_path / "store")
    world.index("alice/a")
    world.index("alice/b")
    world.upload("alice/a", "one-1.tar.gz", b"x", metadata=b"m", description=LONG)
    world.upload("alice/a", "one-1.tar.gz", b"y", description=LONG + "y")
    world.push("alice/a", "one", "1", "alice/b")
    world.delete_project("alice/a", "one")
    world.close()

    assert check(tmp_path / "store").is_clean
