"""The lists of all projects of indexes, from a request to finished bytes, or to pieces that are sent as they come."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from node.catalog.lookups import get_index, projects_of, search_path
from node.catalog.permissions import Identity
from node.catalog.reading import ShownTo, shown_to, unreadable
from node.catalog.records import IndexRecord
from node.catalog.visibility import mirror_rule
from node.errors import BadGateway
from node.finished import Answer, FinishedAnswers, ListStamp, Stamps, configuration_serial, strong_etag
from node.mirror.errors import UpstreamDown
from node.mirror.lists import KnownList
from node.mirror.mirror import Mirror
from node.mirror.names import NameList
from node.simple.collect import SourceOf
from node.simple.lists import Part, ProjectList, compressed, write_list
from node.simple.negotiate import Encoding
from node.simple.pages import STALE, Wanted, Who, finish, nobody, page_headers, read_as
from storage.store import Store
from storage.view import View

STREAMED_BYTES_MIN = 1 << 20
"""A list whose lines are larger is written while it is sent, each time anew, and never held as a whole."""
WRITTEN_AT_ONCE = 2
"""So many lists are worked on at any moment; others wait for their next piece."""


@dataclass(frozen=True, slots=True)
class StreamedList:
    """A list that is too large to be kept."""

    etag: str  # strong, quoted; of what the list is made of, so that a 304 costs no writing
    headers: dict[str, str]
    write: Callable[[], Iterator[bytes]]
    slots: asyncio.Semaphore

    async def pieces(self) -> AsyncIterator[bytes]:
        """Iterate over the body; raises OSError when the disk fails."""
        pieces = self.write()
        while True:
            async with self.slots:
                piece = await asyncio.to_thread(next, pieces, None)
            if piece is None:
                return
            yield piece


@dataclass(frozen=True, slots=True)
class _Hosted:
    """What the state says of a list, as far as its reader may see it, and which mirrors add to it."""

    path: tuple[IndexRecord, ...]  # without what is hidden
    names: NameList
    hidden_names: frozenset[bytes]  # hosted where the reader must see nothing, and closed for mirrors
    shown_to: ShownTo
    configuration: int
    serial: int

    @property
    def is_of_mirror(self) -> bool:
        """Whether the index itself is a mirror; then it has nothing else."""
        return self.path[0].is_mirror


class ListPages:
    """Makes lists of all projects. Only here upstreams are asked for theirs."""

    def __init__(self, store: Store, mirror: Mirror, finished: FinishedAnswers, source_of: SourceOf) -> None:
        self._store = store
        self._mirror = mirror
        self._finished = finished
        self._source_of = source_of
        self._slots = asyncio.Semaphore(WRITTEN_AT_ONCE)

    async def projects(
        self, user: str, name: str, wanted: Wanted, who: Who = nobody
    ) -> Answer | StreamedList:
        """Return the page of all projects of an index, its bases and their mirrors, kept or made now.

        A mirror that cannot be asked adds what is known of it, and the answer is marked stale.

        Raises:
            IndexUnknown: no such index.
            LoginRequired, Forbidden: the index is not for this reader.
            BadGateway: the index itself is a mirror that cannot be asked, and no list is known.

        """
        reader, shown = await read_as(self._store, user, name, who)
        kept = self._finished.get(("list", user, name, wanted, shown))
        if kept is not None:
            return kept
        # Off the loop: the list of a large index takes as long as hundreds of other answers.
        hosted = await asyncio.to_thread(self._hosted, user, name, reader)
        mirrors = [index for index in hosted.path if index.is_mirror]
        known = await asyncio.gather(*(self._known(index, is_own=hosted.is_of_mirror) for index in mirrors))
        listed = _joined(hosted, known)
        headers = _headers(listed, wanted, is_stale=any(each.is_stale for each in known))
        if listed.size_bytes > STREAMED_BYTES_MIN:
            return self._streamed(listed, wanted, headers)
        stamps = Stamps(
            hosted.configuration,
            mirrors=tuple(
                ListStamp(self._source_of(index), each.names.digest, each.is_stale)
                for index, each in zip(mirrors, known, strict=True)
            ),
            state=None if hosted.is_of_mirror else hosted.serial,
        )
        body = await asyncio.to_thread(_whole, listed, wanted)
        answer = await finish(body, headers, wanted, stamps, hosted.serial)
        if not wanted.is_absolute and all(stamp.is_current(self._mirror) for stamp in stamps.mirrors):
            self._finished.put(("list", user, name, wanted, hosted.shown_to), answer)
        return answer

    async def of_mirror(self, index: IndexRecord) -> KnownList:
        """Return the names that the upstream of a mirror lists.

        Raises:
            UpstreamDown: it cannot be asked, and no list is known.

        """
        return await self._mirror.project_list(self._source_of(index))

    def streamed(self, write: Callable[[], Iterator[bytes]], headers: dict[str, str]) -> StreamedList:
        """Return pieces to be sent in turn with those of other lists; without an ETag."""
        return StreamedList("", headers, write, self._slots)

    def _streamed(self, listed: ProjectList, wanted: Wanted, headers: dict[str, str]) -> StreamedList:
        def write() -> Iterator[bytes]:
            pieces = write_list(listed, wanted.form, folder=wanted.folder)
            return compressed(pieces) if wanted.encoding is Encoding.GZIP else pieces

        said = f"{listed.digest()} {wanted.folder}".encode()
        return StreamedList(strong_etag(said, *wanted.etag_parts, "list"), headers, write, self._slots)

    async def _known(self, index: IndexRecord, *, is_own: bool) -> KnownList:
        source = self._source_of(index)
        try:
            return await self._mirror.project_list(source)
        except UpstreamDown as error:
            if is_own:
                raise BadGateway(str(error), retry_after_seconds=error.retry_after_seconds) from error
            known = await self._mirror.cached_list(source)
            return KnownList(known.names, known.fetched_at, is_stale=True)

    def _hosted(self, user: str, name: str, reader: Identity) -> _Hosted:
        with self._store.view() as view:
            path = search_path(view, get_index(view, user, name))
            hidden = unreadable(reader, path)
            newest: dict[str, int] = {}
            for index in path:
                if index.index_id not in hidden:
                    for project, serial in projects_of(view, index.index_id):
                        newest[project] = max(serial, newest.get(project, 0))
            return _Hosted(
                path=tuple(index for index in path if index.index_id not in hidden),
                names=NameList.of(sorted(newest.items())),
                hidden_names=_hidden_names(view, path, hidden),
                shown_to=shown_to(path, hidden),
                configuration=configuration_serial(view),
                serial=view.position.serial,
            )


def _hidden_names(view: View, path: list[IndexRecord], hidden: frozenset[int]) -> frozenset[bytes]:
    """Return the names whose pages the reader finds empty: their host is hidden, and mirrors are not asked."""
    if not any(index.index_id in hidden and not index.is_mirror for index in path):
        return frozenset()
    hosts: dict[str, list[int]] = {}
    for index in path:
        for project, _ in projects_of(view, index.index_id):
            hosts.setdefault(project, []).append(index.index_id)
    return frozenset(
        project.encode()
        for project, ids in hosts.items()
        if not hidden.isdisjoint(ids) and not mirror_rule(path, project, ids).is_open
    )


def _joined(hosted: _Hosted, known: list[KnownList]) -> ProjectList:
    if hosted.is_of_mirror:
        names = known[0].names
        return ProjectList((Part(names),), names.last_serial)
    foreign = (Part(each.names, is_foreign=True) for each in known)
    return ProjectList((Part(hosted.names), *foreign), hosted.serial, hosted.hidden_names)


def _headers(listed: ProjectList, wanted: Wanted, *, is_stale: bool) -> dict[str, str]:
    headers = page_headers(wanted) | (STALE if is_stale else {})
    if listed.last_serial is not None:
        headers["X-PyPI-Last-Serial"] = str(listed.last_serial)
    return headers


def _whole(listed: ProjectList, wanted: Wanted) -> bytes:
    return b"".join(write_list(listed, wanted.form, folder=wanted.folder))
