"""Sending files: whole, in parts, by the kernel, or while they still arrive."""

import hashlib
import mimetypes
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

from aiohttp import web

from node.finished import not_modified_headers
from node.http.etags import matches_etag
from node.http.ranges import Part, Unsatisfiable, wanted_part
from node.http.sendfile import send_file
from node.simple.list_pages import StreamedList
from node.simple.pages import READABLE_FROM_ANYWHERE

FILE_CACHE_CONTROL = "max-age=365000000, immutable, public"
"""A file's URL names its content, so it may be kept for ever."""
SERVED_AS_BYTES_MAX = 64 * 1024
"""Files up to this size are sent from memory; larger ones by sendfile."""
METADATA_TYPE = "application/octet-stream"
HELD_BACK_BYTES = 64 * 1024


def file_headers(etag: str, content_type: str) -> dict[str, str]:
    """Return the headers of every file: it may be kept for ever, and be read in parts."""
    return {
        "Content-Type": content_type,
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": FILE_CACHE_CONTROL,
        **READABLE_FROM_ANYWHERE,
    }


def content_type_of(filename: str) -> str:
    """Return the type of a file by its name; never one that a browser would run."""
    return mimetypes.guess_type(filename)[0] or "application/octet-stream"


async def send_path(
    request: web.Request, path: Path, size_bytes: int, *, etag: str, content_type: str
) -> web.StreamResponse:
    """Send a file whose content never changes, whole or in part (RFC 9110 sections 13 and 14)."""
    headers = file_headers(etag, content_type)
    early = answer_without_body(request, headers, size_bytes)
    if early is not None:
        return early
    status = HTTPStatus.OK
    start, count = 0, size_bytes
    part = wanted_part(request.headers, size_bytes, etag)
    if isinstance(part, Part):
        status, start, count = HTTPStatus.PARTIAL_CONTENT, part.start, part.end - part.start
        headers["Content-Range"] = part.content_range(size_bytes)
    if count <= SERVED_AS_BYTES_MAX:
        with path.open("rb") as file:
            file.seek(start)
            return web.Response(status=status, headers=headers, body=file.read(count))
    return await _sendfile(request, path, status=status, headers=headers, start=start, count=count)


def send_bytes(request: web.Request, body: bytes, *, etag: str, content_type: str) -> web.StreamResponse:
    """Send what is in memory and never changes, whole or in part."""
    headers = file_headers(etag, content_type)
    early = answer_without_body(request, headers, len(body))
    if early is not None:
        return early
    part = wanted_part(request.headers, len(body), etag)
    if not isinstance(part, Part):
        return web.Response(headers=headers, body=body)
    headers["Content-Range"] = part.content_range(len(body))
    return web.Response(status=206, headers=headers, body=body[part.start : part.end])


def answer_without_body(
    request: web.Request, headers: dict[str, str], size_bytes: int | None
) -> web.StreamResponse | None:
    """Return the answer to a request that needs none of the file's bytes: 304, 416, or that to HEAD.

    A range is for GET alone (RFC 9110 section 14.2). A size that nobody knows is left out.
    """
    etag = headers["ETag"]
    if matches_etag(request.headers.get("If-None-Match", ""), etag):
        return web.Response(status=304, headers=not_modified_headers(headers))
    if request.method == "HEAD":
        response = web.StreamResponse(headers=headers)
        if size_bytes is not None:
            response.content_length = size_bytes
        return response
    if size_bytes is None or not isinstance(wanted_part(request.headers, size_bytes, etag), Unsatisfiable):
        return None
    unsatisfied = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-store",
        "Content-Range": f"bytes */{size_bytes}",
        **READABLE_FROM_ANYWHERE,
    }
    return web.Response(status=416, headers=unsatisfied)


async def _sendfile(
    request: web.Request, path: Path, *, status: int, headers: dict[str, str], start: int, count: int
) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = count
    with path.open("rb") as file:
        await response.prepare(request)
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client went away")
        try:
            await send_file(transport, file, start, count)
        except (OSError, RuntimeError) as error:
            # Whatever the system calls it: a reset, a broken pipe, or a transport that is closing.
            cut(request)
            raise ConnectionResetError("the client went away") from error
    await response.write_eof()
    return response


async def send_verified(
    request: web.Request,
    chunks: AsyncIterator[bytes],
    *,
    sha256: bytes,
    headers: dict[str, str],
    size_bytes: int | None,
) -> web.StreamResponse:
    """Send bytes while they arrive from another node, the last of them only when the digest is right.

    Bytes that are not the blob end the connection before the body is complete, so no client
    takes them for the file.
    """
    response = web.StreamResponse(headers=headers)
    if size_bytes is not None:
        response.content_length = size_bytes
    digest, held = hashlib.sha256(), bytearray()
    try:
        async for chunk in chunks:
            digest.update(chunk)
            held += chunk
            if len(held) > 2 * HELD_BACK_BYTES:
                if not response.prepared:
                    await response.prepare(request)
                await response.write(bytes(held[:-HELD_BACK_BYTES]))
                del held[:-HELD_BACK_BYTES]
    except Exception:
        if not response.prepared:
            raise
        # An answer in words would become part of the file.
        cut(request)
        return response
    if digest.digest() != sha256:
        cut(request)
        return response
    if not response.prepared:
        response.content_length = len(held)
        await response.prepare(request)
    await response.write(bytes(held))
    await response.write_eof()
    return response


async def send_list(request: web.Request, listed: StreamedList) -> web.StreamResponse:
    """Send a list that is written while it is sent."""
    headers = {**listed.headers, "ETag": listed.etag} if listed.etag else listed.headers
    if listed.etag and matches_etag(request.headers.get("If-None-Match", ""), listed.etag):
        return web.Response(status=304, headers=not_modified_headers(headers))
    response = web.StreamResponse(headers=headers)
    if request.method == "HEAD":
        return response
    try:
        async for piece in listed.pieces():
            if not response.prepared:
                await response.prepare(request)
            await response.write(piece)
    except ConnectionResetError:
        raise  # the client went away
    except OSError:
        if not response.prepared:
            raise
        # An answer in words would become part of the list.
        cut(request)
        return response
    await response.write_eof()
    return response


def cut(request: web.Request) -> None:
    """End the connection without finishing the body."""
    if request.transport is not None:
        request.transport.abort()
