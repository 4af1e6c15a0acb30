"""Users: create, modify, delete, show."""

from collections.abc import Mapping
from typing import Any

from node.catalog import keys
from node.catalog.indexes import public_options, record_deletion
from node.catalog.lookups import find_user, find_user_id, indexes_of, user_names
from node.catalog.names import check_owner_name
from node.catalog.permissions import NOBODY, Identity, Permission, allows
from node.catalog.recorder import Recorder
from node.catalog.records import Fields
from node.catalog.times import iso_seconds
from node.catalog.tokens import record_tokens_removal
from node.errors import BadRequest, Conflict, Forbidden, UserUnknown
from storage.draft import Draft, Operation
from storage.view import View

PUBLIC_FIELDS = ("custom_data", "description", "email", "title")
_IGNORED_FIELDS = ("indexes", "username", "created", "modified", "password", "pwhash", "pwsalt")


def create_user(
    user: str, given: Mapping[str, Any], *, password_hash: str, actor: Identity, now_ms: int
) -> Operation[Fields]:
    """Return the operation that makes a user; its result is the user as devpi shows it.

    Its refusals: Forbidden, BadRequest (name, unknown fields), Conflict (the user exists).
    """

    def operation(view: View) -> tuple[Draft, Fields]:
        check_user_is_new(view, user, actor)
        check_fields(user, given)
        recorder = Recorder(view, actor=actor.user)
        record: Fields = {"username": user, "created": iso_seconds(now_ms)}
        record |= {key: given[key] for key in PUBLIC_FIELDS if given.get(key)}
        user_id = recorder.next_id()
        recorder.put(keys.user_name_key(user), keys.pack_id(user_id))
        recorder.put_map(
            keys.user_key(user_id), {**record, "pwhash": password_hash, "credential_generation": 0}
        )
        recorder.touch_configuration()
        return recorder.draft(), {**record, "indexes": {}}

    return operation


def check_user_is_new(view: View, user: str, actor: Identity) -> None:
    """Refuse a user that cannot be made; called before the costly hash, and again with it.

    Raises:
        Forbidden: only those whom ``--restrict-modify`` lists may make users.
        Conflict: the user exists.

    """
    if not allows(actor, Permission.USER_CREATE, user=user):
        raise Forbidden(f"no permission to create user {user}")
    if find_user_id(view, user) is not None:
        raise Conflict("user already exists")


def check_fields(user: str, given: Mapping[str, Any]) -> None:
    """Refuse what no user may be called or have.

    Raises:
        BadRequest: the name has blocked characters, or a field is unknown.

    """
    check_owner_name("username", user)
    unknown = set(given) - {*PUBLIC_FIELDS, *_IGNORED_FIELDS}
    if unknown:
        raise BadRequest(f"Unknown keys in user config: {', '.join(sorted(unknown))}")


def modify_user(
    user: str, given: Mapping[str, Any], *, password_hash: str | None, actor: Identity, now_ms: int
) -> Operation[None]:
    """Return the operation that changes a user; a new password ends the tokens made with the old one.

    Unknown fields are ignored and falsy values remove a field, as devpi does.
    Its refusals: UserUnknown, Forbidden.
    """

    def operation(view: View) -> tuple[Draft | None, None]:
        user_id, record = check_modification(view, user, given, actor)
        changed = dict(record)
        for key in PUBLIC_FIELDS:
            if key in given:
                if given[key]:
                    changed[key] = given[key]
                else:
                    changed.pop(key, None)
        if password_hash is not None:
            changed["pwhash"] = password_hash
            changed["credential_generation"] = record.get("credential_generation", 0) + 1
        if changed == record:
            return None, None
        changed["modified"] = iso_seconds(now_ms)
        recorder = Recorder(view, actor=actor.user)
        recorder.put_map(keys.user_key(user_id), changed)
        recorder.touch_configuration()
        return recorder.draft(), None

    return operation


def check_modification(
    view: View, user: str, given: Mapping[str, Any], actor: Identity
) -> tuple[int, Fields]:
    """Return the id and record of a user whom ``actor`` may change in that way.

    Raises:
        UserUnknown: there is no such user.
        Forbidden: ``actor`` may not change the user.

    """
    found = find_user(view, user)
    if found is None:
        raise UserUnknown(user)
    if set(given) == {"password"}:
        if not allows(actor, Permission.USER_MODIFY_PASSWORD, user=user):
            raise Forbidden(f"no permission to change password for user {user}")
    elif not allows(actor, Permission.USER_MODIFY, user=user):
        raise Forbidden(f"no permission to modify user {user}")
    return found


def set_password(user: str, password_hash: str) -> Operation[None]:
    """Return the operation by which an operator at the machine gives a user a new password."""

    def operation(view: View) -> tuple[Draft, None]:
        found = find_user(view, user)
        if found is None:
            raise UserUnknown(user)
        user_id, record = found
        recorder = Recorder(view, actor="passwd")
        generation = record.get("credential_generation", 0) + 1
        recorder.put_map(
            keys.user_key(user_id), {**record, "pwhash": password_hash, "credential_generation": generation}
        )
        recorder.touch_configuration()
        return recorder.draft(), None

    return operation


def delete_user(user: str, *, actor: Identity) -> Operation[None]:
    """Return the operation that deletes a user with all indexes, if all are volatile.

    Its refusals: UserUnknown, Forbidden (also for root, and for a non-volatile index).
    """

    def operation(view: View) -> tuple[Draft, None]:
        user_id = find_user_id(view, user)
        if not allows(actor, Permission.USER_DELETE, user=user):
            raise Forbidden(f"no permission to delete user {user}")
        if user_id is None:
            raise UserUnknown(user)
        recorder = Recorder(view, actor=actor.user)
        for index in indexes_of(view, user_id):
            if not index.is_volatile:
                raise Forbidden(f"user {user!r} has non-volatile index: {index.name}")
            record_deletion(recorder, index)
        record_tokens_removal(view, recorder, user_id)
        recorder.delete(keys.user_name_key(user))
        recorder.delete_map(keys.user_key(user_id))
        recorder.touch_configuration()
        return recorder.draft(), None

    return operation


def show_user(view: View, user: str, reader: Identity = NOBODY) -> Fields:
    """Return a user as devpi's ``userconfig``, without anything that is secret to ``reader``.

    Raises:
        UserUnknown: there is no such user.

    """
    found = find_user(view, user)
    if found is None:
        raise UserUnknown(user)
    user_id, record = found
    shown = {key: record[key] for key in ("username", "created", "modified", *PUBLIC_FIELDS) if key in record}
    indexes = {index.name: public_options(index, reader) for index in indexes_of(view, user_id)}
    return {**shown, "indexes": indexes}


def show_users(view: View, reader: Identity = NOBODY) -> Fields:
    """Return all users by name, as ``show_user`` does."""
    return {name: show_user(view, name, reader) for name, _ in user_names(view)}
