"""What an uploaded archive says of itself; pages are made from that, not from the upload's form."""

import email.parser
import zipfile
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import (
    InvalidWheelFilename,
    canonicalize_name,
    canonicalize_version,
    parse_wheel_filename,
)

from node.errors import BadRequest
from node.http.archives import check_zip
from node.mirror.errors import WheelBroken
from node.mirror.wheelzip import read_wheel_metadata

_REQUIRED = ("METADATA", "WHEEL", "RECORD")


@dataclass(frozen=True, slots=True)
class Archive:
    """What pages need to know of an archive."""

    metadata: bytes | None  # the METADATA of a wheel, byte for byte
    requires_python: str | None


def read_release_archive(path: Path, filename: str, name: str, version: str) -> Archive | None:
    """Read a wheel's metadata and compare it with what was sent; None for other archives, taken as they are.

    Raises:
        BadRequest: the file name is no wheel's, the archive cannot be read, or name or version differ.

    """
    if not filename.endswith(".whl"):
        return None
    try:
        file_project, file_version, _, _ = parse_wheel_filename(filename)
        metadata = read_wheel_metadata(path)
        with zipfile.ZipFile(path) as archive:
            check_zip(archive, path)
            _check_folder(archive, filename)
    except (InvalidWheelFilename, WheelBroken, zipfile.BadZipFile) as error:
        raise BadRequest(f"{filename!r} is not a valid wheel: {error}") from error
    message = email.parser.BytesHeaderParser().parsebytes(metadata)
    inside_name, inside_version = _field(message, "Name"), _field(message, "Version")
    if not _field(message, "Metadata-Version"):
        raise BadRequest(f"the METADATA in {filename!r} has no Metadata-Version")
    if canonicalize_name(name) != file_project or canonicalize_name(inside_name) != file_project:
        raise BadRequest(f"the wheel {filename!r} is of project {inside_name!r}, not {name!r}")
    if not _same_version(version, str(file_version)) or not _same_version(inside_version, version):
        raise BadRequest(f"the wheel {filename!r} is of version {inside_version!r}, not {version!r}")
    return Archive(metadata, checked_requires_python(_field(message, "Requires-Python")))


def checked_requires_python(given: str) -> str | None:
    """Return the versions of Python that a file wants, None for all.

    Raises:
        BadRequest: it is no specifier; uv would not see the file, pip would try it anywhere.

    """
    text = " ".join(given.split())
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        raise BadRequest(f"invalid metadata: Requires-Python {text!r} is no version specifier") from None
    return text or None


def _check_folder(archive: zipfile.ZipFile, filename: str) -> None:
    """Check the files that make an archive a wheel, in the folder that is named as the wheel is.

    Raises:
        BadRequest: one of them is missing, or the folder has another name.

    """
    names = set(archive.namelist())
    metadata = (name for name in names if name.endswith(".dist-info/METADATA") and name.count("/") == 1)
    folder = next(metadata, "").partition("/")[0]
    missing = [required for required in _REQUIRED if f"{folder}/{required}" not in names]
    if missing:
        raise BadRequest(f"the wheel {filename!r} does not contain the required {missing[0]} file")
    project, _, version = folder.removesuffix(".dist-info").rpartition("-")
    file_project, file_version, *_ = filename.split("-")
    if canonicalize_name(project) != canonicalize_name(file_project) or not _same_version(
        version.replace("_", "+"), file_version.replace("_", "+")
    ):
        raise BadRequest(f"the wheel {filename!r} has its metadata in {folder!r}")


def _field(message: Message, name: str) -> str:
    value = message.get(name)
    return "" if value is None else str(value).strip()


def _same_version(left: str, right: str) -> bool:
    return canonicalize_version(left) == canonicalize_version(right)
