"""Indexes: create, modify, delete, show, and clear away what a deleted one leaves behind."""

from collections.abc import Mapping
from typing import Any

from node.catalog import keys
from node.catalog.lookups import find_index, find_user_id, projects_of
from node.catalog.names import check_owner_name
from node.catalog.options import (
    MIRROR,
    REMOVED,
    STAGE,
    BaseLookup,
    apply_operations,
    normalize_options,
    stage_defaults,
    with_known_names,
)
from node.catalog.permissions import NOBODY, Identity, Permission, allows, allows_on
from node.catalog.recorder import Recorder
from node.catalog.records import BLOB_MARK, Fields, FileRecord, IndexRecord
from node.errors import BadRequest, Conflict, Forbidden, UserUnknown
from node.mirror.source import without_credentials
from storage.draft import Draft, Operation
from storage.view import View

REAPED_KEYS_PER_ENTRY = 1000
"""Keys that one entry of the reaper removes: some 100 KB, far below an entry's limit."""


def create_index(user: str, name: str, given: Mapping[str, Any], *, actor: Identity) -> Operation[Fields]:
    """Return the operation that makes an index; its result is devpi's ``indexconfig``.

    Its refusals, in devpi's order: UserUnknown, Conflict, Forbidden, BadRequest.
    """

    def operation(view: View) -> tuple[Draft, Fields]:
        user_id = find_user_id(view, user)
        if user_id is None:
            raise UserUnknown(user)
        if find_index(view, user, name) is not None:
            raise Conflict(f"index '{user}/{name}' exists")
        if not allows(actor, Permission.INDEX_CREATE, user=user):
            raise Forbidden(f"no permission to create index {user}/{name}")
        check_owner_name("indexname", name)
        recorder = Recorder(view, actor=actor.user)
        index = IndexRecord(
            index_id=recorder.next_id(),
            user_id=user_id,
            user=user,
            name=name,
            options=new_options(user, given, base_lookup(view)),
            generation=recorder.serial,
        )
        record_new_index(recorder, index)
        return recorder.draft(), public_options(index, actor)

    return operation


def new_options(owner: str, given: Mapping[str, Any], base_exists: BaseLookup) -> Fields:
    """Return the stored options of a new index.

    Raises:
        BadRequest: an unknown type or option, or a value that does not fit.

    """
    kind = given.get("type", STAGE)
    if kind not in {STAGE, MIRROR}:
        raise BadRequest(f"unknown index type {kind!r}")
    given = with_known_names(given)
    defaults = stage_defaults(owner) if kind == STAGE else {"volatile": True}
    given = {key: value for key, value in given.items() if key not in {"type", "projects"}}
    return {"type": kind, **defaults, **normalize_options(kind, given, base_exists)}


def record_new_index(recorder: Recorder, index: IndexRecord) -> None:
    """Record an index under its names."""
    recorder.put(keys.index_name_key(index.user_id, index.name), keys.pack_id(index.index_id))
    recorder.put_index(index)


def modify_index(user: str, name: str, patch: Any, *, actor: Identity) -> Operation[Fields]:
    """Return the operation that changes options, by a map or by devpi's list of ``key+=value``.

    Its refusals: Forbidden (also where there is no such index), BadRequest.
    """

    def operation(view: View) -> tuple[Draft | None, Fields]:
        index = permitted_index(view, user, name, Permission.INDEX_MODIFY, actor)
        given = requested_options(index, patch)
        normalized = normalize_options(index.options["type"], given, base_lookup(view))
        merged = {**index.options, **normalized}
        options = {key: value for key, value in merged.items() if value is not REMOVED}
        if options == index.options:
            return None, public_options(index, actor)
        recorder = Recorder(view, actor=actor.user)
        moved = options.get("mirror_url") != index.options.get("mirror_url")
        changed = IndexRecord(
            index_id=index.index_id,
            user_id=index.user_id,
            user=index.user,
            name=index.name,
            options=options,
            generation=recorder.serial if moved else index.generation,
        )
        recorder.put_index(changed)
        return recorder.draft(), public_options(changed, actor)

    return operation


def requested_options(index: IndexRecord, patch: Any) -> Fields:
    """Return the options that a PATCH body asks for, before they are normalised.

    Raises:
        BadRequest: the body is neither a map nor a list, or changes the type.

    """
    if isinstance(patch, list):
        given = apply_operations(index.options, patch)
    elif isinstance(patch, dict):
        wrapped = patch.get("type") == "indexconfig" and isinstance(patch.get("result"), dict)
        given = with_known_names(patch["result"] if wrapped else patch)
    else:
        raise BadRequest("the index options must be a JSON object or a list of operations")
    given.pop("projects", None)
    kind = given.pop("type", index.options["type"])
    if kind != index.options["type"]:
        raise BadRequest("the 'type' of an index can't be changed")
    return given


def permitted_index(
    view: View, user: str, name: str, permission: Permission, actor: Identity, project: str | None = None
) -> IndexRecord:
    """Return an index on which ``actor`` has a permission; nobody has one on an index that is not there.

    With ``project``, normalised, the permission is about that project alone.

    Raises:
        Forbidden: ``actor`` does not have it.

    """
    index = find_index(view, user, name)
    if index is None or not allows_on(actor, permission, index, project):
        raise Forbidden(f"no permission for {permission.value} on index {user}/{name}")
    return index


def base_lookup(view: View) -> BaseLookup:
    """Return the question whether a base exists."""

    def base_exists(base: str) -> bool | None:
        parts = base.split("/")
        if len(parts) != 2 or not all(parts):
            return None
        return find_index(view, parts[0], parts[1]) is not None

    return base_exists


def delete_index(user: str, name: str, *, actor: Identity) -> Operation[None]:
    """Return the operation that deletes an index: its record now, its contents by the reaper.

    Its refusals: Forbidden, also where there is no such index, and when it is not volatile.
    """

    def operation(view: View) -> tuple[Draft, None]:
        index = permitted_index(view, user, name, Permission.INDEX_DELETE, actor)
        if not index.is_volatile:
            raise Forbidden(f"index {index.full_name} non-volatile, cannot delete")
        recorder = Recorder(view, actor=actor.user)
        record_deletion(recorder, index)
        return recorder.draft(), None

    return operation


def record_deletion(recorder: Recorder, index: IndexRecord) -> None:
    """Record that an index is gone; its id is never given again, so nothing under it is found."""
    recorder.delete(keys.index_name_key(index.user_id, index.name))
    recorder.delete_map(keys.index_key(index.index_id))
    recorder.put(keys.deleted_index_key(index.index_id), b"")
    recorder.touch_configuration()


def reap_deleted_index() -> Operation[bool]:
    """Return the operation that removes a bounded part of one deleted index; its result: is there more?"""

    def operation(view: View) -> tuple[Draft | None, bool]:
        marked = next(iter(view.scan(keys.DELETED_INDEXES)), None)
        if marked is None:
            return None, False
        index_id = marked[0][1:]
        recorder = Recorder(view, actor="reaper")
        left = REAPED_KEYS_PER_ENTRY
        for kind in keys.INDEX_OWNED_KINDS:
            for key, value in view.scan(kind + index_id):
                if left == 0:
                    return recorder.draft(), True
                left -= 1
                if kind == b"f":
                    recorder.release_file(FileRecord.unpack(value))
                if value[:1] == BLOB_MARK:
                    recorder.delete_map(key)
                else:
                    recorder.delete(key)
        recorder.delete(marked[0])
        return recorder.draft(), True

    return operation


def public_options(index: IndexRecord, reader: Identity = NOBODY) -> Fields:
    """Return the options as devpi shows them; user and password in ``mirror_url`` only to who may change it."""
    options = dict(index.options)
    if index.has_credentials and not allows_on(reader, Permission.INDEX_MODIFY, index):
        options["mirror_url"] = without_credentials(options["mirror_url"])
    return options


def show_index(view: View, index: IndexRecord, *, projects: bool, reader: Identity = NOBODY) -> Fields:
    """Return devpi's ``indexconfig``; the projects are those of this index only."""
    shown = public_options(index, reader)
    if projects:
        shown["projects"] = [name for name, _ in projects_of(view, index.index_id)]
    return shown
