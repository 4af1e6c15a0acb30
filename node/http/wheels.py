"""What an uploaded archive says of itself; pages are made from that, not from the upload's form."""

import email.parser
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import (
    InvalidWheelFilename,
    canonicalize_name,
    canonicalize_version,
    parse_wheel_filename,
)

from node.errors import BadRequest
from node.mirror.errors import WheelBroken
from node.mirror.wheelzip import read_wheel_metadata


@dataclass(frozen=True, slots=True)
class Archive:
    """What pages need to know of an archive."""

    metadata: bytes | None  # the METADATA of a wheel, byte for byte
    requires_python: str | None


def read_release_archive(path: Path, filename: str, name: str, version: str) -> Archive:
    """Read a wheel's metadata and compare it with what was sent; other archives are taken as they are.

    Raises:
        BadRequest: the file name is no wheel's, the archive cannot be read, or name or version differ.

    """
    if not filename.endswith(".whl"):
        return Archive(None, None)
    try:
        file_project, file_version, _, _ = parse_wheel_filename(filename)
        metadata = read_wheel_metadata(path)
    except (InvalidWheelFilename, WheelBroken) as error:
        raise BadRequest(f"{filename!r} is not a valid wheel: {error}") from error
    message = email.parser.BytesHeaderParser().parsebytes(metadata)
    inside_name, inside_version = str(message.get("Name", "")), str(message.get("Version", ""))
    if canonicalize_name(name) != file_project or canonicalize_name(inside_name) != file_project:
        raise BadRequest(f"the wheel {filename!r} is of project {inside_name!r}, not {name!r}")
    if not _same_version(version, str(file_version)) or not _same_version(inside_version, version):
        raise BadRequest(f"the wheel {filename!r} is of version {inside_version!r}, not {version!r}")
    requires_python = message.get("Requires-Python")
    return Archive(metadata, None if requires_python is None else str(requires_python).strip() or None)


def _same_version(left: str, right: str) -> bool:
    return canonicalize_version(left) == canonicalize_version(right)
