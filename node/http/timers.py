"""How long a peer may take, decided from numbers alone.

One :class:`Watch` per connection remembers what the last look saw; a look says what the connection is
doing now (:class:`Doing`) and gets the answer whether it has been doing it for too long:

========  ===================================================  =======================================
doing     means                                                ends after
========  ===================================================  =======================================
HEAD      no complete request has come yet, or a part of one   ``head_seconds``, however much drips in
BODY      the body of the current request is awaited           ``body_seconds`` without a byte, or
                                                               slower than ``body_bytes_per_second``
                                                               over any ``body_seconds``
SENDING   the peer has not yet taken what was written          ``write_seconds`` without progress
WORKING   a handler is at work, nothing waits for the peer     never
IDLE      kept alive between two requests                      ``idle_seconds``
========  ===================================================  =======================================

Looks come every ``sweep_seconds``, so a connection lives up to two of those longer than its deadline.
"""

from dataclasses import dataclass
from enum import IntEnum, auto


@dataclass(frozen=True, slots=True)
class Timers:
    """The deadlines of all connections of a server."""

    head_seconds: float = 10.0
    body_seconds: float = 30.0
    body_bytes_per_second: int = 1024
    write_seconds: float = 30.0
    idle_seconds: float = 75.0
    sweep_seconds: float = 1.0


class Doing(IntEnum):
    """What a connection is doing; the lower-case name is the reason it is cut for."""

    HEAD = auto()
    BODY = auto()
    SENDING = auto()
    WORKING = auto()
    IDLE = auto()


class Watch:
    """What is remembered of one connection between two looks."""

    __slots__ = ("_count", "_doing", "_progress_at", "_request", "_window_at", "_window_count", "since")

    since: float  # when the present doing began
    _count: int  # the progress seen by the last look
    _window_count: int  # and at the beginning of this window of a body

    def __init__(self, now: float) -> None:
        self._request = 0
        self._restart(Doing.HEAD, count=0, now=now)

    def is_overdue(self, doing: Doing, *, request: int, count: int, now: float, timers: Timers) -> bool:
        """Note what is seen at ``now`` and say whether the connection has to end.

        Args:
            doing: What the connection is doing.
            request: How many requests have begun to be handled; another one is another clock.
            count: What counts as progress: bytes that arrived (BODY), bytes that the peer acknowledged
                (SENDING), requests answered meanwhile (IDLE); the others have none.
            now: Seconds of a monotonic clock.
            timers: The deadlines.

        """
        if doing is not self._doing or request != self._request:
            self._request = request
            self._restart(doing, count=count, now=now)
            return False
        if doing is Doing.WORKING:
            return False
        if doing is Doing.HEAD:
            return now - self.since >= timers.head_seconds
        if count != self._count:
            self._count = count
            self._progress_at = now
        if doing is Doing.IDLE:
            self.since = self._progress_at
            return now - self.since >= timers.idle_seconds
        if doing is Doing.SENDING:
            return now - self._progress_at >= timers.write_seconds
        return now - self._progress_at >= timers.body_seconds or self._is_slow(now, timers)

    def _restart(self, doing: Doing, *, count: int, now: float) -> None:
        self._doing = doing
        self.since = self._progress_at = self._window_at = now
        self._count = self._window_count = count

    def _is_slow(self, now: float, timers: Timers) -> bool:
        # Windows, not the average since the start: a fast first megabyte would buy hours of dripping.
        seconds = now - self._window_at
        if seconds < timers.body_seconds:
            return False
        received_bytes = self._count - self._window_count
        self._window_at = now
        self._window_count = self._count
        return received_bytes < timers.body_bytes_per_second * seconds
