"""What an API token is limited to, as devpi-tokens spells it: read from JSON, stored, and shown.

==============  ==========================  ==================================================
key             given as                    means
==============  ==========================  ==================================================
``allowed``     list of permissions         devpi's names, or ``read``, ``upload``, ``delete``
``indexes``     list of ``user/index``      these indexes, and to read also what they show of their bases
``projects``    list of project names       these projects, and nothing about an index as a whole
``expires``     Unix seconds or ``never``   devpi-tokens' default is a year and a day
``not_before``  Unix seconds                of no use before
``note``        text                        for people who look at the list
==============  ==========================  ==================================================
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from node.catalog.names import normalize_project
from node.catalog.permissions import NEVER_BY_TOKEN, Permission
from node.errors import BadRequest, Forbidden

LIFETIME_SECONDS_MAX = 366 * 24 * 3600
"""Of a token that does not belong to an administrator; also the default."""
NOTE_CHARACTERS_MAX = 200
ITEMS_MAX = 200
"""Indexes, or projects, that one token may be limited to: its record stays small."""
NEVER = "never"

_SHORT_NAMES: Mapping[str, tuple[Permission, ...]] = {
    "read": (Permission.PKG_READ,),
    "upload": (Permission.UPLOAD,),
    "delete": (Permission.DEL_ENTRY, Permission.DEL_VERDATA, Permission.DEL_PROJECT),
}
_KEYS = ("allowed", "expires", "indexes", "not_before", "note", "projects")


@dataclass(frozen=True, slots=True)
class Restrictions:
    """The limits of a token as they were asked for; None where there is none. Times are Unix milliseconds."""

    allowed: tuple[Permission, ...] | None
    indexes: tuple[str, ...] | None  # user/index
    projects: tuple[str, ...] | None  # normalised
    expires_ms: int | None
    not_before_ms: int | None
    note: str


def parse_restrictions(given: Mapping[str, Any], *, now_ms: int, is_admin: bool) -> Restrictions:
    """Return the limits that a request asks for.

    Args:
        given: the JSON object of the request.
        now_ms: the time, as Unix milliseconds.
        is_admin: whether longer than ``LIFETIME_SECONDS_MAX`` may be asked for.

    Raises:
        BadRequest: an unknown key, or a value that does not fit, in devpi-tokens' words where it has them.
        Forbidden: only an administrator gives a token so long a life.

    """
    unknown = sorted(set(given) - set(_KEYS))
    if unknown:
        raise BadRequest(f"Unknown restriction {unknown[0]!r}.")
    allowed = _names(given, "allowed")
    projects = _names(given, "projects")
    note = given.get("note", "")
    if not isinstance(note, str) or len(note) > NOTE_CHARACTERS_MAX or not note.isprintable():
        raise BadRequest(f"The note must be text of one line and at most {NOTE_CHARACTERS_MAX} characters")
    not_before = given.get("not_before")
    return Restrictions(
        allowed=None if allowed is None else _permissions(allowed),
        indexes=_names(given, "indexes"),
        projects=None if projects is None else tuple(sorted({normalize_project(name) for name in projects})),
        expires_ms=_expiry_ms(given.get("expires"), now_ms=now_ms, is_admin=is_admin),
        not_before_ms=None if not_before is None else _seconds(not_before, "not before") * 1000,
        note=note,
    )


def described(record: Mapping[str, Any]) -> list[str]:
    """Return a token record's limits as devpi-tokens lists them: ``key=value``, in order of their keys."""
    lists = {
        "allowed": record["allowed"],
        "indexes": None if record["indexes"] is None else [name for _, name in record["indexes"]],
        "projects": record["projects"],
    }
    words = {key: ",".join(names) for key, names in lists.items() if names is not None}
    words["expires"] = NEVER if record["expires_ms"] is None else str(record["expires_ms"] // 1000)
    if record["not_before_ms"] is not None:
        words["not_before"] = str(record["not_before_ms"] // 1000)
    return [f"{key}={words[key]}" for key in sorted(words)]


def _names(given: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    value = given.get(key)
    if value is None:
        return None
    if not isinstance(value, list):
        raise BadRequest(f"The {key} restriction must be a list")
    for number, item in enumerate(value, 1):
        if not isinstance(item, str):
            raise BadRequest(f"Item at position {number} is not a string in {key} list")
        if not item.strip():
            raise BadRequest(f"Empty item at position {number} in {key} list")
    if len(value) > ITEMS_MAX:
        raise BadRequest(f"The {key} restriction has more than {ITEMS_MAX} items")
    return tuple(sorted({item.strip() for item in value}))


def _permissions(names: tuple[str, ...]) -> tuple[Permission, ...]:
    found: set[Permission] = set()
    known = {permission.value: permission for permission in Permission}
    for name in names:
        if name in _SHORT_NAMES:
            found.update(_SHORT_NAMES[name])
            continue
        permission = known.get(name)
        if permission is None:
            raise BadRequest(f"Unknown permission {name!r} in allowed list")
        if permission in NEVER_BY_TOKEN:
            raise BadRequest(f"The permission {name!r} is not given to tokens")
        found.add(permission)
    return tuple(sorted(found, key=lambda permission: permission.value))


def _seconds(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise BadRequest(f"Invalid value {value!r} for {what}")
    try:
        seconds = int(value)
    except (ValueError, OverflowError):
        raise BadRequest(f"Invalid value {value!r} for {what}") from None
    if not 0 <= seconds < 1 << 40:
        raise BadRequest(f"Invalid value {value!r} for {what}")
    return seconds


def _expiry_ms(value: Any, *, now_ms: int, is_admin: bool) -> int | None:
    if value == NEVER:
        if not is_admin:
            raise Forbidden("Not allowed to create token with no expiration")
        return None
    if value is None:
        return now_ms + LIFETIME_SECONDS_MAX * 1000
    expires_ms = _seconds(value, "expiration") * 1000
    if expires_ms <= now_ms:
        raise BadRequest("Can't set expiration before current time")
    # A client that adds a year to its own clock, which may be fast, asks for no more than that.
    if expires_ms > now_ms + (LIFETIME_SECONDS_MAX + 3600) * 1000 and not is_admin:
        raise Forbidden("Not allowed to set expiration to more than one year")
    return expires_ms
