"""One list of projects, from upstream or from the primary into a file."""

import asyncio
import hashlib
import mmap
from pathlib import Path

import aiohttp

from node.mirror.cluster import IssuedList
from node.mirror.errors import RecordCorrupt, UpstreamDown
from node.mirror.list_files import StoredList
from node.mirror.listing import Listing
from node.mirror.names import NameList, digest_of, write_names
from node.mirror.page import NO_VALIDATORS, Validators
from node.mirror.parse import parse_serial
from node.mirror.source import MirrorSource
from node.mirror.upstream import Upstream, check_status, page_headers

LIST_BYTES_MAX = 128 << 20  # decoded; PyPI's, of 900,000 projects, has 48 MB as JSON and 58 MB as HTML
LIST_SECONDS = 60.0  # for all of upstream's answer


async def ask_upstream(
    upstream: Upstream, source: MirrorSource, stored: StoredList | None, *, raw: Path, lines: Path, now: float
) -> StoredList:
    """Return upstream's list, its lines in the new file ``lines``; or ``stored`` with a new time, confirmed.

    Args:
        upstream: the client.
        source: whose list; its ``url`` is the page of all projects.
        stored: the list that is known.
        raw: where the body of the answer may be written.
        lines: where the lines are written.
        now: seconds since the epoch.

    Raises:
        UpstreamDown: no list, or one that cannot be believed.
        OSError: the disk is full or failed.

    """
    validators = NO_VALIDATORS if stored is None else stored.validators
    try:
        async with (
            asyncio.timeout(LIST_SECONDS),
            upstream.open(source, source.url, headers=page_headers(validators)) as response,
        ):
            if response.status == 304 and stored is not None and validators != NO_VALIDATORS:
                return StoredList(stored.names, now, validators)
            if response.status in {404, 410}:
                reason = f"it has no list of projects ({response.status}); mirror_no_project_list tells us so"
                raise UpstreamDown(source.label, reason)
            check_status(source, response, {200})
            await _spool(source, response, raw)
            headers, url = response.headers, str(response.url)
    except TimeoutError:
        detail = f"no complete list of projects within {LIST_SECONDS:g} s"
        raise UpstreamDown(source.label, detail) from None
    serial = parse_serial(headers.get("X-PyPI-Last-Serial"))
    # Off the loop, and in small steps: it takes seconds, and others want the interpreter too.
    names = await asyncio.to_thread(
        _read, source, raw, lines, content_type=headers.get("Content-Type", ""), url=url, header_serial=serial
    )
    if not names.size_bytes and stored is not None and stored.names.size_bytes:
        raise UpstreamDown(source.label, "its list of projects has become empty")
    return StoredList(names, now, Validators(headers.get("ETag"), headers.get("Last-Modified")))


async def take_from_primary(issued: IssuedList, *, lines: Path) -> NameList:
    """Return the list that the primary sends, its lines in the new file ``lines``.

    Raises:
        RecordCorrupt: the lines are not those that it spoke of.
        PrimaryUnreachable: it broke off.
        OSError: the disk is full or failed.

    """
    sha256 = hashlib.sha256()
    with lines.open("wb") as file:
        async for piece in issued.lines:
            sha256.update(piece)
            file.write(piece)
            if file.tell() > LIST_BYTES_MAX:
                raise RecordCorrupt("list", f"it is larger than {LIST_BYTES_MAX} bytes")
    if digest_of(sha256.digest(), issued.last_serial) != issued.digest:
        raise RecordCorrupt("list", "the lines are not those that the primary spoke of")
    return NameList(digest=issued.digest, last_serial=issued.last_serial, path=lines)


async def _spool(source: MirrorSource, response: aiohttp.ClientResponse, raw: Path) -> None:
    with raw.open("wb") as file:
        async for piece in response.content.iter_any():
            file.write(piece)
            if file.tell() > LIST_BYTES_MAX:
                reason = f"its list of projects is larger than {LIST_BYTES_MAX} bytes"
                raise UpstreamDown(source.label, reason)


def _read(
    source: MirrorSource, raw: Path, lines: Path, *, content_type: str, url: str, header_serial: int | None
) -> NameList:
    with raw.open("rb") as file:
        # Mapped, not read: what is not looked at any more may leave memory. Nobody else knows this file.
        body = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if raw.stat().st_size else b""
        listing = Listing(body, content_type, url, header_serial)
        if source.ignores_serials:
            written = write_names(((name, None) for name, _ in listing.entries()), lines)
            last_serial = None
        else:
            written = write_names(listing.entries(), lines)
            last_serial = listing.last_serial
    return NameList(digest=digest_of(written, last_serial), last_serial=last_serial, path=lines)
