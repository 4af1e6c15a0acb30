"""Sending files and core metadata of mirrors."""

import hashlib

from aiohttp import web
from yarl import URL

from node.catalog.names import normalize_project
from node.catalog.records import IndexRecord
from node.errors import NotFound
from node.http.keys import SERVICES
from node.http.ranges import Part, wanted_part
from node.http.streams import (
    METADATA_TYPE,
    answer_without_body,
    content_type_of,
    cut,
    file_headers,
    send_bytes,
    send_path,
)
from node.mirror.errors import DownloadCorrupt, MirrorError, RangeUnsupported, UpstreamDown
from node.mirror.growing import GrowingFile
from node.mirror.page import MirrorLink
from node.mirror.source import MirrorSource
from node.simple.pages import READABLE_FROM_ANYWHERE
from storage.errors import StorageError

PASSED_THROUGH_BYTES_MAX = 1 << 20
"""Ranges up to this size of a file that is not cached are fetched alone: what reads a wheel's directory."""


async def answer_mirrored(
    request: web.Request, index: IndexRecord, source: MirrorSource, link: MirrorLink
) -> web.StreamResponse:
    """Answer a client who wants a file of a mirror: with its bytes, or with upstream's own URL for them.

    The second where the index says ``mirror_use_external_urls`` and the file is not here, for HEAD and
    ranges too. The URL has no credentials: pages lose them, and those of ``mirror_url`` are this node's.
    """
    is_led_away = index.options.get("mirror_use_external_urls", False)
    if is_led_away and request.app[SERVICES].mirror.cached_file(source, link) is None:
        headers = {"Location": _as_location(source, link), "Cache-Control": "no-store"}
        return web.Response(status=302, headers={**headers, **READABLE_FROM_ANYWHERE})
    return await send_mirrored(request, source, link)


async def send_mirrored(request: web.Request, source: MirrorSource, link: MirrorLink) -> web.StreamResponse:
    """Send a file of a mirror: from the cache, or while it comes from upstream for the first time."""
    mirror = request.app[SERVICES].mirror
    etag = f'"{link.file.sha256 or link.file.link_key}"'
    content_type = content_type_of(link.file.filename)
    cached = mirror.cached_file(source, link)
    if cached is None:
        headers = file_headers(etag, content_type)
        early = await _without_download(request, source, link, headers)
        if early is not None:
            return early
        opened = await mirror.file(source, link)
        if isinstance(opened, GrowingFile):
            return await _stream(request, opened, headers)
        cached = opened
    return await send_path(request, cached.path, cached.size_bytes, etag=etag, content_type=content_type)


async def send_mirrored_metadata(
    request: web.Request, source: MirrorSource, link: MirrorLink
) -> web.StreamResponse:
    """Send the core metadata of a mirrored wheel, exactly as it is in the wheel."""
    metadata = await request.app[SERVICES].mirror.core_metadata(source, link)
    etag = f'"{hashlib.sha256(metadata).hexdigest()}"'
    return send_bytes(request, metadata, etag=etag, content_type=METADATA_TYPE)


async def find_link(
    request: web.Request, index: IndexRecord, link_key: str, filename: str
) -> tuple[MirrorSource, MirrorLink]:
    """Return a listed file of a mirror by the digits and the name in its URL.

    Raises:
        NotFound: upstream lists no such file.
        UpstreamDown: nobody could be asked.

    """
    services = request.app[SERVICES]
    source = services.source_of(index)

    def may_ask(project: str) -> bool:
        return not services.is_private_name(normalize_project(project))

    link = await services.mirror.find_link(source, link_key, filename, may_ask=may_ask)
    if link is None:
        raise NotFound("no such file")
    return source, link


def _as_location(source: MirrorSource, link: MirrorLink) -> str:
    try:
        return str(URL(link.file.url))  # in ASCII, as a header has to be
    except ValueError as error:
        raise UpstreamDown(source.label, f"it names a URL that cannot be used: {error}") from error


async def _without_download(
    request: web.Request, source: MirrorSource, link: MirrorLink, headers: dict[str, str]
) -> web.StreamResponse | None:
    """Answer HEAD, validators and short ranges of a file that is not cached, if its size is known."""
    size_bytes = link.file.size
    if size_bytes is None and request.method == "HEAD":
        return None
    early = answer_without_body(request, headers, size_bytes)
    if early is not None or size_bytes is None:
        return early
    part = wanted_part(request.headers, size_bytes, headers["ETag"])
    if not isinstance(part, Part) or part.end - part.start > PASSED_THROUGH_BYTES_MAX:
        return None
    try:
        body = await request.app[SERVICES].mirror.read_range(source, link, part.start, part.end)
    except RangeUnsupported:
        return None
    headers = {**headers, "Content-Range": part.content_range(size_bytes)}
    return web.Response(status=206, headers=headers, body=body)


async def _stream(request: web.Request, growing: GrowingFile, headers: dict[str, str]) -> web.StreamResponse:
    """Send a download while it grows; what turns out wrong never gets its last bytes."""
    if growing.size_bytes is None:
        await growing.until_started()
    size_bytes = growing.size_bytes
    early = answer_without_body(request, headers, size_bytes)
    if early is not None:
        return early
    part = None if size_bytes is None else wanted_part(request.headers, size_bytes, headers["ETag"])
    response = web.StreamResponse(headers={**headers, "X-Accel-Buffering": "no"})
    start, end = 0, size_bytes
    if isinstance(part, Part) and size_bytes is not None:
        start, end = part.start, part.end
        response.set_status(206)
        response.headers["Content-Range"] = part.content_range(size_bytes)
    if end is not None:
        response.content_length = end - start
    try:
        async for chunk in growing.chunks(start, end):
            if not response.prepared:
                await response.prepare(request)
            await response.write(chunk)
    except (MirrorError, StorageError, OSError) as error:
        if not response.prepared:
            raise (
                DownloadCorrupt(growing.filename, str(error)) if isinstance(error, OSError) else error
            ) from error
        cut(request)
        return response
    if not response.prepared:
        await response.prepare(request)
    await response.write_eof()
    return response
