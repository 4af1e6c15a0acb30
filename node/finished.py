"""Finished answers: bytes that may be sent again while their stamps hold, without asking anybody else."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from node.catalog import keys
from node.catalog.lookups import project_serial
from node.mirror.lists import KnownList
from node.mirror.memory import Absent
from node.mirror.page import MirrorPage
from node.mirror.source import MirrorSource
from storage.store import Store
from storage.view import View

ANSWERS_BYTES_MAX = 32 << 20
_OF_BODIES = frozenset({"Content-Type", "Content-Length", "Content-Encoding", "Content-Range"})
ANSWER_BYTES_MAX = 8 << 20
"""A larger answer is made anew each time rather than push everything else out."""


@dataclass(frozen=True, slots=True)
class MirrorStamp:
    """The page of a mirror that an answer was made from."""

    source: MirrorSource
    project: str
    digest: str | None = None  # None: upstream does not have the project
    is_stale: bool = False  # the answer says so, in its headers

    def is_current(self, mirrors: "FreshMirrors") -> bool:
        """Say whether the mirror would give out the same page now, without I/O."""
        page = mirrors.fresh_page(self.source, self.project)
        if isinstance(page, MirrorPage):
            return page.digest == self.digest and page.is_stale == self.is_stale
        if page is None:
            return self.digest is None
        return not self.is_stale and mirrors.fresh_digest(self.source, self.project) == self.digest


@dataclass(frozen=True, slots=True)
class ListStamp:
    """The list of a mirror's projects that an answer was made from."""

    source: MirrorSource
    digest: str
    is_stale: bool

    def is_current(self, mirrors: "FreshMirrors") -> bool:
        """Say whether the mirror would give out the same list now, without I/O."""
        known = mirrors.fresh_list(self.source)
        return known is not None and known.names.digest == self.digest and known.is_stale == self.is_stale


@dataclass(frozen=True, slots=True)
class Stamps:
    """What an answer depends on; while all of it stands, the answer is right.

    Every change of users or indexes writes the configuration serial, and every change of a
    project writes its serial on its index, in the same entry; so these few reads see them all.
    """

    configuration: int
    project: str | None = None
    serials: tuple[tuple[int, int], ...] = ()  # index id, serial of the project's last change there
    mirrors: tuple[MirrorStamp | ListStamp, ...] = ()
    state: int | None = None  # of an answer about everything: the state's serial, which any entry moves

    def hold(self, view: View) -> bool:
        """Say whether the state still has all that was seen; mirrors are asked by the caller."""
        if configuration_serial(view) != self.configuration:
            return False
        if self.state is not None and view.position.serial != self.state:
            return False
        if self.project is None:
            return True
        return all(
            project_serial(view, index_id, self.project) == serial for index_id, serial in self.serials
        )


def configuration_serial(view: View) -> int:
    """Return the serial of the last change of users or indexes."""
    value = view.get(keys.CONFIGURATION_SERIAL)
    return 0 if value is None else keys.unpack_id(value)


@dataclass(slots=True)
class Answer:
    """One finished body with the headers that belong to it."""

    body: bytes
    headers: dict[str, str]
    etag: str  # strong, quoted
    stamps: Stamps
    seen_serial: int  # the stamps were last found to hold at this serial
    head: bytes = field(init=False)  # the headers as they are sent, each line ended
    head_not_modified: bytes = field(init=False)  # what of them a 304 has
    wire: bytes = field(init=False, default=b"")  # the whole response as it was last sent ...
    wire_common: bytes = field(init=False, default=b"")  # ... with these lines, which change every second

    def __post_init__(self) -> None:
        lines = {**self.headers, "ETag": self.etag}
        self.head = _header_lines({**lines, "Content-Length": str(len(self.body))})
        self.head_not_modified = _header_lines(not_modified_headers(lines))

    @property
    def size_bytes(self) -> int:
        """What the answer costs in memory."""
        return 2 * (len(self.body) + len(self.head)) + 500  # the body, and the response that has it


def not_modified_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a 304: all but those that describe the body it does not have."""
    return {name: value for name, value in headers.items() if name not in _OF_BODIES}


def _header_lines(headers: Mapping[str, str]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()


def strong_etag(body: bytes, *parts: str) -> str:
    """Return the ETag of a body: of its content, so it is equal on every node and after every restart.

    ``parts`` tell forms and encodings apart: two of them may have the same bytes.
    """
    digest = hashlib.sha256(body).hexdigest()[:32]
    return '"' + "-".join([digest, *parts]) + '"'


RequestKey: TypeAlias = tuple[bytes, bytes | None, bytes | None]
"""Raw target, Accept and Accept-Encoding: all of a request that a finished answer depends on."""
REQUESTS_REMEMBERED = 20_000
"""Ways to ask that are remembered for the step in front of the parser."""
REQUEST_BYTES_MAX = 512
"""A longer request goes the ordinary way, so that no client fills the memory with ways to ask."""
Key: TypeAlias = tuple[object, ...]


Renewal: TypeAlias = Callable[[Key, "Answer"], "Answer | None"]
"""Makes an answer anew that is out of date, without waiting for anybody; None where that cannot be."""


class FreshMirrors(Protocol):
    """What the mirrors are asked about a page or a list, without I/O."""

    def fresh_page(self, source: MirrorSource, project: str) -> MirrorPage | Absent | None:
        """Return the current page, None where upstream has none, ABSENT where memory does not have it."""

    def fresh_digest(self, source: MirrorSource, project: str) -> object:
        """Return the digest of the current page, None where upstream has none, else something unequal."""

    def fresh_list(self, source: MirrorSource) -> KnownList | None:
        """Return the list that would be given out now; None where somebody has to be asked."""


class FinishedAnswers:
    """Keeps finished answers, knows which are still right, and lets the least recently used go."""

    def __init__(
        self,
        store: Store,
        mirror: FreshMirrors,
        *,
        renew: Renewal = lambda _key, _old: None,
        bytes_max: int = ANSWERS_BYTES_MAX,
    ) -> None:
        self._store = store
        self._renew = renew
        self._mirror = mirror
        self._answers: OrderedDict[Key, Answer] = OrderedDict()
        self._requests: dict[RequestKey, Key] = {}
        self._bytes_max = bytes_max
        self.size_bytes = 0

    def for_request(self, request: RequestKey) -> Answer | None:
        """Return what answers a request, if it is kept and still right, or made anew at once. No I/O but the state's."""
        key = self._requests.get(request)
        if key is None:
            return None
        old = self._answers.get(key)
        answer = self.get(key)
        if answer is None and old is not None:
            answer = self._renew(key, old)
            if answer is not None:
                self.put(key, answer)
        return answer

    def remember(self, request: RequestKey, key: Key) -> None:
        """Note that a request is answered by what is kept under ``key``."""
        if sum(len(part or b"") for part in request) > REQUEST_BYTES_MAX:
            return
        if len(self._requests) >= REQUESTS_REMEMBERED:
            self._requests.clear()
        self._requests[request] = key

    def get(self, key: Key) -> Answer | None:
        """Return the answer under a key if everything it depends on still stands."""
        answer = self._answers.get(key)
        if answer is None:
            return None
        for stamp in answer.stamps.mirrors:
            if not stamp.is_current(self._mirror):
                return None
        if answer.seen_serial != self._store.position.serial:
            with self._store.view() as view:
                if not answer.stamps.hold(view):
                    self._drop(key)
                    return None
                answer.seen_serial = view.position.serial
        self._answers.move_to_end(key)
        return answer

    def put(self, key: Key, answer: Answer) -> None:
        """Keep an answer."""
        self._drop(key)
        if answer.size_bytes > ANSWER_BYTES_MAX:
            return
        self._answers[key] = answer
        self.size_bytes += answer.size_bytes
        while self.size_bytes > self._bytes_max:
            _, oldest = self._answers.popitem(last=False)
            self.size_bytes -= oldest.size_bytes

    def _drop(self, key: Key) -> None:
        old = self._answers.pop(key, None)
        if old is not None:
            self.size_bytes -= old.size_bytes
