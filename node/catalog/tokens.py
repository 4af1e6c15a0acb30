"""API tokens: make, list, revoke, and find the one that was sent. Of a token only its digest is known here."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from node.catalog import keys
from node.catalog.lookups import find_index, find_user, index_by_id, search_path, user_record
from node.catalog.permissions import Identity, Permission, Scope, allows
from node.catalog.recorder import Recorder
from node.catalog.records import Fields, unpack_map
from node.catalog.restrictions import Restrictions, described
from node.catalog.times import iso_seconds
from node.errors import BadRequest, Conflict, Forbidden, NotFound, UserUnknown
from storage.draft import Draft, Operation
from storage.view import View

TOKENS_PER_USER_MAX = 500
"""With all of them a deleted user's entry stays far below its limit."""
_TOKEN_ID = re.compile(r"[A-Za-z0-9]{1,32}")


@dataclass(frozen=True, slots=True)
class OwnedToken:
    """A token that exists, with who owns it now."""

    owner: str
    owner_id: int
    record: Fields
    scope: Scope

    def is_usable(self, now_ms: int) -> bool:
        """Say whether its time has come and is not over."""
        begins, ends = self.record["not_before_ms"] or 0, self.record["expires_ms"]
        return bool(begins <= now_ms and (ends is None or now_ms < ends))


def check_token_manager(view: View, user: str, actor: Identity) -> int:
    """Return the id of a user whose tokens ``actor`` may make, list and revoke.

    Raises:
        UserUnknown: there is no such user.
        Forbidden: ``actor`` is neither the user nor an administrator, or came with a token.

    """
    found = find_user(view, user)
    if found is None:
        raise UserUnknown(user)
    if not allows(actor, Permission.USER_TOKENS, user=user):
        raise Forbidden(f"no permission to manage tokens of user {user}")
    return found[0]


def create_token(
    user: str,
    restrictions: Restrictions,
    *,
    token_id: str,
    sha256: bytes,
    actor: Identity,
    now_ms: int,
) -> Operation[Fields]:
    """Return the operation that makes a token; its result is the token as lists show it.

    Tokens of the user that have expired go with the same entry.
    Its refusals: UserUnknown, Forbidden, BadRequest (an index is not there), Conflict (there are too many).
    """

    def operation(view: View) -> tuple[Draft, Fields]:
        user_id = check_token_manager(view, user, actor)
        recorder = Recorder(view, actor=actor.user)
        kept = 0
        for other_id, record in _tokens_of(view, user_id):
            if record["expires_ms"] is not None and record["expires_ms"] <= now_ms:
                _record_removal(recorder, user_id, other_id)
            else:
                kept += 1
        if kept >= TOKENS_PER_USER_MAX:
            raise Conflict(f"user {user!r} has {kept} tokens; revoke some first")
        if view.get(keys.token_owner_key(token_id)) is not None:
            raise Conflict("the token's id is taken; ask again")
        record = {
            "sha256": sha256,
            "created_ms": now_ms,
            "expires_ms": restrictions.expires_ms,
            "not_before_ms": restrictions.not_before_ms,
            "allowed": _values(restrictions.allowed),
            "indexes": _index_ids(view, restrictions.indexes),
            "projects": None if restrictions.projects is None else list(restrictions.projects),
            "note": restrictions.note,
        }
        recorder.put_map(keys.token_key(user_id, token_id), record)
        recorder.put(keys.token_owner_key(token_id), keys.pack_id(user_id))
        return recorder.draft(), public_token(record)

    return operation


def revoke_token(user: str, token_id: str, *, actor: Identity) -> Operation[None]:
    """Return the operation that ends a token.

    Its refusals: UserUnknown, Forbidden, NotFound.
    """

    def operation(view: View) -> tuple[Draft, None]:
        user_id = check_token_manager(view, user, actor)
        if not _TOKEN_ID.fullmatch(token_id) or view.get(keys.token_key(user_id, token_id)) is None:
            raise NotFound(f"No token with id {token_id}")
        recorder = Recorder(view, actor=actor.user)
        _record_removal(recorder, user_id, token_id)
        return recorder.draft(), None

    return operation


def record_tokens_removal(view: View, recorder: Recorder, user_id: int) -> None:
    """Record that all tokens of a user go, with the user."""
    for token_id, _ in _tokens_of(view, user_id):
        _record_removal(recorder, user_id, token_id)


def list_tokens(view: View, user: str, *, actor: Identity) -> dict[str, Fields]:
    """Return a user's tokens by their ids, nothing secret.

    Raises:
        UserUnknown, Forbidden: as for ``check_token_manager``.

    """
    user_id = check_token_manager(view, user, actor)
    return {token_id: public_token(record) for token_id, record in _tokens_of(view, user_id)}


def public_token(record: Fields) -> Fields:
    """Return a token as devpi-tokens lists it, and when it was made and what for."""
    return {
        "restrictions": described(record),
        "created": iso_seconds(record["created_ms"]),
        "note": record["note"],
    }


def find_token(view: View, token_id: str) -> OwnedToken | None:
    """Return a token by its id, None when it was revoked or never made."""
    value = view.get(keys.token_owner_key(token_id))
    if value is None:
        return None
    owner_id = keys.unpack_id(value)
    stored = view.get(keys.token_key(owner_id, token_id))
    if stored is None:
        return None
    record = unpack_map(view, stored)
    return OwnedToken(user_record(view, owner_id)["username"], owner_id, record, _scope(view, record))


def _scope(view: View, record: Fields) -> Scope:
    """Return what a token may be used for, with today's bases of its indexes."""
    allowed, indexes, projects = (record[key] for key in ("allowed", "indexes", "projects"))
    index_ids = None if indexes is None else frozenset(index_id for index_id, _ in indexes)
    own = [index for index_id in index_ids or () if (index := index_by_id(view, index_id)) is not None]
    return Scope(
        permissions=None if allowed is None else frozenset(map(Permission, allowed)),
        index_ids=index_ids,
        path_ids=frozenset(shown.index_id for index in own for shown in search_path(view, index)),
        projects=None if projects is None else frozenset(projects),
    )


def _tokens_of(view: View, user_id: int) -> Iterator[tuple[str, Fields]]:
    prefix = keys.tokens_prefix(user_id)
    for key, value in view.scan(prefix):
        yield key[len(prefix) :].decode(), unpack_map(view, value)


def _record_removal(recorder: Recorder, user_id: int, token_id: str) -> None:
    recorder.delete_map(keys.token_key(user_id, token_id))
    recorder.delete(keys.token_owner_key(token_id))


def _values(allowed: tuple[Permission, ...] | None) -> list[str] | None:
    return None if allowed is None else [permission.value for permission in allowed]


def _index_ids(view: View, names: tuple[str, ...] | None) -> list[tuple[int, str]] | None:
    """Return the ids of indexes: a name that is given to another index later is not meant.

    Raises:
        BadRequest: one of them is not there.

    """
    if names is None:
        return None
    found = []
    for name in names:
        user, _, index_name = name.strip("/").partition("/")
        index = find_index(view, user, index_name)
        if index is None:
            raise BadRequest(f"index {name!r} does not exist")
        found.append((index.index_id, index.full_name))
    return found
