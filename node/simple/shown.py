"""One file as a page shows it, whether it is hosted here or mirrored."""

from dataclasses import dataclass

from node.catalog.records import FileRecord, IndexRecord
from node.catalog.times import iso_micros
from node.mirror.page import MirrorFile


@dataclass(frozen=True, slots=True)
class ShownFile:
    """Everything that the JSON and the HTML form say of a file."""

    filename: str
    path: str  # user/index/+f/abc/0123456789abc/name, not quoted
    hashes: dict[str, str]
    size_bytes: int | None
    upload_time: str | None  # PEP 700
    requires_python: str | None
    core_metadata: bool | dict[str, str]
    yanked: bool | str  # a reason is never empty
    provenance: str | None
    version: str | None


def hosted(index: IndexRecord, record: FileRecord) -> ShownFile:
    """Return a hosted file as pages show it."""
    sha256 = record.metadata_sha256
    return ShownFile(
        filename=record.filename,
        path=f"{index.full_name}/{record.address}",
        hashes={"sha256": record.sha256_hex},
        size_bytes=record.size_bytes,
        upload_time=iso_micros(record.uploaded_ms),
        requires_python=record.requires_python or None,
        core_metadata=False if sha256 is None else {"sha256": sha256.hex()},
        yanked=(record.yank_reason or True) if record.yanked else False,
        provenance=None,
        version=record.version,
    )


def mirror_address(file: MirrorFile) -> str:
    """Return the part of a mirrored file's URL after the index; the same before and after it is cached."""
    key = file.link_key
    return f"+f/{key[:3]}/{key[3:]}/{file.filename}"


def mirrored(index: IndexRecord, file: MirrorFile) -> ShownFile:
    """Return a mirrored file as pages show it, at an address on this host.

    Core metadata is advertised for every wheel: where upstream has none it is taken from the
    wheel when it is first asked for, so its hash is not known yet.
    """
    advertised: bool | dict[str, str] = False
    if file.filename.endswith(".whl"):
        advertised = (
            file.core_metadata if isinstance(file.core_metadata, dict) and file.core_metadata else True
        )
    return ShownFile(
        filename=file.filename,
        path=f"{index.full_name}/{mirror_address(file)}",
        hashes=file.hashes,
        size_bytes=file.size,
        upload_time=file.upload_time,
        requires_python=file.requires_python or None,
        core_metadata=advertised,
        yanked=file.yanked,
        provenance=file.provenance,
        version=file.version,
    )
