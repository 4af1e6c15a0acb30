"""The pages of the Simple API, from a request to finished bytes."""

import asyncio
import gzip

from node.catalog.lookups import get_index, projects_of, search_path
from node.catalog.records import IndexRecord
from node.errors import BadGateway
from node.finished import Answer, FinishedAnswers, Key, Stamps, configuration_serial, strong_etag
from node.mirror.errors import UpstreamDown
from node.mirror.mirror import Mirror
from node.mirror.page import MirrorPage
from node.mirror.source import MirrorSource
from node.simple.collect import CollectedPage, SourceOf, collect_hosted, merge
from node.simple.negotiate import Encoding, Format
from node.simple.render import ProjectList, ProjectPage, render_list, render_project
from storage.store import Store

COMPRESSED_ON_THE_LOOP_BYTES = 256 * 1024


def page_key(user: str, name: str, project: str, form: Format, encoding: Encoding) -> Key:
    """Return the key under which a finished page is kept."""
    return ("page", user, name, project, form, encoding)


class SimplePages:
    """Makes the pages of projects, and the lists of them."""

    def __init__(self, store: Store, mirror: Mirror, finished: FinishedAnswers, source_of: SourceOf) -> None:
        self._store = store
        self._mirror = mirror
        self._finished = finished
        self._source_of = source_of

    async def project(self, user: str, name: str, project: str, form: Format, encoding: Encoding) -> Answer:
        """Return the page of a project, kept or made now.

        Raises:
            IndexUnknown: no such index.
            ProjectUnknown: neither the index nor its bases have the project.
            BadGateway: a mirror is to be asked, cannot answer, and nothing is cached.

        """
        key = page_key(user, name, project, form, encoding)
        kept = self._finished.get(key)
        if kept is not None:
            return kept
        collected = await self.collect(user, name, project)
        body = render_project(self.written(collected), form)
        headers = self._headers(form, encoding)
        if collected.last_serial is not None:
            headers["X-PyPI-Last-Serial"] = str(collected.last_serial)
        if collected.is_stale:
            headers["Warning"] = '110 - "Response is Stale"'
        return await self._finish(key, body, headers, encoding, collected.stamps, collected.serial)

    async def projects(self, user: str, name: str, form: Format, encoding: Encoding) -> Answer:
        """Return the page of all hosted projects of an index and its bases.

        Names of mirrors are not listed: nobody waits for a list of a million names.

        Raises:
            IndexUnknown: no such index.

        """
        with self._store.view() as view:
            path = search_path(view, get_index(view, user, name))
            newest: dict[str, int] = {}
            for index in path:
                for project, serial in projects_of(view, index.index_id):
                    newest[project] = max(serial, newest.get(project, 0))
            stamps = Stamps(configuration_serial(view))
            serial = view.position.serial
        body = render_list(ProjectList(sorted(newest.items()), serial), form)
        return await self._finish(None, body, self._headers(form, encoding), encoding, stamps, serial)

    async def absolute(self, user: str, name: str, project: str, form: Format, *, root: str) -> bytes:
        """Return a page whose links begin with ``root``, made for one request only.

        Raises:
            IndexUnknown, ProjectUnknown, BadGateway: as for ``project``.

        """
        return render_project(self.written(await self.collect(user, name, project)), form, root=root)

    async def collect(
        self, user: str, name: str, project: str, *, ignore_bases: bool = False
    ) -> CollectedPage:
        """Gather what the search path has for a project, asking mirrors where the rules allow it.

        Raises:
            IndexUnknown, ProjectUnknown, BadGateway: as for ``project``.

        """
        with self._store.view() as view:
            part = collect_hosted(view, user, name, project, ignore_bases=ignore_bases)
        pages = [(index, *await self._mirror_page(index, project)) for index in part.mirrors]
        return merge(part, pages)

    async def refresh(self, user: str, name: str, project: str) -> None:
        """Have every mirror of a search path ask upstream for a project anew.

        Raises:
            IndexUnknown: no such index.
            BadGateway: a mirror's upstream cannot answer.

        """
        with self._store.view() as view:
            part = collect_hosted(view, user, name, project)
        for index in part.mirrors:
            try:
                await self._mirror.refresh(self._source_of(index), project)
            except UpstreamDown as error:
                raise BadGateway(str(error), retry_after_seconds=error.retry_after_seconds) from error

    @staticmethod
    def written(collected: CollectedPage) -> ProjectPage:
        """Return what a page says from what was collected."""
        return ProjectPage(
            project=collected.project,
            files=collected.files,
            versions=collected.versions,
            last_serial=collected.last_serial,
            status=collected.status,
        )

    async def _mirror_page(self, index: IndexRecord, project: str) -> tuple[MirrorSource, MirrorPage | None]:
        source = self._source_of(index)
        try:
            return source, await self._mirror.page(source, project)
        except UpstreamDown as error:
            raise BadGateway(str(error), retry_after_seconds=error.retry_after_seconds) from error

    async def _finish(
        self,
        key: tuple[object, ...] | None,
        body: bytes,
        headers: dict[str, str],
        encoding: Encoding,
        stamps: Stamps,
        serial: int,
    ) -> Answer:
        etag = strong_etag(body, *(() if encoding is Encoding.IDENTITY else (encoding.value,)))
        if encoding is Encoding.GZIP:
            body = await _compressed(body)
        answer = Answer(body=body, headers=headers, etag=etag, stamps=stamps, seen_serial=serial)
        if key is not None:
            self._finished.put(key, answer)
        return answer

    @staticmethod
    def _headers(form: Format, encoding: Encoding) -> dict[str, str]:
        headers = {
            "Content-Type": form.content_type,
            "Cache-Control": "no-cache",  # alone: with a max-age pip would not ask again in time
            "Vary": "Accept, Accept-Encoding",
            "Access-Control-Allow-Origin": "*",
        }
        if encoding is not Encoding.IDENTITY:
            headers["Content-Encoding"] = encoding.value
        return headers


async def _compressed(body: bytes) -> bytes:
    # Without a time in the header: the same page has the same bytes on every node.
    if len(body) > COMPRESSED_ON_THE_LOOP_BYTES:
        return await asyncio.to_thread(gzip.compress, body, 6, mtime=0)
    return gzip.compress(body, 6, mtime=0)
