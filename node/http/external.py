"""Sending a release to another server over the legacy upload API, as devpi does for ``pypi:`` targets."""

import base64
from collections.abc import Sequence
from contextlib import ExitStack
from urllib.parse import urlsplit

import aiohttp

from node.catalog.push import ActionLog, ExternalOrder, PushedFile
from node.catalog.records import Fields, FileRecord
from node.errors import BadRequest
from node.mirror.addresses import is_forbidden, open_socket
from storage.blobs import BlobStore
from storage.errors import BlobMissing

CONNECT_SECONDS = 10.0
ANSWER_SECONDS_MAX = 300.0
"""Silence after which the other server is given up; a large file may take any time while it moves."""
ANSWER_BYTES_MAX = 64 * 1024
_DONE = {200, 201}
_GONE = 410  # the answer of servers that dropped registration; devpi goes on
_FAILURES = (aiohttp.ClientError, BlobMissing, OSError, TimeoutError, ValueError)


async def send_release(
    blobs: BlobStore, order: ExternalOrder, metadata: Fields, files: Sequence[PushedFile]
) -> ActionLog:
    """Register the release if that is wanted, then upload its files one after the other.

    Returns:
        devpi's action log: a row for each step, whose first item is the status, or -1 for a
        failed connection. It is never empty.

    Raises:
        BadRequest: the other server is a link-local address.

    """
    if is_forbidden(urlsplit(order.url).hostname or ""):
        raise BadRequest("'posturl' is a link-local address")
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=ANSWER_SECONDS_MAX)
    connector = aiohttp.TCPConnector(socket_factory=open_socket)
    pair = base64.b64encode(f"{order.username}:{order.password}".encode()).decode()
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, headers={"Authorization": f"Basic {pair}"}, trust_env=True
    ) as session:
        actions: ActionLog = []
        if order.registers_project:
            actions.append(await _register(session, order, metadata))
            if actions[-1][0] not in {*_DONE, _GONE}:
                return actions
        for file in sorted(files, key=lambda pushed: pushed.record.filename):
            actions.append(await _upload(session, blobs, order, metadata, file.record))
        return actions


async def _register(session: aiohttp.ClientSession, order: ExternalOrder, metadata: Fields) -> list[object]:
    form = _form(metadata, action="submit")
    try:
        async with session.post(order.url, data=form, allow_redirects=False) as answer:
            return [answer.status, "register", order.request.name, order.request.version]
    except _FAILURES as error:
        return [-1, "exception on register:", f"{type(error).__name__}: {error}"]


async def _upload(
    session: aiohttp.ClientSession,
    blobs: BlobStore,
    order: ExternalOrder,
    metadata: Fields,
    record: FileRecord,
) -> list[object]:
    form = _form(metadata, action="file_upload")
    form.add_field("filetype", record.filetype or _filetype(record.filename))
    form.add_field("pyversion", record.pyversion or _pyversion(record.filename))
    form.add_field("sha256_digest", record.sha256_hex)
    relpath = f"{order.request.source}/{record.address}"
    with ExitStack() as opened:
        try:
            content = opened.enter_context(blobs.open(record.sha256))
            form.add_field(
                "content", content, filename=record.filename, content_type="application/octet-stream"
            )
            async with session.post(order.url, data=form, allow_redirects=False) as answer:
                said = "" if answer.status in _DONE else await _text(answer)
                return [answer.status, "upload", relpath, said]
        except _FAILURES as error:
            return [-1, "exception on release upload:", f"{type(error).__name__}: {error}"]


async def _text(answer: aiohttp.ClientResponse) -> str:
    return (await answer.content.read(ANSWER_BYTES_MAX)).decode(errors="replace")


def _form(metadata: Fields, *, action: str) -> aiohttp.FormData:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field(":action", action)
    for name, value in metadata.items():
        for item in value if isinstance(value, list) else [value]:
            form.add_field(name, item)
    return form


def _filetype(filename: str) -> str:
    return "bdist_wheel" if filename.endswith(".whl") else "sdist"


def _pyversion(filename: str) -> str:
    return filename.split("-")[-3] if filename.endswith(".whl") else "source"
