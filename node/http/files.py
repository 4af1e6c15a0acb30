"""Routes of files: download with HEAD, ranges and validators; core metadata; deletion."""

from aiohttp import web

from node.catalog.deletion import addressed_file, delete_file
from node.catalog.lookups import get_index, project_serial
from node.catalog.records import FileRecord, IndexRecord
from node.errors import NotFound
from node.finished import Answer, Stamps, configuration_serial
from node.http.fast import is_plain, request_key
from node.http.keys import SERVICES
from node.http.mirrored import send_mirrored, send_mirrored_metadata
from node.http.respond import envelope
from node.http.streams import SERVED_AS_BYTES_MAX, content_type_of, file_headers, send_path, send_verified
from node.http.writing import identify, write
from replication.errors import BlobNotServed, LinkDown
from storage.errors import BlobMissing


async def get_file(request: web.Request) -> web.StreamResponse:
    """``GET`` and ``HEAD`` of ``/{user}/{index}/+f/abc/0123456789abc/name``, and of ``name.metadata``."""
    services = request.app[SERVICES]
    info = request.match_info
    sha256_start, filename = parse_address(info["start"], info["rest"]), info["filename"]
    with services.store.view() as view:
        index = get_index(view, info["user"], info["index"])
        if index.is_mirror:
            record = None
        elif filename.endswith(".metadata"):
            record = addressed_file(view, index, sha256_start, filename.removesuffix(".metadata"))
        else:
            record = addressed_file(view, index, sha256_start, filename)
    if record is None:
        return await _from_mirror(request, index, sha256_start.hex(), filename)
    if filename.endswith(".metadata"):
        if record.metadata_sha256 is None:
            raise NotFound(f"no metadata found in {record.filename}")
        return await send_blob(request, record.metadata_sha256, content_type="application/octet-stream")
    if request.headers.get("Accept") == "application/json":
        return _describe(index, record)
    if record.size_bytes <= SERVED_AS_BYTES_MAX and is_plain(request):
        _keep(request, index, record)
    return await send_blob(request, record.sha256, content_type=content_type_of(filename))


async def remove_file(request: web.Request) -> web.Response:
    """``DELETE`` of a file's URL."""
    info = request.match_info
    sha256_start, filename = parse_address(info["start"], info["rest"]), info["filename"]
    actor = await identify(request)
    force = "force" in request.query
    user, name = info["user"], info["index"]
    await write(request, delete_file(user, name, sha256_start, filename, force=force, actor=actor))
    return envelope(message=f"package '{user}/{name}/+f/{info['start']}/{info['rest']}/{filename}' deleted")


async def send_blob(request: web.Request, sha256: bytes, *, content_type: str) -> web.StreamResponse:
    """Send a hosted blob, from this disk, or from the primary while it is still on its way to this replica.

    Raises:
        BlobMissing: it is nowhere to be had now.

    """
    services = request.app[SERVICES]
    size_bytes = services.store.blobs.size_bytes(sha256)
    if size_bytes is None:
        return await _send_from_primary(request, sha256, content_type)
    path = services.store.blobs.path(sha256)
    return await send_path(request, path, size_bytes, etag=f'"{sha256.hex()}"', content_type=content_type)


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


async def _send_from_primary(request: web.Request, sha256: bytes, content_type: str) -> web.StreamResponse:
    link = request.app[SERVICES].link
    if link is None:
        raise BlobMissing(sha256=sha256)
    headers = file_headers(f'"{sha256.hex()}"', content_type)
    try:
        async with link.fetch_blob(sha256) as chunks:
            return await send_verified(request, chunks, sha256=sha256, headers=headers)
    except (LinkDown, BlobNotServed) as error:
        raise BlobMissing(sha256=sha256) from error


async def _from_mirror(
    request: web.Request, index: IndexRecord, link_key: str, filename: str
) -> web.StreamResponse:
    if filename.endswith(".metadata"):
        return await send_mirrored_metadata(request, index, link_key, filename.removesuffix(".metadata"))
    return await send_mirrored(request, index, link_key, filename)


def _keep(request: web.Request, index: IndexRecord, record: FileRecord) -> None:
    """Keep a small file finished, for as long as its project does not change."""
    services = request.app[SERVICES]
    try:
        body = services.store.blobs.read(record.sha256)
    except BlobMissing:
        return
    etag = f'"{record.sha256_hex}"'
    headers = file_headers(etag, content_type_of(record.filename))
    del headers["ETag"]
    with services.store.view() as view:
        serial = project_serial(view, index.index_id, record.project)
        stamps = Stamps(configuration_serial(view), record.project, ((index.index_id, serial),))
        answer = Answer(body, headers, etag, stamps, view.position.serial)
    key = ("file", index.index_id, record.sha256, record.filename)
    services.finished.put(key, answer)
    services.finished.remember(request_key(request), key)


def _describe(index: IndexRecord, record: FileRecord) -> web.Response:
    digest = record.sha256_hex
    result = {
        "hash_spec": f"sha256={digest}",
        "hashes": {"sha256": digest},
        "project": record.project,
        "version": record.version,
        "url": f"{index.full_name}/{record.address}",
    }
    return envelope(kind="releasefilemeta", result=result)
