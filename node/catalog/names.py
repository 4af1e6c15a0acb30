"""Names as clients spell them, and the one spelling that is stored."""

import re

from node.errors import BadRequest

PROJECT_NAME_CHARACTERS_MAX = 128
VERSION_CHARACTERS_MAX = 128
FILENAME_BYTES_MAX = 255
OWNER_NAME_BYTES_MAX = 128

_SEPARATORS = re.compile(r"[^A-Za-z0-9]+")
_PROJECT_NAME = re.compile(r"[A-Za-z0-9._-]+")
_FORBIDDEN_IN_OWNER_NAMES = re.compile(r"[\x00-\x20!\"#$%&'()*+,/:;<=>?\[\\\]^`{|}~]")
_FORBIDDEN_IN_METADATA = re.compile(r"[<>%#\"]")
_ARCHIVE_NAME = re.compile(r".*\.(exe|tar\.gz|bz2|rpm|deb|zip|tgz|egg|dmg|msi|whl)")
_NOT_LITERAL = re.compile(r"[^\w.]+")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


def normalize_project(name: str) -> str:
    """Return the one spelling of a project name that is stored and served.

    PEP 503 collapses runs of ``-_.``; devpi collapses every run of other characters, which
    agrees for all valid names. A name of separators alone becomes ``-``.
    """
    return _SEPARATORS.sub("-", name).lower()


def check_owner_name(kind: str, name: str) -> None:
    """Refuse user and index names that devpi refuses, and those too long for a key.

    Raises:
        BadRequest: the name is empty, too long, or has a blocked character.

    """
    if _FORBIDDEN_IN_OWNER_NAMES.search(name):
        message = f"{kind} '{name}' contains characters that aren't allowed. Any ascii symbol besides -.@_ is blocked."
        raise BadRequest(message)
    if not name or len(name.encode()) > OWNER_NAME_BYTES_MAX:
        raise BadRequest(f"{kind} must have between 1 and {OWNER_NAME_BYTES_MAX} bytes")


def check_release_name(name: str, version: str) -> None:
    """Refuse metadata whose name or version cannot name a release (devpi's ``validate_metadata``).

    Raises:
        BadRequest: with ``invalid metadata: `` and what is wrong.

    """
    problem = None
    if not name:
        problem = 'Missing required field "name"'
    elif not version:
        problem = 'Missing required field "version"'
    elif not _PROJECT_NAME.fullmatch(name):
        problem = "Invalid package name. Names must contain only ASCII letters, digits, underscores, hyphens, and periods"
    elif not name[0].isalnum():
        problem = "Invalid package name. Names must start with an ASCII letter or digit"
    elif not name[-1].isalnum():
        problem = "Invalid package name. Names must end with an ASCII letter or digit"
    elif _FORBIDDEN_IN_METADATA.search(version):
        problem = "Invalid package name or version (URL safety)"
    elif "/" in version or _UNPRINTABLE.search(version):
        problem = f"version {version!r} contains a character that is not allowed"
    elif len(name) > PROJECT_NAME_CHARACTERS_MAX or len(version.encode()) > VERSION_CHARACTERS_MAX:
        problem = f"name or version is longer than {PROJECT_NAME_CHARACTERS_MAX} characters"
    if problem:
        raise BadRequest(f"invalid metadata: {problem}")


def check_filename(name: str, version: str, filename: str) -> None:
    """Refuse a file name that does not belong to the release, in devpi's order and words.

    Raises:
        BadRequest: the name does not contain the version, is no archive's, is not the
            project's, or could not be a file name.

    """
    if not filename or "/" in filename or "\\" in filename or _UNPRINTABLE.search(filename):
        raise BadRequest(f"{filename!r} is not a valid file name")
    if len(filename.encode()) > FILENAME_BYTES_MAX:
        raise BadRequest(f"file names are at most {FILENAME_BYTES_MAX} bytes long")
    if version not in filename and _NOT_LITERAL.sub("_", version) not in filename:
        raise BadRequest(f"filename {filename!r} does not contain version {version!r}")
    if not _ARCHIVE_NAME.fullmatch(filename.lower()):
        raise BadRequest(f"{filename!r} is not a valid archive name")
    if not normalize_project(filename).startswith(normalize_project(name)):
        raise BadRequest(f"filename {filename!r} does not match project name {name!r}")
