"""Uploads (the legacy upload API, as twine, uv, poetry, pdm, hatch and devpi speak it)."""

import asyncio
import contextlib
import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from hmac import compare_digest
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, web

from node.catalog.names import check_filename, check_release_name
from node.catalog.releases import (
    Identical,
    ReceivedFile,
    check_upload_target,
    register_release,
    upload_file,
)
from node.clock import now_ms
from node.errors import BadRequest, TooLarge
from node.http.bodies import read_bounded
from node.http.keys import SENTENCE_IN_REASON, SERVICES
from node.http.wheels import read_release_archive
from node.http.writing import identify, write
from storage.blob_writer import BlobWriter
from storage.blobs import BlobStore

FIELDS_BYTES_MAX = 8 << 20
"""All text fields of one upload together; a long description is some hundred KB."""
FIELDS_MAX = 5000
CHUNK_BYTES = 256 * 1024
_FORM_TYPES = {"multipart/form-data", "application/x-www-form-urlencoded"}


@dataclass(slots=True)
class Form:
    """An upload as it was read: its text fields, and its file on its way into the blob store."""

    fields: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    filename: str | None = None
    content: BlobWriter | None = None

    def last(self, name: str) -> str:
        """Return the last value of a field, or nothing."""
        return self.fields[name][-1] if self.fields.get(name) else ""


def is_upload(request: web.Request) -> bool:
    """Say whether a POST to an index is an upload rather than a push."""
    return request.content_type in _FORM_TYPES


async def receive_upload(request: web.Request) -> web.Response:
    """``POST /{user}/{index}/``: register metadata or add a file.

    The right to upload is checked before the body is read; the file streams to disk, and
    is named by an entry only when everything fits. Nothing stays of a refused upload.
    """
    request[SENTENCE_IN_REASON] = True
    services = request.app[SERVICES]
    user, name = request.match_info["user"], request.match_info["index"]
    limit_bytes = services.config.max_upload_bytes
    if (request.content_length or 0) > limit_bytes + FIELDS_BYTES_MAX:
        raise TooLarge(limit_bytes)
    actor = await identify(request)
    with services.store.view() as view:
        check_upload_target(view, user, name, actor)
    with contextlib.ExitStack() as cleanup:
        form = await _read_form(request, services.store.blobs, limit_bytes, cleanup)
        action = form.last(":action") or request.query.get(":action", "")
        if action == "submit":
            await write(request, register_release(user, name, form.fields, actor=actor))
            return web.Response()
        if action != "file_upload":
            raise BadRequest(f"action {action!r} not supported" if action else ":action field not found")
        file = await _receive_file(form)
        operation = upload_file(user, name, file, form.fields, actor=actor, now_ms=now_ms())
        outcome = await write(request, operation)
    if isinstance(outcome, Identical):
        return web.Response(reason="Upload of identical file to non volatile index.")
    return web.Response()


async def _read_form(
    request: web.Request, blobs: BlobStore, limit_bytes: int, cleanup: contextlib.ExitStack
) -> Form:
    if request.content_type != "multipart/form-data":
        return _urlencoded_form(request, await read_bounded(request, bytes_max=FIELDS_BYTES_MAX))
    form = Form()
    left, count = FIELDS_BYTES_MAX, 0
    try:
        async for part in await request.multipart():
            count += 1
            if not isinstance(part, BodyPartReader) or count > FIELDS_MAX:
                raise BadRequest("the form has nested parts or too many fields")
            if part.name == "content" and part.filename is not None and form.content is None:
                form.filename = part.filename
                form.content = cleanup.enter_context(blobs.writer(with_upload_digests=True))
                await _receive_content(part, form.content, limit_bytes)
            else:
                value = await _read_text(part, left)
                left -= len(value)
                form.fields[part.name or ""].append(value.decode(errors="replace"))
    except (ValueError, AssertionError, LookupError) as error:
        raise BadRequest(f"the form cannot be read: {error}") from error
    return form


def _urlencoded_form(request: web.Request, body: bytes) -> Form:
    form = Form()
    try:
        pairs = parse_qsl(
            body.decode(request.charset or "utf-8"), keep_blank_values=True, max_num_fields=FIELDS_MAX
        )
    except (ValueError, LookupError) as error:
        raise BadRequest(f"the form cannot be read: {error}") from error
    for name, value in pairs:
        form.fields[name].append(value)
    return form


async def _read_text(part: BodyPartReader, limit_bytes: int) -> bytes:
    value = bytearray()
    while chunk := await part.read_chunk(CHUNK_BYTES):
        value += chunk
        if len(value) > limit_bytes:
            raise TooLarge(FIELDS_BYTES_MAX)
    return bytes(value)


async def _receive_content(part: BodyPartReader, writer: BlobWriter, limit_bytes: int) -> None:
    while chunk := await part.read_chunk(CHUNK_BYTES):
        if writer.size_bytes + len(chunk) > limit_bytes:
            raise TooLarge(limit_bytes)
        # Into the page cache: some tens of microseconds. What waits for the disk is the commit.
        writer.write(chunk)


async def _receive_file(form: Form) -> ReceivedFile:
    """Check what was received and make its bytes durable.

    Raises:
        BadRequest: with one sentence, in devpi's order of checks.

    """
    writer = form.content
    if writer is None or form.filename is None:
        raise BadRequest("content file field not found")
    if form.last("protocol_version") not in {"", "1"}:
        raise BadRequest("Unknown protocol version.")
    name, version = form.last("name"), form.last("version")
    check_release_name(name, version)
    check_filename(name, version, form.filename)
    _check_digests(form, writer)
    archive = await asyncio.to_thread(read_release_archive, writer.path, form.filename, name, version)
    blob = await asyncio.to_thread(writer.commit)
    return ReceivedFile(
        filename=form.filename,
        sha256=blob.sha256,
        size_bytes=blob.size_bytes,
        filetype=form.last("filetype"),
        pyversion=form.last("pyversion"),
        requires_python=archive.requires_python or form.last("requires_python") or None,
        metadata=archive.metadata,
        metadata_sha256=None if archive.metadata is None else hashlib.sha256(archive.metadata).digest(),
        md5=writer.md5,
        blake2_256=writer.blake2b,
    )


def _check_digests(form: Form, writer: BlobWriter) -> None:
    calculated = {
        "sha256_digest": writer.sha256,
        "blake2_256_digest": writer.blake2b,
        "md5_digest": writer.md5,
    }
    for name, digest in calculated.items():
        sent = form.last(name).lower()
        if sent and digest is not None and not compare_digest(sent.encode(), digest.hex().encode()):
            raise BadRequest(
                f"The digest supplied does not match a digest calculated from the uploaded file ({name})."
            )
