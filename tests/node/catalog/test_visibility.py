from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.catalog.lookups import get_index, search_path
from node.catalog.records import Fields, IndexRecord
from node.catalog.visibility import Layer, Reason, decide, mirror_rule

if TYPE_CHECKING:
    from tests.node.catalog.world import World

NAMES = ("a/1", "a/2", "a/3", "a/4", "a/m1", "a/m2")
MIRRORS = {"a/m1", "a/m2"}
WHITELISTS = st.lists(st.sampled_from(["*", "thing", "other"]), max_size=2, unique=True)


@dataclass(frozen=True)
class File:
    filename: str


@dataclass(frozen=True)
class Web:
    """Indexes with bases, and what each has under one name."""

    options: dict[str, Fields]
    hosts: frozenset[str]
    files: dict[str, tuple[str, ...]]


@st.composite
def webs(draw: st.DrawFn) -> Web:
    options: dict[str, Fields] = {}
    for name in NAMES:
        if name in MIRRORS:
            options[name] = {"type": "mirror", "volatile": True}
            continue
        options[name] = {
            "type": "stage",
            "volatile": True,
            "bases": draw(st.lists(st.sampled_from([*NAMES, "a/gone"]), max_size=3, unique=True)),
            "mirror_whitelist": draw(WHITELISTS),
        }
        inheritance = draw(st.sampled_from(["intersection", "union", None]))
        if inheritance:
            options[name]["mirror_whitelist_inheritance"] = inheritance
    hosts = draw(st.frozensets(st.sampled_from([name for name in NAMES if name not in MIRRORS])))
    filenames = st.lists(st.sampled_from(["f1", "f2", "f3"]), max_size=3, unique=True)
    files = {name: tuple(draw(filenames)) if name in hosts | MIRRORS else () for name in NAMES}
    return Web(options, hosts, files)


def naive_path(web: Web, start: str) -> list[str]:
    """Walk the bases as devpi's documentation tells it: near ones first, mirrors at the end."""
    order, mirrors, waiting = [], [], deque([start])
    seen = {start}
    while waiting:
        name = waiting.popleft()
        order.append(name)
        for base in web.options[name].get("bases", ()):
            if base in seen or base not in web.options:
                continue
            seen.add(base)
            if base in MIRRORS:
                mirrors.append(base)
            else:
                waiting.append(base)
    return order + mirrors


def naive_shown(web: Web, start: str) -> dict[str, str]:
    """Do what devpi's ``op_sro_check_mirror_whitelist`` does, index by index: filename -> index."""
    shown: dict[str, str] = {}
    whitelist: set[str] | None = None
    is_whitelisted = is_private = False
    is_union = web.options[start].get("mirror_whitelist_inheritance", "union") == "union"
    for name in naive_path(web, start):
        if name in MIRRORS:
            if is_private and not is_whitelisted:
                continue
        else:
            own = set(web.options[name]["mirror_whitelist"])
            before = own if whitelist is None else whitelist
            whitelist = before | own if is_union else before & own
            if whitelist & {"*", "thing"}:
                is_whitelisted = True
            elif name in web.hosts:
                is_private = True
        for filename in web.files[name]:
            shown.setdefault(filename, name)
    return shown


def record(web: Web, name: str) -> IndexRecord:
    user, _, index = name.partition("/")
    return IndexRecord(NAMES.index(name) + 1, 1, user, index, web.options[name], 1)


@given(webs(), st.sampled_from([name for name in NAMES if name not in MIRRORS]))
def test_shown_files_are_those_of_devpis_walk(web: Web, start: str) -> None:
    path = [record(web, name) for name in naive_path(web, start)]
    rule = mirror_rule(path, "thing", [index.index_id for index in path if index.full_name in web.hosts])
    layers = [Layer(index, tuple(File(name) for name in web.files[index.full_name])) for index in path]

    verdicts = decide(layers, rule)

    shown = {verdict.file.filename: verdict.index.full_name for verdict in verdicts if verdict.is_shown}
    assert shown == naive_shown(web, start)


@given(webs(), st.sampled_from([name for name in NAMES if name not in MIRRORS]))
def test_every_file_has_exactly_one_verdict_with_a_reason(web: Web, start: str) -> None:
    path = [record(web, name) for name in naive_path(web, start)]
    rule = mirror_rule(path, "thing", [index.index_id for index in path if index.full_name in web.hosts])
    layers = [Layer(index, tuple(File(name) for name in web.files[index.full_name])) for index in path]

    verdicts = decide(layers, rule)

    assert [(v.index, v.file) for v in verdicts] == [
        (layer.index, f) for layer in layers for f in layer.files
    ]
    for verdict in verdicts:
        assert (verdict.reason is Reason.HIDDEN) <= verdict.index.is_mirror
        assert verdict.is_shown == (verdict.reason is Reason.NEAREST)


class TestSearchPath:
    def test_is_breadth_first_with_mirrors_last(self, world: World) -> None:
        world.index("alice/m", type="mirror")
        world.index("alice/deep")
        world.index("alice/left", bases=["alice/deep"])
        world.index("alice/right")
        world.index("alice/top", bases=["alice/m", "alice/left", "alice/right"])

        assert self._path(world, "top") == ["top", "left", "right", "deep", "m"]

    def test_cycle_ends_at_the_first_index_seen_twice(self, world: World) -> None:
        world.index("alice/a")
        world.index("alice/b", bases=["alice/a"])
        world.change("alice/a", {"bases": ["alice/b", "alice/a"]})

        assert self._path(world, "a") == ["a", "b"]

    def test_deleted_base_is_passed_over(self, world: World) -> None:
        world.index("alice/a")
        world.index("alice/b", bases=["alice/a"])
        world.drop_index("alice/a")

        assert self._path(world, "b") == ["b"]

    @staticmethod
    def _path(world: World, name: str) -> list[str]:
        with world.store.view() as view:
            return [index.name for index in search_path(view, get_index(view, "alice", name))]


@pytest.mark.parametrize(
    ("inheritance", "is_open"),
    [("intersection", False), ("union", True), (None, True)],
    ids=["intersection", "union", "missing"],
)
def test_whitelist_of_a_base_counts_by_the_asked_indexs_rule(
    inheritance: str | None, *, is_open: bool
) -> None:
    top: Fields = {"type": "stage", "volatile": True, "mirror_whitelist": []}
    if inheritance is not None:
        top["mirror_whitelist_inheritance"] = inheritance
    base = {"type": "stage", "volatile": True, "mirror_whitelist": ["thing"]}
    path = [IndexRecord(1, 1, "a", "top", top, 1), IndexRecord(2, 1, "a", "base", base, 1)]

    assert mirror_rule(path, "thing", [1]).is_open is is_open
