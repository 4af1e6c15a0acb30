"""All mirror indexes of one node, as the rest of the node sees them."""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from node.mirror.cache import CachedFile, MirrorCache
from node.mirror.cluster import NO_CLUSTER, ClusterHooks
from node.mirror.counters import MirrorCounters
from node.mirror.downloads import Downloads
from node.mirror.errors import UpstreamDown, UpstreamOffline
from node.mirror.growing import GrowingFile
from node.mirror.links import candidate_projects
from node.mirror.list_files import ListFiles
from node.mirror.lists import KnownList, Lists
from node.mirror.memory import ABSENT, Absent
from node.mirror.metadata import CoreMetadata
from node.mirror.names import NameList
from node.mirror.page import MirrorFile, MirrorLink, MirrorPage, encode_page, offline_page
from node.mirror.pages import Pages
from node.mirror.source import MirrorSource
from node.mirror.upstream import Upstream, UpstreamOptions


def user_agent() -> str:
    """Return what upstreams see in their logs."""
    try:
        return f"wheelyard/{version('wheelyard')}"
    except PackageNotFoundError:
        return "wheelyard/0"


class Mirror:
    """The mirrors of a node; lives on one event loop between :meth:`start` and :meth:`close`.

    Project names are normalized by the caller. Rights and visibility are the caller's as well: a name that a
    private index hides must not be asked for here, since asking tells upstream.
    """

    def __init__(
        self,
        path: Path,
        *,
        options: UpstreamOptions | None = None,
        clock: Callable[[], float] = time.time,
        is_offline: bool = False,
        cluster: ClusterHooks = NO_CLUSTER,
        patience_seconds: float = 5.0,
    ) -> None:
        self._path = path
        self._clock = clock
        self._is_offline = is_offline
        self._cluster = cluster
        self._patience_seconds = patience_seconds
        self._upstream = Upstream(options or UpstreamOptions(user_agent=user_agent()))
        self.counters = MirrorCounters()

    async def start(self) -> None:
        """Open the cache and the session.

        Raises:
            OSError: the cache folder cannot be made.
            StorageError: its environment cannot be opened, even empty.

        """
        self._cache = await asyncio.to_thread(MirrorCache.open, self._path)
        await self._upstream.start()
        self._pages = Pages(
            self._cache,
            self._upstream,
            clock=self._clock,
            counters=self.counters,
            issuer=self._cluster.issuer,
            patience_seconds=self._patience_seconds,
        )
        files = ListFiles(self._path / "lists")
        await asyncio.to_thread(files.recover)
        self._list_files = files
        self._lists = Lists(
            files,
            self._upstream,
            clock=self._clock,
            counters=self.counters,
            issuer=self._cluster.list_issuer,
            patience_seconds=self._patience_seconds,
        )
        self._downloads = Downloads(
            self._cache, self._upstream, counters=self.counters, peers=self._cluster.peers
        )
        self._metadata = CoreMetadata(
            self._cache,
            self._upstream,
            self._downloads,
            counters=self.counters,
            issuer=self._cluster.metadata_issuer,
        )

    async def close(self) -> None:
        """End everything under way and close the cache."""
        await self._metadata.close()
        await self._downloads.close()
        await self._lists.close()
        await self._pages.close()
        await self._upstream.close()
        await asyncio.to_thread(self._cache.close)

    async def page(self, source: MirrorSource, project: str) -> MirrorPage | None:
        """Return a project's page, ``None`` when upstream has no such project.

        ``is_stale`` on the page says that upstream failed, or is slow, and that this is what it said before.

        Raises:
            UpstreamDown: nobody could be asked and nothing is cached; 502 with ``retry_after_seconds``.

        """
        source = self._as_asked(source)
        page = await self._pages.page(source, project)
        if page is None or not source.is_offline:
            return page
        return await asyncio.to_thread(offline_page, page, lambda file: self._has_bytes(source, file))

    def fresh_page(self, source: MirrorSource, project: str) -> MirrorPage | Absent | None:
        """Return what memory knows to be current, without I/O: as :meth:`page`, or ``ABSENT``: ask that."""
        if self._is_offline or source.is_offline:
            return ABSENT  # what is shown depends on the files that are here
        return self._pages.fresh_page(source, project)

    def fresh_digest(self, source: MirrorSource, project: str) -> str | Absent | None:
        """Return only the current page's digest, without I/O; known for many more projects than pages are."""
        if self._is_offline or source.is_offline:
            return ABSENT
        return self._pages.fresh_digest(source, project)

    async def issue(self, source: MirrorSource, project: str) -> bytes | None:
        """Return the page record for a replica that asked this primary; its issuer's counterpart.

        Raises:
            UpstreamDown: as :meth:`page`.

        """
        page = await self._pages.page(self._as_asked(source), project)
        return None if page is None else await asyncio.to_thread(encode_page, page)

    async def refresh(self, source: MirrorSource, project: str) -> None:
        """Make the next request for the page ask upstream, whatever its age."""
        await self._pages.refresh(source, project)

    def projects(self, source: MirrorSource) -> list[str]:
        """Return the projects whose pages are cached; upstream's own list is not asked for."""
        return list(self._cache.projects(source))

    async def project_list(self, source: MirrorSource) -> KnownList:
        """Return upstream's list of projects; where that is never asked for, those whose pages are cached.

        Nothing but a wish for a list may come here: it is tens of megabytes that upstream has to send.

        Raises:
            UpstreamDown: nobody could be asked, and no list is known; 502 with ``retry_after_seconds``.

        """
        if self._as_asked(source).is_offline or not source.lists_projects:
            return await self.cached_list(source)
        return await self._lists.get(source)

    async def cached_list(self, source: MirrorSource) -> KnownList:
        """Return the projects whose pages are cached."""
        names = await asyncio.to_thread(self.projects, source)
        return KnownList(NameList.of((name, None) for name in names), self._clock())

    def fresh_list(self, source: MirrorSource) -> KnownList | None:
        """Return the list that :meth:`project_list` would give out now, without I/O; ``None``: ask that."""
        if self._as_asked(source).is_offline or not source.lists_projects:
            return None  # what it is depends on the pages that are here
        return self._lists.fresh(source)

    async def issue_list(self, source: MirrorSource) -> KnownList:
        """Return the list for a replica that asked this primary; its issuer's counterpart.

        Raises:
            UpstreamDown: as :meth:`project_list`; also where upstream is never asked, since replicas know that.

        """
        if self._as_asked(source).is_offline:
            raise UpstreamOffline(source.label, "the list of projects")
        return await self._lists.get(source)

    async def find_link(
        self,
        source: MirrorSource,
        link_key: str,
        filename: str,
        *,
        may_ask: Callable[[str], bool] = lambda _: True,
    ) -> MirrorLink | None:
        """Return the listed file with this name and ``link_key`` (the first 16 hex digits of its SHA-256).

        When the cache knows no such link, the pages of the projects that the name may belong to are looked at;
        ``may_ask`` refuses those whose names must not reach upstream.

        Raises:
            UpstreamDown: the link is not known, and a page that may list it cannot be had.

        """
        link = self._cache.find_link(source, link_key, filename)
        if link is not None:
            return link
        failure: UpstreamDown | None = None
        for project in candidate_projects(filename):
            if not may_ask(project):
                continue
            try:
                page = await self._pages.page(self._as_asked(source), project)
            except UpstreamDown as error:
                failure = failure or error
                continue
            for file in page.files if page is not None else ():
                if file.filename == filename and file.link_key == link_key:
                    return MirrorLink(project, file)
        if failure is not None:
            raise failure
        return None

    async def file(self, source: MirrorSource, link: MirrorLink) -> CachedFile | GrowingFile:
        """Return the file on disk, or its download to stream from.

        Raises:
            UpstreamDown: 502; neither cluster nor upstream answered.
            UpstreamFileMissing: upstream lists the file but no longer has it.
            DownloadCorrupt: it is not the file the page lists, seen before any byte was given.
            StorageError: the cache is full.
            OSError: likewise, or the disk failed.

        """
        return await self._downloads.open_file(self._as_asked(source), link)

    def cached_file(self, source: MirrorSource, link: MirrorLink) -> CachedFile | None:
        """Return the file when it is on this disk, asking nobody: what other replicas may have."""
        return self._cache.find_file(source, link.file)

    async def read_range(self, source: MirrorSource, link: MirrorLink, start: int, end: int) -> bytes:
        """Return bytes ``start`` to before ``end``, at most 1 MiB, without fetching the file.

        Raises:
            RangeUnsupported: use :meth:`file`.
            UpstreamDown: upstream did not answer.
            OSError: the disk failed.

        """
        return await self._downloads.read_range(self._as_asked(source), link, start, end)

    async def core_metadata(self, source: MirrorSource, link: MirrorLink) -> bytes:
        """Return the METADATA of a listed wheel, exactly as it is in the wheel.

        Raises:
            UpstreamDown: 502; it cannot be had now. A listed wheel's metadata is never "missing".
            StorageError: the wheel had to be fetched, and the cache is full.
            OSError: likewise, or the disk failed.

        """
        return await self._metadata.get(self._as_asked(source), link)

    async def keep_only(self, sources: Collection[MirrorSource]) -> int:
        """Forget pages, links and list of every other index and generation; return how many of those there were.

        Raises:
            StorageError: the cache cannot be written.

        """
        here = await asyncio.to_thread(lambda: self._cache.prefixes() | self._list_files.prefixes())
        gone = here - {source.prefix for source in sources}
        for prefix in gone:
            self._pages.forget(prefix)
            self._lists.forget(prefix)
            await asyncio.to_thread(self._list_files.drop, prefix)
            await asyncio.to_thread(self._cache.drop_prefix, prefix)
        return len(gone)

    def _as_asked(self, source: MirrorSource) -> MirrorSource:
        return replace(source, is_offline=True) if self._is_offline and not source.is_offline else source

    def _has_bytes(self, source: MirrorSource, file: MirrorFile) -> bool:
        return self._cache.find_file(source, file) is not None
