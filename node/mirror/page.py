"""A project's page as a mirror knows it, and its record.

The body is what upstream says, and nothing of when or by whom it was asked, so that its digest is the same
on every node. All records are msgpack arrays.

=========  ==================================================================================================
record     fields in order
=========  ==================================================================================================
body       version (1), project, status or nil, last_serial or nil, [version ...], [file ...]
file       filename, url, hashes, size, upload_time, requires_python, yanked, core_metadata, provenance,
           version; nil where upstream says nothing
page       version (1), fetched_at (seconds, UTC), etag or nil, last_modified or nil, body (bytes)
=========  ==================================================================================================
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgpack

from node.mirror.errors import RecordCorrupt

RECORD_VERSION = 1


@dataclass(frozen=True, slots=True)
class MirrorFile:
    """One file on an upstream page; ``None`` where upstream says nothing."""

    filename: str
    url: str  # absolute, at upstream, without fragment and credentials
    hashes: dict[str, str]  # lower-case hex by hashlib's name, sha256 first; may be empty
    size: int | None = None  # bytes
    upload_time: str | None = None  # YYYY-MM-DDTHH:MM:SS.ffffffZ
    requires_python: str | None = None
    yanked: bool | str = False  # True, or a reason that is not empty
    core_metadata: bool | dict[str, str] = False
    provenance: str | None = None
    version: str | None = None  # normalized, from the filename; None when that cannot be parsed

    @property
    def sha256(self) -> str | None:
        """The SHA-256 upstream promises, in hex."""
        return self.hashes.get("sha256")

    @property
    def link_key(self) -> str:
        """16 hex digits that, with the filename, find this file again: of its SHA-256, else of its URL's."""
        return (self.sha256 or hashlib.sha256(self.url.encode()).hexdigest())[:16]


@dataclass(frozen=True, slots=True)
class Validators:
    """What makes the next request conditional, exactly as upstream sent it."""

    etag: str | None = None
    last_modified: str | None = None


NO_VALIDATORS = Validators()


@dataclass(frozen=True, slots=True)
class MirrorPage:
    """All files of one project, as upstream listed them at ``fetched_at``."""

    project: str  # normalized
    files: tuple[MirrorFile, ...]
    versions: tuple[str, ...]
    status: dict[str, str] | None
    last_serial: int | None
    digest: str  # SHA-256 of the body record, hex; the same on every node
    fetched_at: float  # seconds since the epoch
    is_stale: bool = False  # upstream could not be asked when it was time to


@dataclass(frozen=True, slots=True)
class MirrorLink:
    """A file together with the project whose page listed it."""

    project: str
    file: MirrorFile


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A page and the validators it came with."""

    page: MirrorPage
    validators: Validators = NO_VALIDATORS
    must_ask: bool = False  # somebody asked for a refresh; do not trust its age


def make_page(
    *,
    project: str,
    files: tuple[MirrorFile, ...],
    versions: tuple[str, ...],
    status: dict[str, str] | None = None,
    last_serial: int | None = None,
    fetched_at: float = 0.0,
) -> MirrorPage:
    """Build a page and its digest."""
    body = _encode_body(project, files, versions, status, last_serial)
    return MirrorPage(
        project=project,
        files=files,
        versions=versions,
        status=status,
        last_serial=last_serial,
        digest=hashlib.sha256(body).hexdigest(),
        fetched_at=fetched_at,
    )


def without_serial(page: MirrorPage) -> MirrorPage:
    """Return the page of an upstream whose serials mean nothing."""
    return make_page(
        project=page.project,
        files=page.files,
        versions=page.versions,
        status=page.status,
        fetched_at=page.fetched_at,
    )


def is_older(page: MirrorPage, known: MirrorPage) -> bool:
    """Say whether ``page`` is an earlier one than is known, by upstream's serials.

    A refresh must not bring an older page either; a changed upstream has another generation.
    """
    return (
        page.last_serial is not None
        and known.last_serial is not None
        and page.last_serial < known.last_serial
    )


def offline_page(page: MirrorPage, is_here: Callable[[MirrorFile], bool]) -> MirrorPage:
    """Return the page reduced to the files whose bytes are here."""
    files = tuple(file for file in page.files if is_here(file))
    present = {file.version for file in files}
    return replace(
        make_page(
            project=page.project,
            files=files,
            versions=tuple(version for version in page.versions if version in present),
            status=page.status,
            last_serial=page.last_serial,
            fetched_at=page.fetched_at,
        ),
        is_stale=page.is_stale,
    )


def encode_page(page: MirrorPage, validators: Validators = NO_VALIDATORS) -> bytes:
    """Encode a page for the cache, or for a replica that asked the primary."""
    body = _encode_body(page.project, page.files, page.versions, page.status, page.last_serial)
    return _pack([RECORD_VERSION, page.fetched_at, validators.etag, validators.last_modified, body])


def decode_page(record: bytes) -> StoredPage:
    """Read what :func:`encode_page` wrote.

    Raises:
        RecordCorrupt: the bytes are not such a record.

    """
    try:
        version, fetched_at, etag, last_modified, body = msgpack.unpackb(record)
        _check_version("page", version)
        version, project, status, last_serial, versions, files = msgpack.unpackb(body)
        _check_version("page body", version)
        page = MirrorPage(
            project=project,
            files=tuple(MirrorFile(*fields) for fields in files),
            versions=tuple(versions),
            status=status,
            last_serial=last_serial,
            digest=hashlib.sha256(body).hexdigest(),
            fetched_at=float(fetched_at),
        )
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise RecordCorrupt("page", str(error) or type(error).__name__) from error
    return StoredPage(page, Validators(etag, last_modified))


def encode_link(link: MirrorLink) -> bytes:
    """Encode a link for the cache."""
    return _pack([RECORD_VERSION, link.project, _file_fields(link.file)])


def decode_link(record: bytes) -> MirrorLink:
    """Read what :func:`encode_link` wrote.

    Raises:
        RecordCorrupt: the bytes are not such a record.

    """
    try:
        version, project, fields = msgpack.unpackb(record)
        _check_version("link", version)
        return MirrorLink(project, MirrorFile(*fields))
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise RecordCorrupt("link", str(error) or type(error).__name__) from error


def _encode_body(
    project: str,
    files: tuple[MirrorFile, ...],
    versions: tuple[str, ...],
    status: dict[str, str] | None,
    last_serial: int | None,
) -> bytes:
    return _pack(
        [RECORD_VERSION, project, status, last_serial, versions, [_file_fields(file) for file in files]]
    )


def _file_fields(file: MirrorFile) -> list[Any]:
    return [
        file.filename,
        file.url,
        file.hashes,
        file.size,
        file.upload_time,
        file.requires_python,
        file.yanked,
        file.core_metadata,
        file.provenance,
        file.version,
    ]


def _check_version(kind: str, version: object) -> None:
    if version != RECORD_VERSION:
        raise RecordCorrupt(kind, f"version {version!r} is not {RECORD_VERSION}")


def _pack(value: list[Any]) -> bytes:
    packed: bytes = msgpack.packb(value)
    return packed
