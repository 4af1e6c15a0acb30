from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from node.catalog.lookups import find_user
from node.catalog.permissions import NOBODY, Identity
from node.catalog.users import delete_user, modify_user, show_user, show_users
from node.errors import BadRequest, Conflict, Forbidden, UserUnknown
from tests.node.catalog.world import ALICE, ROOT

if TYPE_CHECKING:
    from node.catalog.records import Fields
    from tests.node.catalog.world import World


def modify(
    world: World, user: str, *, actor: Identity = ALICE, pwhash: str | None = None, **given: Any
) -> None:
    if pwhash is not None:
        given["password"] = "never stored"
    world.do(modify_user(user, given, password_hash=pwhash, actor=actor, now_ms=world.now_ms))


def shown(world: World, user: str = "alice") -> Fields:
    with world.store.view() as view:
        return show_user(view, user)


def stored(world: World) -> tuple[int, Fields]:
    with world.store.view() as view:
        found = find_user(view, "alice")
    assert found is not None
    return found


def test_new_user_shows_what_was_given_and_nothing_secret(world: World) -> None:
    world.user("bob", email="b@x", title="", custom_data={"a": [1]}, password="secret", pwhash="never")

    assert shown(world, "bob") == {
        "username": "bob",
        "created": "2023-11-14T22:13:22Z",
        "email": "b@x",
        "custom_data": {"a": [1]},
        "indexes": {},
    }


def test_nothing_secret_is_ever_listed(world: World) -> None:
    modify(world, "alice", pwhash="argon")
    with world.store.view() as view:
        listed = show_users(view)

    assert {key for user in listed.values() for key in user} <= {"username", "created", "modified", "indexes"}


def test_modification_sets_its_time_and_drops_what_is_falsy(world: World) -> None:
    modify(world, "alice", title="T", email="e")
    modify(world, "alice", title="", colour="red", username="eve", created="x")

    changed = shown(world)
    assert {key: changed[key] for key in ("username", "email", "modified")} == {
        "username": "alice",
        "email": "e",
        "modified": "2023-11-14T22:13:23Z",
    }
    assert "title" not in changed


def test_modification_of_nothing_writes_nothing(world: World) -> None:
    modify(world, "alice", title="T")
    serial = world.serial

    modify(world, "alice", title="T", colour="red")

    assert world.serial == serial


def test_new_password_begins_a_new_generation_of_credentials(world: World) -> None:
    before = stored(world)[1]["credential_generation"]
    modify(world, "alice", pwhash="argon")

    assert stored(world)[1]["credential_generation"] == before + 1
    assert stored(world)[1]["pwhash"] == "argon"


def test_user_made_anew_is_another(world: World) -> None:
    first = stored(world)[0]
    world.index("alice/dev")
    world.do(delete_user("alice", actor=ALICE))
    world.user("alice")

    assert stored(world)[0] > first
    assert shown(world)["indexes"] == {}
    assert world.reap() == 1


def test_refusals_write_nothing(world: World) -> None:
    world.index("alice/fixed", volatile=False)
    serial = world.serial

    with pytest.raises(Conflict):
        world.user("alice")
    with pytest.raises(BadRequest, match="Unknown keys in user config: colour"):
        world.user("bob", colour="red")
    with pytest.raises(BadRequest, match="contains characters that aren't allowed"):
        world.user("b:b")
    with pytest.raises(UserUnknown):
        modify(world, "bob", title="x")
    with pytest.raises(Forbidden, match="no permission to modify user alice"):
        modify(world, "alice", actor=NOBODY, title="x")
    with pytest.raises(Forbidden, match="no permission to change password for user alice"):
        modify(world, "alice", actor=Identity("bob", 9), pwhash="x")
    with pytest.raises(Forbidden, match="user 'alice' has non-volatile index: fixed"):
        world.do(delete_user("alice", actor=ALICE))
    with pytest.raises(Forbidden):
        world.do(delete_user("root", actor=ROOT))
    with pytest.raises(UserUnknown):
        world.do(delete_user("bob", actor=ROOT))
    assert world.serial == serial
