"""Routes of files: download with HEAD, ranges and validators; core metadata; deletion."""

from dataclasses import dataclass
from email.utils import formatdate

from aiohttp import web

from node.catalog.deletion import addressed_file, delete_file
from node.catalog.lookups import get_index, project_serial
from node.catalog.names import FILENAME_BYTES_MAX
from node.catalog.reading import is_restricted
from node.catalog.records import FileRecord, IndexRecord
from node.errors import NotFound
from node.finished import Answer, Stamps, configuration_serial
from node.http.fast import is_plain, request_key
from node.http.keys import SERVICES
from node.http.mirrored import answer_mirrored, find_link, send_mirrored_metadata
from node.http.reading import check_reader, check_reader_of_some
from node.http.respond import envelope
from node.http.streams import (
    METADATA_TYPE,
    SERVED_AS_BYTES_MAX,
    answer_without_body,
    content_type_of,
    file_headers,
    send_bytes,
    send_path,
    send_verified,
)
from node.http.writing import identify, write
from replication.errors import BlobNotServed, LinkDown
from storage.errors import BlobMissing
from storage.view import View


async def get_file(request: web.Request) -> web.StreamResponse:
    """``GET`` and ``HEAD`` of ``/{user}/{index}/+f/abc/0123456789abc/name``, and of ``name.metadata``."""
    info = request.match_info
    sha256_start, filename = parse_address(info["start"], info["rest"]), checked_filename(info["filename"])
    with request.app[SERVICES].store.view() as view:
        index = get_index(view, info["user"], info["index"])
        is_open = not is_restricted(index)
        # In the same view: what is kept for everybody depends on the index being open in it.
        found = _find(view, index, sha256_start, filename) if is_open and not index.is_mirror else None
    if not is_open:
        await check_reader_of_some(request, index)
        with request.app[SERVICES].store.view() as view:
            found = None if index.is_mirror else _find(view, index, sha256_start, filename)
        if found is not None:
            await check_reader(request, index, found.record.project)
    if found is None:
        return await _from_mirror(request, index, sha256_start.hex(), filename)
    if not found.is_metadata and request.headers.get("Accept") == "application/json":
        return _describe(found.record)
    _keep(request, index, found)
    return await send_blob(
        request, found.sha256, content_type=found.content_type, size_bytes=found.size_bytes
    )


async def remove_file(request: web.Request) -> web.Response:
    """``DELETE`` of a file's URL."""
    info = request.match_info
    sha256_start, filename = parse_address(info["start"], info["rest"]), info["filename"]
    actor = await identify(request)
    force = "force" in request.query
    user, name = info["user"], info["index"]
    await write(request, delete_file(user, name, sha256_start, filename, force=force, actor=actor))
    return envelope(message=f"package '{user}/{name}/+f/{info['start']}/{info['rest']}/{filename}' deleted")


async def send_blob(
    request: web.Request, sha256: bytes, *, content_type: str, size_bytes: int | None
) -> web.StreamResponse:
    """Send a hosted blob, from this disk, or from the primary while it is still on its way to this replica.

    Raises:
        BlobMissing: it is nowhere to be had now.

    """
    blobs = request.app[SERVICES].store.blobs
    etag = f'"{sha256.hex()}"'
    present_bytes = blobs.size_bytes(sha256)
    held = blobs.held(sha256)
    if held is not None:
        return send_bytes(request, held, etag=etag, content_type=content_type)
    if present_bytes is not None:
        path = blobs.path(sha256)
        return await send_path(request, path, present_bytes, etag=etag, content_type=content_type)
    headers = file_headers(etag, content_type)
    early = answer_without_body(request, headers, size_bytes)
    return early or await _send_from_primary(request, sha256, headers, size_bytes)


def checked_filename(given: str) -> str:
    """Return the name of a file in a URL.

    Raises:
        NotFound: no file has such a name.

    """
    name = given.removesuffix(".metadata")
    if len(name.encode(errors="replace")) > FILENAME_BYTES_MAX:
        raise NotFound("no such file")
    return given


def parse_address(start: str, rest: str) -> bytes:
    """Return the 8 bytes of sha256 in a URL of 3 and 13 hexadecimal digits.

    Raises:
        NotFound: they are no such digits.

    """
    try:
        sha256_start = bytes.fromhex(start + rest)
    except ValueError:
        raise NotFound("no such file") from None
    if len(sha256_start) != 8:
        raise NotFound("no such file")
    return sha256_start


@dataclass(frozen=True, slots=True)
class _Found:
    """A hosted file, or its core metadata, as one view of the state has it."""

    record: FileRecord
    is_metadata: bool
    sha256: bytes  # of what is sent
    size_bytes: int | None  # None: only the blob tells
    stamps: Stamps
    serial: int

    @property
    def content_type(self) -> str:
        return METADATA_TYPE if self.is_metadata else content_type_of(self.record.filename)


def _find(view: View, index: IndexRecord, sha256_start: bytes, filename: str) -> _Found:
    """Find a hosted file and what its answer depends on; in one view, or a deletion between would be missed.

    Raises:
        NotFound: there never was such a file on this index, or it has no core metadata.
        Gone: there was, and it was deleted or replaced.

    """
    is_metadata = filename.endswith(".metadata")
    record = addressed_file(view, index, sha256_start, filename.removesuffix(".metadata"))
    if is_metadata and record.metadata_sha256 is None:
        raise NotFound(f"no metadata found in {record.filename}")
    serial = project_serial(view, index.index_id, record.project)
    return _Found(
        record=record,
        is_metadata=is_metadata,
        sha256=record.metadata_sha256 if is_metadata and record.metadata_sha256 else record.sha256,
        size_bytes=None if is_metadata else record.size_bytes,
        stamps=Stamps(configuration_serial(view), record.project, ((index.index_id, serial),)),
        serial=view.position.serial,
    )


async def _send_from_primary(
    request: web.Request, sha256: bytes, headers: dict[str, str], size_bytes: int | None
) -> web.StreamResponse:
    link = request.app[SERVICES].link
    if link is None:
        raise BlobMissing(sha256=sha256)
    try:
        async with link.fetch_blob(sha256) as chunks:
            return await send_verified(request, chunks, sha256=sha256, headers=headers, size_bytes=size_bytes)
    except (LinkDown, BlobNotServed) as error:
        raise BlobMissing(sha256=sha256) from error


async def _from_mirror(
    request: web.Request, index: IndexRecord, link_key: str, filename: str
) -> web.StreamResponse:
    listed = filename.removesuffix(".metadata")
    is_metadata = listed != filename
    if is_metadata and not listed.endswith(".whl"):
        raise NotFound(f"no metadata found in {listed}")
    source, link = await find_link(request, index, link_key, listed)
    await check_reader(request, index, link.project)
    if is_metadata:
        return await send_mirrored_metadata(request, source, link)
    return await answer_mirrored(request, index, source, link)


def _keep(request: web.Request, index: IndexRecord, found: _Found) -> None:
    """Keep a small file finished, for as long as its project does not change."""
    services = request.app[SERVICES]
    size_bytes = services.store.blobs.size_bytes(found.sha256)
    if size_bytes is None or size_bytes > SERVED_AS_BYTES_MAX or not is_plain(request):
        return
    try:
        body = services.store.blobs.read(found.sha256)
    except BlobMissing:
        return
    etag = f'"{found.sha256.hex()}"'
    headers = file_headers(etag, found.content_type)
    del headers["ETag"]
    key = ("file", index.index_id, found.sha256, found.record.filename, found.is_metadata)
    services.finished.put(key, Answer(body, headers, etag, found.stamps, found.serial))
    services.finished.remember(request_key(request), key)


def _describe(record: FileRecord) -> web.Response:
    digest = record.sha256_hex
    result = {
        "last_modified": formatdate(record.added_ms / 1000, usegmt=True),
        "hash_spec": f"sha256={digest}",
        "hashes": {"sha256": digest},
        "project": record.project,
        "version": record.version,
    }
    return envelope(kind="releasefilemeta", result=result)
