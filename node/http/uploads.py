"""Uploads (the legacy upload API, as twine, uv, poetry, pdm, hatch and devpi speak it)."""

import asyncio
import contextlib
import errno
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from hmac import compare_digest
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, ClientPayloadError, web
from aiohttp.http import HttpProcessingError

from node.catalog.lookups import find_file
from node.catalog.names import check_filename, check_release_name, normalize_project
from node.catalog.permissions import Identity
from node.catalog.releases import (
    Identical,
    ReceivedFile,
    check_upload_target,
    register_release,
    upload_file,
)
from node.clock import now_ms
from node.errors import BadRequest, FileExists, TooLarge, Unavailable
from node.http.bodies import read_bounded
from node.http.keys import SENTENCE_IN_REASON, SERVICES
from node.http.wheels import checked_requires_python, read_release_archive
from node.http.writing import identify, write
from storage.blob_writer import BlobWriter
from storage.blobs import BlobStore
from storage.entry import INLINE_BLOB_BYTES_MAX
from storage.errors import StorageFull
from storage.store import Store

FIELDS_BYTES_MAX = 8 << 20
"""All text fields of one upload together; a long description is some hundred KB."""
FIELDS_MAX = 5000
CHUNK_BYTES = 256 * 1024
IDENTICAL = "Upload of identical file to non volatile index."
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
    refusal = services.write_refusal()
    if refusal is not None:
        raise Unavailable(refusal)
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
        _check_form(form)
        if _is_present(services.store, user, name, form, actor):
            return web.Response(reason=IDENTICAL)
        file = await _receive_file(form)
        operation = upload_file(user, name, file, form.fields, actor=actor, now_ms=now_ms())
        outcome = await write(request, operation)
    return web.Response(reason=IDENTICAL) if isinstance(outcome, Identical) else web.Response()


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
            if part.name == "content" and part.filename is not None:
                if form.content is not None:
                    raise BadRequest("the form has more than one file")
                form.filename = part.filename
                form.content = cleanup.enter_context(blobs.writer(with_upload_digests=True))
                await _receive_content(part, form.content, limit_bytes)
            else:
                value = await _read_text(part, left)
                left -= len(value)
                form.fields[part.name or ""].append(value.decode(errors="replace"))
    except HttpProcessingError as error:
        raise BadRequest("the form cannot be read: a part has a broken head") from error
    except (ValueError, AssertionError, LookupError) as error:
        raise BadRequest(f"the form cannot be read: {error}") from error
    except (web.RequestPayloadError, ClientPayloadError) as error:
        raise BadRequest("the body ended too early") from error
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


@contextlib.contextmanager
def disk_full_refused() -> Iterator[None]:
    """Turn the system's error about a full disk into the one that clients get.

    Raises:
        StorageFull: the disk is full, or the quota is used up.
        OSError: any other.

    """
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise StorageFull(detail=error.strerror or "the disk is full") from error


async def _receive_content(part: BodyPartReader, writer: BlobWriter, limit_bytes: int) -> None:
    while chunk := await part.read_chunk(CHUNK_BYTES):
        if writer.size_bytes + len(chunk) > limit_bytes:
            raise TooLarge(limit_bytes)
        # Into the page cache: some tens of microseconds. What waits for the disk is the commit.
        with disk_full_refused():
            writer.write(chunk)


def _check_form(form: Form) -> None:
    """Check what was received, without opening it.

    Raises:
        BadRequest: with one sentence, in devpi's order of checks.

    """
    writer = form.content
    if writer is None or not form.filename:
        raise BadRequest("content file field not found")
    if form.last("protocol_version") not in {"", "1"}:
        raise BadRequest("Unknown protocol version.")
    name, version = form.last("name"), form.last("version")
    check_release_name(name, version)
    check_filename(name, version, form.filename)
    is_wheel = form.filename.endswith(".whl")
    filetype = form.last("filetype")
    if filetype and is_wheel != (filetype == "bdist_wheel"):
        raise BadRequest(f"the file type {filetype!r} does not fit the file name {form.filename!r}")
    checked_requires_python(form.last("requires_python"))
    _check_digests(form, writer)


def _is_present(store: Store, user: str, name: str, form: Form, actor: Identity) -> bool:
    """Say whether the index has the very same file already; looked at before any byte is kept.

    Raises:
        IndexUnknown, LoginRequired, Forbidden: the index or the right went, or the right is not for this project.
        FileExists: it has other bytes of that name, for good.

    """
    writer, filename = form.content, form.filename or ""
    project = normalize_project(form.last("name"))
    with store.view() as view:
        index = check_upload_target(view, user, name, actor, project)
        existing = find_file(view, index.index_id, project, filename)
    if existing is None or writer is None:
        return False
    if existing.sha256 == writer.sha256:
        return True
    if not index.is_volatile:
        raise FileExists(filename)
    return False


async def _receive_file(form: Form) -> ReceivedFile:
    """Look into the file, and make its bytes durable unless it is small.

    Raises:
        BadRequest: it is not what its name says.
        OSError: the disk is full or failed.

    """
    writer, filename = form.content, form.filename
    if writer is None or filename is None:
        raise BadRequest("content file field not found")
    name, version = form.last("name"), form.last("version")
    archive = await asyncio.to_thread(read_release_archive, writer.path, filename, name, version)
    # An archive that was read speaks for itself: pip refuses a page that says anything else.
    requires_python = (
        archive.requires_python if archive else checked_requires_python(form.last("requires_python"))
    )
    metadata = archive.metadata if archive else None
    content = None
    if writer.size_bytes <= INLINE_BLOB_BYTES_MAX:
        # It becomes durable together with its entry, which is sooner than by a sync of its own.
        content = writer.path.read_bytes()
    else:
        with disk_full_refused():
            await asyncio.to_thread(writer.commit)
    is_wheel = filename.endswith(".whl")
    return ReceivedFile(
        filename=filename,
        sha256=writer.sha256,
        size_bytes=writer.size_bytes,
        content=content,
        filetype=form.last("filetype") or ("bdist_wheel" if is_wheel else "sdist"),
        pyversion=form.last("pyversion") or (filename.split("-")[-3] if is_wheel else "source"),
        requires_python=requires_python,
        metadata=metadata,
        metadata_sha256=None if metadata is None else hashlib.sha256(metadata).digest(),
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
