"""Pages of upstream projects: asked at most once per expiry, by one task per project, and never lost to an outage."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

import structlog
from packaging.utils import canonicalize_name

from node.mirror.answers import Missing, NotModified, Page
from node.mirror.cache import MirrorCache
from node.mirror.cluster import PageIssuer
from node.mirror.counters import MirrorCounters
from node.mirror.errors import PrimaryUnreachable, RecordCorrupt, UpstreamDown, UpstreamOffline
from node.mirror.memory import ABSENT, Absent, Key, PageMemory
from node.mirror.names import is_project_name
from node.mirror.page import NO_VALIDATORS, MirrorPage, StoredPage, decode_page, is_older, without_serial
from node.mirror.parse import parse_page
from node.mirror.source import MirrorSource
from node.mirror.upstream import Upstream
from storage.errors import StorageError

MISSING_SECONDS = 60  # how long upstream's 404 is believed
RETRY_SECONDS_MIN = 5
RETRY_SECONDS_MAX = 60  # how long a stale page may be given out before upstream is tried again
COPY_SECONDS_MIN = 30  # a replica keeps the primary's copy at least so long
BREAK_SECONDS = 15  # after a failure, cached pages of that upstream are given out without waiting for it
THREAD_BYTES = 256 << 10  # larger bodies are parsed off the event loop

T = TypeVar("T")

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class _Fetch:
    """One project's page being obtained; everybody who wants it waits for the same task."""

    task: asyncio.Task[MirrorPage | None] = field(init=False)
    cached: StoredPage | None = None  # filled in by the task before it asks anybody


class Pages:
    """The page service of all mirror indexes of a node; used on the event loop only."""

    def __init__(
        self,
        cache: MirrorCache,
        upstream: Upstream,
        *,
        clock: Callable[[], float],
        counters: MirrorCounters,
        issuer: PageIssuer | None = None,
        memory: PageMemory | None = None,
        patience_seconds: float = 5.0,
    ) -> None:
        self._cache = cache
        self._upstream = upstream
        self._clock = clock
        self._counters = counters
        self._issuer = issuer
        self._memory = memory if memory is not None else PageMemory()
        self._patience_seconds = (
            patience_seconds  # how long a client with a cached page waits for a newer one
        )
        self._fetches: dict[Key, _Fetch] = {}
        self._tasks: set[asyncio.Task[MirrorPage | None]] = set()
        self._down_until: dict[bytes, float] = {}
        self._freshness: dict[bytes, tuple[int, bool]] = {}  # what memory was filled under

    def fresh_page(self, source: MirrorSource, project: str) -> MirrorPage | Absent | None:
        """Return what memory knows to be current: the page, ``None`` for upstream's 404, or ``ABSENT``."""
        known = self._memory.fresh((source.prefix, project), self._clock())
        if known is None or (known.page is None and known.digest is not None):
            return ABSENT
        return known.page

    def fresh_digest(self, source: MirrorSource, project: str) -> str | Absent | None:
        """Return the current page's digest, ``None`` for upstream's 404, or ``ABSENT``.

        Known for far more projects than their pages are; all that a finished page needs as its stamp.
        """
        known = self._memory.fresh((source.prefix, project), self._clock())
        return ABSENT if known is None else known.digest

    async def page(self, source: MirrorSource, project: str) -> MirrorPage | None:
        """Return the page, from memory, the cache, the primary or upstream; ``None`` when upstream has none.

        Raises:
            UpstreamDown: nobody could be asked and nothing is cached.

        """
        self._counters.page_requests += 1
        name = canonicalize_name(project)
        if not is_project_name(name):
            return None  # no index can have it, and it has no business in an upstream's URL
        key = (source.prefix, name)
        if self._freshness.setdefault(source.prefix, source.freshness) != source.freshness:
            self._memory.drop_source(source.prefix)
            self._freshness[source.prefix] = source.freshness
        known = self._memory.fresh(key, self._clock())
        if known is not None and (known.page is not None or known.digest is None):
            self._counters.page_memory_hits += 1
            return known.page
        fetch = self._fetches.get(key) or self._start(source, name)
        # Waiting on the task rather than in it: a client that goes away takes nobody's page along.
        await asyncio.wait({fetch.task}, timeout=self._patience_seconds)
        if not fetch.task.done() and fetch.cached is not None:
            return self._give_stale(source, fetch.cached, seconds=RETRY_SECONDS_MIN)
        return await asyncio.shield(fetch.task)

    async def refresh(self, source: MirrorSource, project: str) -> None:
        """Make the next request ask upstream, whatever the page's age; a fetch under way does not count."""
        key = (source.prefix, canonicalize_name(project))
        self._memory.drop(key)
        self._fetches.pop(key, None)
        stored = await asyncio.to_thread(self._cache.load_page, source, key[1])
        if stored is not None:
            with contextlib.suppress(StorageError):
                await asyncio.to_thread(self._cache.stamp_page, source, stored, must_ask=True)
        self._memory.drop(key)  # again: a request may have come between
        self._fetches.pop(key, None)

    def forget(self, prefix: bytes) -> None:
        """Drop from memory what belongs to one index and generation."""
        self._memory.drop_source(prefix)
        self._freshness.pop(prefix, None)
        for key in [key for key in self._fetches if key[0] == prefix]:
            del self._fetches[key]

    async def close(self) -> None:
        """End all fetches."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, source: MirrorSource, name: str) -> _Fetch:
        key = (source.prefix, name)
        fetch = _Fetch()
        fetch.task = asyncio.create_task(self._obtain(fetch, source, name), name=f"mirror page {name}")

        def finished(task: asyncio.Task[MirrorPage | None]) -> None:
            self._tasks.discard(task)
            if self._fetches.get(key) is fetch:
                del self._fetches[key]
            if not task.cancelled():
                task.exception()  # retrieved here: every client that wanted it may be gone

        self._fetches[key] = fetch
        self._tasks.add(fetch.task)
        fetch.task.add_done_callback(finished)
        return fetch

    async def _obtain(self, fetch: _Fetch, source: MirrorSource, name: str) -> MirrorPage | None:
        stored = await asyncio.to_thread(self._cache.load_page, source, name)
        fetch.cached = stored
        now = self._clock()
        if stored is not None and not stored.must_ask:
            age_seconds = now - stored.page.fetched_at
            if 0 <= age_seconds < source.cache_expiry_seconds:
                return self._remember(
                    fetch, source, stored.page, seconds=source.cache_expiry_seconds - age_seconds
                )
            if now < self._down_until.get(source.prefix, 0):
                return self._give_stale(source, stored, seconds=RETRY_SECONDS_MIN)
        try:
            if self._issuer is not None:
                with contextlib.suppress(PrimaryUnreachable, RecordCorrupt):
                    return await self._copy(fetch, self._issuer, source, name)
            return await self._fetch(fetch, source, name)
        except UpstreamDown as error:
            self._counters.page_failures += 1
            if not isinstance(error, UpstreamOffline):
                self._down_until[source.prefix] = self._clock() + BREAK_SECONDS
                log.warning("upstream page failed", index=source.label, project=name, reason=error.detail)
            if stored is None:
                raise
            seconds = min(max(error.retry_after_seconds, RETRY_SECONDS_MIN), RETRY_SECONDS_MAX)
            return self._give_stale(source, stored, seconds=seconds)

    async def _copy(
        self, fetch: _Fetch, issuer: PageIssuer, source: MirrorSource, name: str
    ) -> MirrorPage | None:
        record = await issuer(source, name)
        self._counters.pages_from_primary += 1
        if record is None:
            await self._note_missing(fetch, source, name)
            return None
        stored = await _off_loop_when_large(len(record), lambda: decode_page(record))
        if stored.page.project != name:
            raise RecordCorrupt("page", f"it is of {stored.page.project}, not {name}")
        # The primary's clock may be ahead of ours; its page is never newer than now.
        stored = replace(
            stored, page=replace(stored.page, fetched_at=min(stored.page.fetched_at, self._clock()))
        )
        await self._keep(fetch, source, stored)
        left = stored.page.fetched_at + source.cache_expiry_seconds - self._clock()
        return self._remember(
            fetch, source, stored.page, seconds=max(left, min(COPY_SECONDS_MIN, source.cache_expiry_seconds))
        )

    async def _fetch(self, fetch: _Fetch, source: MirrorSource, name: str) -> MirrorPage | None:
        stored = fetch.cached
        self._counters.page_fetches += 1
        answer = await self._upstream.fetch_page(source, name, stored.validators if stored else NO_VALIDATORS)
        self._down_until.pop(source.prefix, None)
        match answer:
            case Missing():
                await self._note_missing(fetch, source, name)
                return None
            case NotModified() if stored is not None:
                self._counters.page_not_modified += 1
                stored = replace(stored, page=replace(stored.page, fetched_at=self._clock()), must_ask=False)
            case Page():
                page = await _off_loop_when_large(len(answer.body), lambda: self._parse(answer, name))
                if source.ignores_serials:
                    page = without_serial(page)
                if stored is not None and is_older(page, stored.page):
                    # A cache in front of upstream gave an older copy; ask again soon.
                    self._counters.page_older += 1
                    return self._remember(fetch, source, stored.page, seconds=RETRY_SECONDS_MAX)
                stored = StoredPage(page, answer.validators)
            case _:
                raise UpstreamDown(source.label, "it answered 304 to a request without validators")
        await self._keep(fetch, source, stored)
        return self._remember(fetch, source, stored.page, seconds=source.cache_expiry_seconds)

    def _parse(self, answer: Page, name: str) -> MirrorPage:
        return parse_page(
            answer.body,
            content_type=answer.content_type,
            url=answer.url,
            project=name,
            header_serial=answer.serial,
            fetched_at=self._clock(),
        )

    async def _note_missing(self, fetch: _Fetch, source: MirrorSource, name: str) -> None:
        self._counters.page_missing += 1
        if fetch.cached is not None:
            # The project was removed upstream, which an outage must not undo; its links stay for lock files.
            with contextlib.suppress(StorageError):
                await asyncio.to_thread(self._cache.drop_page, source, name)
        self._remember(fetch, source, None, seconds=MISSING_SECONDS, name=name)

    async def _keep(self, fetch: _Fetch, source: MirrorSource, stored: StoredPage) -> None:
        is_known = fetch.cached is not None and fetch.cached.page.digest == stored.page.digest
        write = self._cache.stamp_page if is_known else self._cache.save_page
        if self._fetches.get((source.prefix, stored.page.project)) is not fetch:
            return  # a refresh or a removed index came between
        try:
            await asyncio.to_thread(write, source, stored)
        except (StorageError, OSError) as error:
            # The page is as good without a cache; only a restart or an outage would miss it.
            log.warning(
                "mirror page not cached", index=source.label, project=stored.page.project, reason=str(error)
            )

    def _remember(
        self, fetch: _Fetch, source: MirrorSource, page: MirrorPage | None, *, seconds: float, name: str = ""
    ) -> MirrorPage | None:
        key = (source.prefix, page.project if page is not None else name)
        if self._fetches.get(key) is fetch:
            now = self._clock()
            self._memory.put(key, page, now=now, until=now + seconds)
        return page

    def _give_stale(self, source: MirrorSource, stored: StoredPage, *, seconds: float) -> MirrorPage:
        self._counters.page_stale += 1
        page = replace(stored.page, is_stale=True)
        now = self._clock()
        self._memory.put((source.prefix, page.project), page, now=now, until=now + seconds)
        return page


async def _off_loop_when_large(size_bytes: int, work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work) if size_bytes > THREAD_BYTES else work()
