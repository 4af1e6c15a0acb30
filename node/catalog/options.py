"""Index options: which there are, their defaults, and how values are normalised (devpi's rules and words)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from node.catalog.names import normalize_project
from node.catalog.records import Fields
from node.errors import BadRequest
from node.mirror.errors import UpstreamUrlRefused
from node.mirror.source import split_credentials

REMOVED = object()
"""A value that means: drop the option."""

STAGE = "stage"
MIRROR = "mirror"
CACHE_EXPIRY_SECONDS_MAX = 1 << 53
_DROPPED_ON_STAGES = ("pypi_whitelist",)
_DROPPED_ON_MIRRORS = ("bases", "acl_upload", "mirror_whitelist", "pypi_whitelist")
_OTHER_NAMES = {"acl_pkg_read": "acl_read"}
"""Names that plugins of devpi give to options which are part of Wheelyard."""

BaseLookup = Callable[[str], bool | None]
"""Says whether a base ``user/index`` exists; None when the words are no such pair."""


def stage_defaults(owner: str) -> Fields:
    """Return the options that a new private index has, in devpi's order."""
    return {
        "volatile": True,
        "acl_upload": [owner],
        "acl_toxresult_upload": [":ANONYMOUS:"],
        "bases": [],
        "mirror_whitelist": [],
        "mirror_whitelist_inheritance": "intersection",
    }


def parse_boolean(value: Any) -> bool:
    """Return what devpi reads as true or false.

    Raises:
        BadRequest: it is neither.

    """
    if isinstance(value, bool):
        return value
    lowered = value.lower() if isinstance(value, str) else None
    if lowered in {"true", "yes"}:
        return True
    if lowered in {"false", "no"}:
        return False
    raise BadRequest(f"Unknown boolean value {value!r}.")


def parse_list(value: Any) -> list[str]:
    """Return a list that was given as one, or as text with commas.

    Raises:
        BadRequest: it is neither.

    """
    if isinstance(value, list | tuple):
        return [_text(item) for item in value]
    if isinstance(value, str):
        return [item.strip() for item in value.split(",") if item.strip()]
    raise BadRequest(f"Unknown list value {value!r}.")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise BadRequest(f"Unknown list value {value!r}.")
    return value


def _parse_acl(value: Any) -> list[str]:
    names = parse_list(value)
    return [name.upper() if name.upper() in {":ANONYMOUS:", ":AUTHENTICATED:"} else name for name in names]


def _parse_whitelist(value: Any) -> list[str]:
    return [name if name == "*" else normalize_project(name) for name in parse_list(value)]


def _parse_inheritance(value: Any) -> str:
    lowered = value.lower() if isinstance(value, str) else value
    if lowered not in {"intersection", "union"}:
        raise BadRequest(
            f"Unknown value '{lowered}' for mirror_whitelist_inheritance, must be 'intersection' or 'union'."
        )
    return str(lowered)


def _parse_mirror_url(value: Any) -> str:
    if not isinstance(value, str) or not value.startswith(("http://", "https://")):
        raise BadRequest("'mirror_url' option must be a URL.")
    try:
        split_credentials(value)
    except UpstreamUrlRefused as error:
        raise BadRequest(f"'mirror_url' option must be a URL: {error.reason}") from None
    return value


def _parse_integer(value: Any) -> int:
    try:
        seconds = int(value)
    except (TypeError, ValueError, OverflowError):
        raise BadRequest("'mirror_cache_expiry' option must be an integer") from None
    if abs(seconds) > CACHE_EXPIRY_SECONDS_MAX:
        raise BadRequest(
            f"'mirror_cache_expiry' option must be an integer of at most {CACHE_EXPIRY_SECONDS_MAX} seconds"
        )
    return seconds


def _keep(value: Any) -> Any:
    return value


_STAGE_PARSERS: Mapping[str, Callable[[Any], Any]] = {
    "volatile": parse_boolean,
    "acl_upload": _parse_acl,
    "acl_toxresult_upload": _parse_acl,
    "acl_read": _parse_acl,
    "mirror_whitelist": _parse_whitelist,
    "mirror_whitelist_inheritance": _parse_inheritance,
    "custom_data": _keep,
    "description": _keep,
    "title": _keep,
}
_MIRROR_PARSERS: Mapping[str, Callable[[Any], Any]] = {
    "volatile": parse_boolean,
    "acl_read": _parse_acl,
    "mirror_url": _parse_mirror_url,
    "mirror_cache_expiry": _parse_integer,
    "mirror_ignore_serial_header": parse_boolean,
    "mirror_no_project_list": parse_boolean,
    "mirror_provides_core_metadata": parse_boolean,
    "mirror_use_external_urls": parse_boolean,
    "mirror_web_url_fmt": _keep,
    "custom_data": _keep,
    "description": _keep,
    "title": _keep,
}


def parse_bases(value: Any, base_exists: BaseLookup) -> list[str]:
    """Return the bases as ``user/index``, each of which exists.

    Raises:
        BadRequest: names every base that does not exist or is no ``user/index``.

    """
    problems, bases = [], []
    for given in parse_list(value):
        base = given.strip("/")
        exists = base_exists(base)
        if exists is None:
            problems.append(f"invalid base index spec: {given!r}")
        elif not exists:
            problems.append(f"base index {given!r} does not exist")
        else:
            bases.append(base)
    if problems:
        raise BadRequest(", ".join(problems))
    return bases


def normalize_options(kind: str, given: Mapping[str, Any], base_exists: BaseLookup) -> Fields:
    """Return the given options in their stored form; REMOVED values stay as they are.

    Raises:
        BadRequest: an unknown option, or a value that does not fit, with devpi's sentence.

    """
    dropped = _DROPPED_ON_MIRRORS if kind == MIRROR else _DROPPED_ON_STAGES
    given = {key: value for key, value in given.items() if key not in dropped}
    parsers = _MIRROR_PARSERS if kind == MIRROR else _STAGE_PARSERS
    known = {*parsers, "bases"} if kind == STAGE else set(parsers)
    unknown = {key: value for key, value in given.items() if key not in known and value is not REMOVED}
    if unknown:
        listed = ", ".join(f"{key}={value}" for key, value in unknown.items())
        raise BadRequest(f"indexconfig got unexpected keyword arguments: {listed}")
    defaults = stage_defaults("") if kind == STAGE else {"volatile": True}
    if any(value is REMOVED and key in defaults for key, value in given.items()):
        raise BadRequest("Default values can't be removed.")
    return {key: _parse(key, value, parsers, base_exists) for key, value in given.items()}


def _parse(key: str, value: Any, parsers: Mapping[str, Callable[[Any], Any]], base_exists: BaseLookup) -> Any:
    if value is REMOVED:
        return value
    return parse_bases(value, base_exists) if key == "bases" else parsers[key](value)


def with_known_names(given: Mapping[str, Any]) -> Fields:
    """Return options under the names that are stored."""
    return {_OTHER_NAMES.get(key, key): value for key, value in given.items()}


def apply_operations(options: Fields, operations: Sequence[Any]) -> Fields:
    """Return options after devpi's list of ``key=value``, ``key+=value``, ``key-=value``, ``key-=``.

    Raises:
        BadRequest: an item is no such text, or removes a value that is not there.

    """
    changed = dict(options)
    for operation in operations:
        if not isinstance(operation, str):
            raise BadRequest(f"invalid operation {operation!r}, expected key=value, key+=value or key-=value")
        word, _, value = operation.partition("=")
        key = word.removesuffix("+") if word.endswith("+") else word.removesuffix("-")
        key = _OTHER_NAMES.get(key, key)
        if word.endswith("+"):
            changed[key] = _added(changed, key, value)
        elif word.endswith("-"):
            changed[key] = _without(changed, key, value) if value else REMOVED
        else:
            changed[key] = value
    return changed


def _added(options: Fields, key: str, value: str) -> list[str]:
    current = _current_list(options, key)
    return current if value in current else [*current, value]


def _without(options: Fields, key: str, value: str) -> list[str]:
    current = _current_list(options, key)
    if value not in current:
        raise BadRequest(f"The '{key}' setting doesn't have value '{value}'")
    return [item for item in current if item != value]


def _current_list(options: Fields, key: str) -> list[str]:
    current = options.get(key)
    if not isinstance(current, list):
        raise BadRequest(f"The '{key}' setting is not a list that has values.")
    return current
