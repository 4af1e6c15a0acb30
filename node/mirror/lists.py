"""Upstreams' lists of all projects: asked for only when somebody wants a list, and never lost to an outage."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog

from node.mirror.cluster import ListIssuer
from node.mirror.counters import MirrorCounters
from node.mirror.errors import PrimaryUnreachable, RecordCorrupt, UpstreamDown
from node.mirror.list_fetch import ask_upstream, take_from_primary
from node.mirror.list_files import ListFiles, StoredList
from node.mirror.names import NameList, is_older
from node.mirror.page import NO_VALIDATORS
from node.mirror.pages import COPY_SECONDS_MIN, RETRY_SECONDS_MAX, RETRY_SECONDS_MIN
from node.mirror.source import MirrorSource
from node.mirror.upstream import Upstream

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class KnownList:
    """The names that an upstream lists, as far as they are known."""

    names: NameList
    fetched_at: float  # seconds since the epoch, when upstream last said so
    is_stale: bool = False  # upstream could not be asked when it was time to


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of one source's list; from ``noted_at`` to ``until`` nobody is asked, whatever its age.

    Unless the index's options were changed since: then its age decides by the new ones.
    """

    stored: StoredList | None
    freshness: tuple[int, bool] | None = None  # the options it was noted under
    is_stale: bool = False
    failure: str = ""
    noted_at: float = 0.0
    until: float = 0.0


@dataclass(slots=True, eq=False)
class _Fetch:
    """One source's list being obtained; everybody who wants it waits for the same task."""

    task: asyncio.Task[KnownList] = field(init=False)
    stored: StoredList | None = None  # filled in by the task before it asks anybody


class Lists:
    """The list service of all mirror indexes of a node; used on the event loop only."""

    def __init__(
        self,
        files: ListFiles,
        upstream: Upstream,
        *,
        clock: Callable[[], float],
        counters: MirrorCounters,
        issuer: ListIssuer | None = None,
        patience_seconds: float = 5.0,
    ) -> None:
        self._files = files
        self._upstream = upstream
        self._clock = clock
        self._counters = counters
        self._issuer = issuer
        self._patience_seconds = patience_seconds  # how long a client waits for a newer list than is known
        self._known: dict[bytes, _Known] = {}
        self._fetches: dict[bytes, _Fetch] = {}
        self._tasks: set[asyncio.Task[KnownList]] = set()

    def fresh(self, source: MirrorSource) -> KnownList | None:
        """Return the list that would be given out now without asking anybody; no I/O."""
        known = self._known.get(source.prefix)
        if known is None or known.stored is None:
            return None
        now = self._clock()
        if known.noted_at <= now < known.until and known.freshness == source.freshness:
            return _given(known.stored, is_stale=known.is_stale)
        if not 0 <= now - known.stored.fetched_at < source.cache_expiry_seconds:
            return None
        return _given(known.stored)

    async def get(self, source: MirrorSource) -> KnownList:
        """Return the list: known to be current, or else from the primary or upstream.

        Raises:
            UpstreamDown: nobody could be asked, and none is known.

        """
        self._counters.list_requests += 1
        given = self.fresh(source)
        if given is None:
            fetch = self._fetches.get(source.prefix) or self._start(source)
            # Waiting on the task rather than in it: a client that goes away takes nobody's list along.
            await asyncio.wait({fetch.task}, timeout=self._patience_seconds)
            if not fetch.task.done() and fetch.stored is not None:
                given = _given(fetch.stored, is_stale=True)
            else:
                given = await asyncio.shield(fetch.task)
        self._counters.list_stale += given.is_stale
        return given

    def forget(self, prefix: bytes) -> None:
        """Drop from memory what belongs to one index and generation; a fetch under way is not kept."""
        self._known.pop(prefix, None)
        self._fetches.pop(prefix, None)

    async def close(self) -> None:
        """End all fetches."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, source: MirrorSource) -> _Fetch:
        fetch = _Fetch()
        fetch.task = asyncio.create_task(self._obtain(fetch, source), name=f"project list of {source.label}")

        def finished(task: asyncio.Task[KnownList]) -> None:
            self._tasks.discard(task)
            if self._fetches.get(source.prefix) is fetch:
                del self._fetches[source.prefix]
            if not task.cancelled():
                task.exception()  # retrieved here: every client that wanted it may be gone

        self._fetches[source.prefix] = fetch
        self._tasks.add(fetch.task)
        fetch.task.add_done_callback(finished)
        return fetch

    async def _obtain(self, fetch: _Fetch, source: MirrorSource) -> KnownList:
        known = self._known.get(source.prefix)
        if known is None:
            known = _Known(await asyncio.to_thread(self._files.load, source.prefix))
            self._remember(fetch, source, known)
        fetch.stored = known.stored
        fresh = self.fresh(source)
        if fresh is not None:
            return fresh
        now = self._clock()
        if known.stored is None and known.noted_at <= now < known.until:
            raise UpstreamDown(source.label, known.failure, retry_after_seconds=int(known.until - now) + 1)
        raw, lines = self._files.temporary(), self._files.temporary()
        try:
            await asyncio.to_thread(self._files.make_folder)
            if self._issuer is not None:
                with suppress(PrimaryUnreachable, RecordCorrupt):
                    return await self._copy(fetch, self._issuer, source, lines)
            return await self._fetch(fetch, source, raw, lines)
        except UpstreamDown as error:
            return self._failed(fetch, source, error)
        except OSError as error:
            return self._failed(fetch, source, UpstreamDown(source.label, f"its list was not kept: {error}"))
        finally:
            await asyncio.to_thread(_remove, raw, lines)

    def _failed(self, fetch: _Fetch, source: MirrorSource, error: UpstreamDown) -> KnownList:
        self._counters.list_failures += 1
        log.warning("upstream project list failed", index=source.label, reason=error.detail)
        seconds = min(max(error.retry_after_seconds, RETRY_SECONDS_MIN), RETRY_SECONDS_MAX)
        if fetch.stored is not None:
            return self._give(fetch, source, fetch.stored, is_stale=True, seconds=seconds)
        now = self._clock()
        until = now + seconds
        known = _Known(None, source.freshness, failure=error.detail, noted_at=now, until=until)
        self._remember(fetch, source, known)
        raise error

    async def _copy(self, fetch: _Fetch, issuer: ListIssuer, source: MirrorSource, lines: Path) -> KnownList:
        stored = fetch.stored
        async with issuer(source, stored.names.digest if stored is not None else None) as issued:
            self._counters.lists_from_primary += 1
            # The primary's clock may be ahead of ours; its list is never newer than now.
            fetched_at = min(issued.fetched_at, self._clock())
            if stored is not None and issued.digest == stored.names.digest:
                copied, written = replace(stored, fetched_at=fetched_at), None
            else:
                names, written = await take_from_primary(issued, lines=lines), lines
                copied = StoredList(names, fetched_at, NO_VALIDATORS)
        await self._keep(fetch, source, copied, written)
        seconds = min(COPY_SECONDS_MIN, source.cache_expiry_seconds)
        return self._give(fetch, source, copied, is_stale=issued.is_stale, seconds=seconds)

    async def _fetch(self, fetch: _Fetch, source: MirrorSource, raw: Path, lines: Path) -> KnownList:
        stored = fetch.stored
        self._counters.list_fetches += 1
        now = self._clock()
        listed = await ask_upstream(self._upstream, source, stored, raw=raw, lines=lines, now=now)
        if stored is not None and listed.names is stored.names:
            self._counters.list_not_modified += 1
            await self._keep(fetch, source, listed, None)
        elif stored is not None and is_older(listed.names, stored.names):
            # A cache in front of upstream gave an older copy; ask again soon.
            return self._give(fetch, source, stored, seconds=RETRY_SECONDS_MAX)
        else:
            await self._keep(fetch, source, listed, lines)
        return self._give(fetch, source, listed)

    async def _keep(
        self, fetch: _Fetch, source: MirrorSource, stored: StoredList, written: Path | None
    ) -> None:
        if self._fetches.get(source.prefix) is not fetch:
            return  # the index was removed meanwhile
        try:
            await asyncio.to_thread(self._files.save, source.prefix, stored, written)
        except OSError as error:
            # The list is as good without a cache; only a restart would miss it.
            log.warning("project list not cached", index=source.label, reason=str(error))

    def _give(
        self,
        fetch: _Fetch,
        source: MirrorSource,
        stored: StoredList,
        *,
        is_stale: bool = False,
        seconds: float = 0.0,
    ) -> KnownList:
        """Give a list out, now and in the next ``seconds`` whatever its age."""
        now = self._clock()
        known = _Known(stored, source.freshness, is_stale=is_stale, noted_at=now, until=now + seconds)
        self._remember(fetch, source, known)
        return _given(stored, is_stale=is_stale)

    def _remember(self, fetch: _Fetch, source: MirrorSource, known: _Known) -> None:
        if self._fetches.get(source.prefix) is fetch:
            self._known[source.prefix] = known


def _given(stored: StoredList, *, is_stale: bool = False) -> KnownList:
    return KnownList(stored.names, stored.fetched_at, is_stale=is_stale)


def _remove(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
