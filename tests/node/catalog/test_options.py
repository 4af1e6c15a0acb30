from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from node.catalog.lookups import get_index
from node.catalog.options import (
    apply_operations,
    normalize_options,
    parse_boolean,
    parse_list,
    with_known_names,
)
from node.catalog.permissions import Identity
from node.errors import BadRequest, Conflict, Forbidden, UserUnknown
from tests.node.catalog.world import ROOT

if TYPE_CHECKING:
    from tests.node.catalog.world import World


@pytest.mark.parametrize(
    ("value", "parsed"),
    [(True, True), (False, False), ("true", True), ("YES", True), ("No", False), ("fAlse", False)],
)
def test_booleans_are_read_in_any_case(value: object, *, parsed: bool) -> None:
    assert parse_boolean(value) is parsed


@pytest.mark.parametrize("value", [1, 0, None, "", "on", [], {}])
def test_anything_else_is_no_boolean(value: object) -> None:
    with pytest.raises(BadRequest, match="Unknown boolean value"):
        parse_boolean(value)


@pytest.mark.parametrize(
    ("value", "parsed"),
    [("", []), (",", []), (" a , b ,", ["a", "b"]), (["a", "b"], ["a", "b"]), ([], []), ("a", ["a"])],
)
def test_lists_are_read_from_text_with_commas(value: object, parsed: list[str]) -> None:
    assert parse_list(value) == parsed


@pytest.mark.parametrize("value", [1, None, {}, [1], ["a", None]])
def test_anything_else_is_no_list(value: object) -> None:
    with pytest.raises(BadRequest, match="Unknown list value"):
        parse_list(value)


@pytest.mark.parametrize(
    ("operation", "options", "expected"),
    [
        ("title=x", {}, {"title": "x"}),
        ("title=a=b", {}, {"title": "a=b"}),
        ("title", {"title": "x"}, {"title": ""}),
        ("acl_upload+=b", {"acl_upload": ["a"]}, {"acl_upload": ["a", "b"]}),
        ("acl_upload+=a", {"acl_upload": ["a"]}, {"acl_upload": ["a"]}),
        ("acl_upload-=a", {"acl_upload": ["a", "b"]}, {"acl_upload": ["b"]}),
        ("acl_pkg_read+=b", {"acl_read": ["a"]}, {"acl_read": ["a", "b"]}),
    ],
)
def test_operations_change_one_option(
    operation: str, options: dict[str, Any], expected: dict[str, Any]
) -> None:
    before = {key: list(value) if isinstance(value, list) else value for key, value in options.items()}

    assert apply_operations(options, [operation]) == expected
    assert options == before  # the record that was read is another's


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ("acl_upload-=c", "The 'acl_upload' setting doesn't have value 'c'"),
        ("colour+=red", "The 'colour' setting is not a list"),
        (7, "invalid operation 7"),
        (None, "invalid operation None"),
    ],
)
def test_operations_that_fit_nothing_are_refused(operation: object, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        apply_operations({"acl_upload": ["a"]}, [operation])


def test_options_have_one_name_inside() -> None:
    assert with_known_names({"acl_pkg_read": "a", "title": "t"}) == {"acl_read": "a", "title": "t"}


def test_all_wrong_bases_are_named_at_once() -> None:
    exists = {"a/b": True, "a/c": False, "x": None}
    given = {"bases": ["/a/b/", "a/c", "x"]}

    with pytest.raises(BadRequest) as refused:
        normalize_options("stage", given, exists.get)

    assert refused.value.message == "base index 'a/c' does not exist, invalid base index spec: 'x'"


class TestIndexes:
    def test_new_index_has_devpis_defaults(self, world: World) -> None:
        assert world.index("alice/dev") == {
            "type": "stage",
            "volatile": True,
            "acl_upload": ["alice"],
            "acl_toxresult_upload": [":ANONYMOUS:"],
            "bases": [],
            "mirror_whitelist": [],
            "mirror_whitelist_inheritance": "intersection",
        }

    def test_new_mirror_materialises_no_optional_default(self, world: World) -> None:
        assert world.index("alice/m", type="mirror") == {"type": "mirror", "volatile": True}

    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("mirror_url", "http://"),
            ("mirror_url", "https://:80/simple/"),
            ("mirror_url", "http://a/simple/?x=y"),
            ("mirror_url", "http://user:word@/simple/"),
            ("mirror_url", "http://user:word@a:port/"),
            ("mirror_cache_expiry", "1" * 400),
            ("mirror_cache_expiry", float("inf")),
            ("mirror_cache_expiry", 1 << 80),
            ("mirror_cache_expiry", None),
        ],
    )
    def test_mirror_option_that_can_never_work_is_refused(
        self, world: World, option: str, value: Any
    ) -> None:
        with pytest.raises(BadRequest, match=f"^'{option}' option must be") as refusal:
            world.index("alice/m", type="mirror", **{option: value})

        assert "word" not in refusal.value.message

    def test_new_mirror_url_begins_a_new_generation(self, world: World) -> None:
        world.index("alice/m", type="mirror", mirror_url="http://a/")
        first = self._generation(world)
        world.change("alice/m", {"title": "same place"})
        second = self._generation(world)
        world.change("alice/m", {"mirror_url": "http://b/"})

        assert (first, self._generation(world)) == (second, world.serial)

    def test_index_made_anew_has_another_id(self, world: World) -> None:
        world.index("alice/dev")
        with world.store.view() as view:
            first = get_index(view, "alice", "dev").index_id
        world.drop_index("alice/dev")
        world.index("alice/dev")

        with world.store.view() as view:
            assert get_index(view, "alice", "dev").index_id > first

    def test_change_of_nothing_writes_nothing(self, world: World) -> None:
        world.index("alice/dev", title="x")
        serial = world.serial

        world.change("alice/dev", {"title": "x"})
        world.change("alice/dev", ["title=x", "acl_upload+=alice"])

        assert world.serial == serial

    def test_refusals_come_in_devpis_order_and_write_nothing(self, world: World) -> None:
        world.index("alice/dev")
        serial = world.serial
        other = Identity("other", 9)

        with pytest.raises(UserUnknown):
            world.index("nobody/x", actor=other)
        with pytest.raises(Conflict):
            world.index("alice/dev", actor=other)
        with pytest.raises(Forbidden):
            world.index("alice/x", actor=other, type="magic")
        with pytest.raises(BadRequest, match="unknown index type 'magic'"):
            world.index("alice/x", actor=ROOT, type="magic")
        with pytest.raises(Forbidden):
            world.change("alice/nothing", {}, actor=ROOT)
        assert world.serial == serial

    def test_huge_options_live_in_a_blob(self, world: World) -> None:
        world.index("alice/dev", custom_data="x" * 5000)
        world.change("alice/dev", {"custom_data": "y" * 5000})
        assert world.counted() == world.referred() != {}

        world.change("alice/dev", ["custom_data-="])

        assert world.counted() == {}

    @staticmethod
    def _generation(world: World) -> int:
        with world.store.view() as view:
            return get_index(view, "alice", "m").generation
