"""The pages of the Simple API, from a request to finished bytes."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from node.catalog.lookups import get_index, search_path
from node.catalog.permissions import NOBODY, Identity
from node.catalog.reading import ShownTo, has_restricted, shown_to, unreadable
from node.catalog.records import IndexRecord
from node.errors import BadGateway
from node.finished import Answer, FinishedAnswers, Key, Stamps, strong_etag
from node.mirror.errors import UpstreamDown
from node.mirror.mirror import Mirror
from node.mirror.page import MirrorPage
from node.mirror.source import MirrorSource
from node.simple.collect import CollectedPage, SourceOf, collect_hosted, merge
from node.simple.negotiate import Encoding, Format
from node.simple.render import (
    TO_ROOT_FROM_PROJECT,
    ProjectPage,
    render_project,
)
from storage.store import Store

READABLE_FROM_ANYWHERE = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, X-PyPI-Last-Serial",
}
"""For installers that run in a browser; without credentials, so only what anybody may read."""
STALE = {"Warning": '110 - "Response is Stale"'}
"""Says that a mirror could not be asked when it was time to (RFC 7234 section 5.5.1)."""
COMPRESSED_ON_THE_LOOP_BYTES = 256 * 1024
RENDERED_ON_THE_LOOP_FILES = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a page is wanted: its form, its encoding, and what its links begin with."""

    form: Format
    encoding: Encoding
    root: str = TO_ROOT_FROM_PROJECT  # of a project's page: before the path of a file
    folder: str = ""  # of the list: before the name of a project

    @property
    def is_absolute(self) -> bool:
        """Whether links name a host: whatever the client's header says, so not worth keeping."""
        return "://" in self.root

    @property
    def etag_parts(self) -> tuple[str, ...]:
        """What tells this form and encoding of a page from the others."""
        form = self.form.name.lower()
        return (form,) if self.encoding is Encoding.IDENTITY else (form, self.encoding.value)


Who = Callable[[], Awaitable[Identity]]
"""Says who reads; asked only where something on the search path is restricted."""


async def nobody() -> Identity:
    """Read as anybody may."""
    return NOBODY


def page_key(user: str, name: str, project: str, wanted: Wanted, shown_to: ShownTo = None) -> Key:
    """Return the key under which a finished page is kept; without ``shown_to`` anybody may read it."""
    return ("page", user, name, project, wanted, shown_to)


class SimplePages:
    """Makes the pages of projects."""

    def __init__(self, store: Store, mirror: Mirror, finished: FinishedAnswers, source_of: SourceOf) -> None:
        self._store = store
        self._mirror = mirror
        self._finished = finished
        self._source_of = source_of

    async def project(self, user: str, name: str, project: str, wanted: Wanted, who: Who = nobody) -> Answer:
        """Return the page of a project, kept or made now.

        Raises:
            IndexUnknown: no such index.
            LoginRequired, Forbidden: the index is not for this reader.
            ProjectUnknown: neither the index nor its bases have the project.
            BadGateway: a mirror is to be asked, cannot answer, and nothing is cached.

        """
        kept = self._finished.get(page_key(user, name, project, wanted))
        if kept is not None:
            return kept
        reader, shown = await read_as(self._store, user, name, who, project)
        if shown is not None:
            kept = self._finished.get(page_key(user, name, project, wanted, shown))
            if kept is not None:
                return kept
        collected = await self._collect(user, name, project, reader)
        key = page_key(user, name, project, wanted, collected.shown_to)
        body = await _rendered(written(collected), wanted)
        headers = project_headers(wanted, collected)
        answer = await finish(body, headers, wanted, collected.stamps, collected.serial)
        if not wanted.is_absolute:
            self._finished.put(key, answer)
        return answer

    async def collect(
        self, user: str, name: str, project: str, *, who: Who = nobody, ignore_bases: bool = False
    ) -> CollectedPage:
        """Gather what the search path has for a project, asking mirrors where the rules allow it.

        Raises:
            IndexUnknown, ProjectUnknown, LoginRequired, Forbidden, BadGateway: as for ``project``.

        """
        reader, _ = await read_as(self._store, user, name, who, project)
        return await self._collect(user, name, project, reader, ignore_bases=ignore_bases)

    async def _collect(
        self, user: str, name: str, project: str, reader: Identity, *, ignore_bases: bool = False
    ) -> CollectedPage:
        with self._store.view() as view:
            part = collect_hosted(view, user, name, project, reader=reader, ignore_bases=ignore_bases)
        pages = [(index, *await self._mirror_page(index, project)) for index in part.mirrors]
        return merge(part, pages)

    async def refresh(self, user: str, name: str, project: str, who: Who = nobody) -> None:
        """Have every mirror of a search path ask upstream for a project anew, and wait for the answers.

        Raises:
            IndexUnknown, ProjectUnknown, LoginRequired, Forbidden: as for ``project``.
            BadGateway: an upstream cannot answer; the page that is known stays.

        """
        reader, _ = await read_as(self._store, user, name, who, project)
        with self._store.view() as view:
            part = collect_hosted(view, user, name, project, reader=reader)
        for index in part.mirrors:
            await self._mirror.refresh(self._source_of(index), project)
        collected = await self._collect(user, name, project, reader)
        if collected.is_stale:
            raise BadGateway(f"upstream cannot be asked for {project} now, its page is as old as before")

    async def _mirror_page(self, index: IndexRecord, project: str) -> tuple[MirrorSource, MirrorPage | None]:
        source = self._source_of(index)
        try:
            return source, await self._mirror.page(source, project)
        except UpstreamDown as error:
            raise BadGateway(str(error), retry_after_seconds=error.retry_after_seconds) from error


async def read_as(
    store: Store, user: str, name: str, who: Who, project: str | None = None
) -> tuple[Identity, ShownTo]:
    """Return who reads an index, where that matters, and what tells apart the pages for such readers.

    Raises:
        IndexUnknown: no such index.
        LoginRequired, Forbidden: the index, or the project of it, is not for this reader.

    """
    with store.view() as view:
        path = search_path(view, get_index(view, user, name))
    if not has_restricted(path):
        return NOBODY, None
    reader = await who()
    return reader, shown_to(path, unreadable(reader, path, project))


def written(collected: CollectedPage) -> ProjectPage:
    """Return what a page says from what was collected."""
    return ProjectPage(
        project=collected.project,
        files=collected.files,
        versions=collected.versions,
        last_serial=collected.last_serial,
        status=collected.status,
    )


def project_headers(wanted: Wanted, collected: CollectedPage) -> dict[str, str]:
    """Return the headers of a project's page."""
    headers = page_headers(wanted)
    if collected.last_serial is not None:
        headers["X-PyPI-Last-Serial"] = str(collected.last_serial)
    return headers | STALE if collected.is_stale else headers


def page_headers(wanted: Wanted) -> dict[str, str]:
    """Return the headers of every page of the Simple API."""
    headers = {
        "Content-Type": wanted.form.content_type,
        "Cache-Control": "no-cache",  # alone: with a max-age pip would not ask again in time
        "Vary": "Accept, Accept-Encoding",
        **READABLE_FROM_ANYWHERE,
    }
    if wanted.encoding is not Encoding.IDENTITY:
        headers["Content-Encoding"] = wanted.encoding.value
    return headers


async def finish(body: bytes, headers: dict[str, str], wanted: Wanted, stamps: Stamps, serial: int) -> Answer:
    """Return a page as it is sent; what takes long to compress is compressed off the event loop."""
    if len(body) > COMPRESSED_ON_THE_LOOP_BYTES:
        return await asyncio.to_thread(finish_now, body, headers, wanted, stamps, serial)
    return finish_now(body, headers, wanted, stamps, serial)


def finish_now(body: bytes, headers: dict[str, str], wanted: Wanted, stamps: Stamps, serial: int) -> Answer:
    """Return a page as it is sent: encoded, with the ETag of its content."""
    etag = strong_etag(body, *wanted.etag_parts)
    if wanted.encoding is Encoding.GZIP:
        # Without a time in the header: the same page has the same bytes on every node.
        body = gzip.compress(body, 6, mtime=0)
    return Answer(body=body, headers=headers, etag=etag, stamps=stamps, seen_serial=serial)


async def _rendered(page: ProjectPage, wanted: Wanted) -> bytes:
    if len(page.files) > RENDERED_ON_THE_LOOP_FILES:
        return await asyncio.to_thread(render_project, page, wanted.form, root=wanted.root)
    return render_project(page, wanted.form, root=wanted.root)
