"""The pages of the Simple API, from a request to finished bytes."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from node.catalog.lookups import get_index, projects_of, search_path
from node.catalog.permissions import NOBODY, Identity
from node.catalog.reading import ShownTo, has_restricted, shown_to, unreadable
from node.catalog.records import IndexRecord
from node.errors import BadGateway
from node.finished import Answer, FinishedAnswers, Key, Stamps, configuration_serial, strong_etag
from node.mirror.errors import UpstreamDown
from node.mirror.mirror import Mirror
from node.mirror.page import MirrorPage
from node.mirror.source import MirrorSource
from node.simple.collect import CollectedPage, SourceOf, collect_hosted, merge
from node.simple.negotiate import Encoding, Format
from node.simple.render import (
    TO_ROOT_FROM_PROJECT,
    ProjectList,
    ProjectPage,
    render_list,
    render_project,
)
from storage.store import Store

READABLE_FROM_ANYWHERE = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, X-PyPI-Last-Serial",
}
"""For installers that run in a browser; without credentials, so only what anybody may read."""
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


Who = Callable[[], Awaitable[Identity]]
"""Says who reads; asked only where something on the search path is restricted."""


async def nobody() -> Identity:
    """Read as anybody may."""
    return NOBODY


def page_key(user: str, name: str, project: str, wanted: Wanted, shown_to: ShownTo = None) -> Key:
    """Return the key under which a finished page is kept; without ``shown_to`` anybody may read it."""
    return ("page", user, name, project, wanted, shown_to)


class SimplePages:
    """Makes the pages of projects, and the lists of them."""

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
        reader, shown = await self._reader(user, name, who, project)
        if shown is not None:
            kept = self._finished.get(page_key(user, name, project, wanted, shown))
            if kept is not None:
                return kept
        collected = await self._collect(user, name, project, reader)
        key = page_key(user, name, project, wanted, collected.shown_to)
        body = await _rendered(written(collected), wanted)
        headers = page_headers(wanted, collected)
        return await self._finish(key, body, headers, wanted, collected.stamps, collected.serial)

    async def projects(self, user: str, name: str, wanted: Wanted, who: Who = nobody) -> Answer:
        """Return the page of all hosted projects of an index and its bases, kept or made now.

        Names of mirrors are not listed: nobody waits for a list of a million names.

        Raises:
            IndexUnknown: no such index.
            LoginRequired, Forbidden: the index is not for this reader.

        """
        reader, shown = await self._reader(user, name, who)
        kept = self._finished.get(("list", user, name, wanted, shown))
        if kept is not None:
            return kept
        # Off the loop: the list of a large index takes as long as hundreds of other answers.
        page, stamps, shown = await asyncio.to_thread(self._listed, user, name, reader)
        key = ("list", user, name, wanted, shown)
        body = await asyncio.to_thread(render_list, page, wanted.form, folder=wanted.folder)
        headers = _form_headers(wanted) | {"X-PyPI-Last-Serial": str(page.last_serial)}
        return await self._finish(key, body, headers, wanted, stamps, page.last_serial)

    def _listed(self, user: str, name: str, reader: Identity) -> tuple[ProjectList, Stamps, ShownTo]:
        newest: dict[str, int] = {}
        with self._store.view() as view:
            path = search_path(view, get_index(view, user, name))
            hidden = unreadable(reader, path)
            for index in path:
                if index.index_id in hidden:
                    continue
                for project, serial in projects_of(view, index.index_id):
                    newest[project] = max(serial, newest.get(project, 0))
            serial = view.position.serial
            stamps = Stamps(configuration_serial(view), state=serial)
        return ProjectList(sorted(newest.items()), serial), stamps, shown_to(path, hidden)

    async def collect(
        self, user: str, name: str, project: str, *, who: Who = nobody, ignore_bases: bool = False
    ) -> CollectedPage:
        """Gather what the search path has for a project, asking mirrors where the rules allow it.

        Raises:
            IndexUnknown, ProjectUnknown, LoginRequired, Forbidden, BadGateway: as for ``project``.

        """
        reader, _ = await self._reader(user, name, who, project)
        return await self._collect(user, name, project, reader, ignore_bases=ignore_bases)

    async def _reader(
        self, user: str, name: str, who: Who, project: str | None = None
    ) -> tuple[Identity, ShownTo]:
        """Return who reads, where that matters, and what tells apart the pages for such readers."""
        with self._store.view() as view:
            path = search_path(view, get_index(view, user, name))
        if not has_restricted(path):
            return NOBODY, None
        reader = await who()
        return reader, shown_to(path, unreadable(reader, path, project))

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
        reader, _ = await self._reader(user, name, who, project)
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

    async def _finish(
        self,
        key: Key,
        body: bytes,
        headers: dict[str, str],
        wanted: Wanted,
        stamps: Stamps,
        serial: int,
    ) -> Answer:
        if len(body) > COMPRESSED_ON_THE_LOOP_BYTES:
            answer = await asyncio.to_thread(finish_now, body, headers, wanted, stamps, serial)
        else:
            answer = finish_now(body, headers, wanted, stamps, serial)
        if not wanted.is_absolute:
            self._finished.put(key, answer)
        return answer


def written(collected: CollectedPage) -> ProjectPage:
    """Return what a page says from what was collected."""
    return ProjectPage(
        project=collected.project,
        files=collected.files,
        versions=collected.versions,
        last_serial=collected.last_serial,
        status=collected.status,
    )


def page_headers(wanted: Wanted, collected: CollectedPage) -> dict[str, str]:
    """Return the headers of a project's page."""
    headers = _form_headers(wanted)
    if collected.last_serial is not None:
        headers["X-PyPI-Last-Serial"] = str(collected.last_serial)
    if collected.is_stale:
        headers["Warning"] = '110 - "Response is Stale"'
    return headers


def finish_now(body: bytes, headers: dict[str, str], wanted: Wanted, stamps: Stamps, serial: int) -> Answer:
    """Return the answer that has a body as it was rendered; compresses it where that is wanted."""
    encoding = wanted.encoding
    parts = () if encoding is Encoding.IDENTITY else (encoding.value,)
    etag = strong_etag(body, wanted.form.name.lower(), *parts)
    if encoding is Encoding.GZIP:
        # Without a time in the header: the same page has the same bytes on every node.
        body = gzip.compress(body, 6, mtime=0)
    return Answer(body=body, headers=headers, etag=etag, stamps=stamps, seen_serial=serial)


def _form_headers(wanted: Wanted) -> dict[str, str]:
    headers = {
        "Content-Type": wanted.form.content_type,
        "Cache-Control": "no-cache",  # alone: with a max-age pip would not ask again in time
        "Vary": "Accept, Accept-Encoding",
        **READABLE_FROM_ANYWHERE,
    }
    if wanted.encoding is not Encoding.IDENTITY:
        headers["Content-Encoding"] = wanted.encoding.value
    return headers


async def _rendered(page: ProjectPage, wanted: Wanted) -> bytes:
    if len(page.files) > RENDERED_ON_THE_LOOP_FILES:
        return await asyncio.to_thread(render_project, page, wanted.form, root=wanted.root)
    return render_project(page, wanted.form, root=wanted.root)
