"""Making a mirrored file durable in the hosted store, where an entry may rest on it."""

import asyncio
import hashlib
from typing import TYPE_CHECKING

from node.catalog.releases import ReceivedFile
from node.mirror.cache import CachedFile
from node.mirror.errors import DownloadCorrupt, WheelBroken
from node.mirror.page import MirrorLink
from node.mirror.source import MirrorSource
from node.mirror.wheelzip import read_wheel_metadata

if TYPE_CHECKING:
    from node.services import Services
    from storage.blobs import BlobStore

COPIED_BYTES = 1 << 20


async def fetch_into_store(services: "Services", source: MirrorSource, link: MirrorLink) -> ReceivedFile:
    """Return a listed file, its bytes verified and durable in the hosted store.

    Raises:
        UpstreamDown, UpstreamFileMissing, DownloadCorrupt: the file cannot be had.
        OSError: the disk is full or failed.

    """
    opened = await services.mirror.file(source, link)
    if not isinstance(opened, CachedFile):
        await opened.until_kept()
        kept = services.mirror.cached_file(source, link)
        if kept is None:
            raise DownloadCorrupt(link.file.filename, "it was not kept")
        opened = kept
    return await asyncio.to_thread(_copy, services.store.blobs, opened, link)


def _copy(blobs: "BlobStore", cached: CachedFile, link: MirrorLink) -> ReceivedFile:
    file = link.file
    with blobs.writer(with_upload_digests=True) as writer, cached.path.open("rb") as source:
        while chunk := source.read(COPIED_BYTES):
            writer.write(chunk)
        if file.sha256 is not None and writer.sha256.hex() != file.sha256:
            raise DownloadCorrupt(file.filename, "the cached bytes are not those of the page")
        metadata = _metadata_of(file.filename, cached)
        blob = writer.commit()
    return ReceivedFile(
        filename=file.filename,
        sha256=blob.sha256,
        size_bytes=blob.size_bytes,
        filetype="bdist_wheel" if file.filename.endswith(".whl") else "sdist",
        pyversion=file.filename.split("-")[-3] if file.filename.endswith(".whl") else "source",
        requires_python=file.requires_python,
        metadata=metadata,
        metadata_sha256=None if metadata is None else hashlib.sha256(metadata).digest(),
        md5=writer.md5,
        blake2_256=writer.blake2b,
    )


def _metadata_of(filename: str, cached: CachedFile) -> bytes | None:
    if not filename.endswith(".whl"):
        return None
    try:
        return read_wheel_metadata(cached.path)
    except WheelBroken:
        return None  # an old or odd wheel is pushed as it is; it is served without core metadata
