"""All connections of one listener: their number, their clock, their end."""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from node.http.connection import Connection, FastPath
from node.http.timers import Doing, Timers

CONNECTIONS_MAX: Final = 4096
REFUSALS_MAX: Final = 256  # answered 503 and waiting for their peer to close; more are dropped unanswered
SWEEP_SLICE: Final = 256  # connections looked at before other work gets its turn
SPARES_MAX: Final = 64  # idle connections found by one search for room
SEARCH_PAUSE_SECONDS: Final = 0.1  # after a search that found none
FLUSH_SECONDS_MIN: Final = 0.1  # at shutdown, for closed connections to send their last bytes

_REASONS: Final = {Doing.HEAD: "head", Doing.BODY: "body", Doing.SENDING: "write", Doing.IDLE: "idle"}


@dataclass(frozen=True, slots=True)
class ConnectionStatistics:
    """Counts since the start, except ``open``."""

    open: int
    accepted: int
    refused: int  # answered 503, or dropped, because no connection was idle
    fast_answers: int
    passed_on: int  # requests that aiohttp handled
    cut: dict[str, int]  # by reason: head, body, write, idle, full


class ConnectionServer(web.Server):
    """The protocol factory of a listener, and the sweeper of its connections.

    Give it to ``loop.create_server``, or let :class:`ConnectionRunner` do so for an application's sites.
    The sweeper runs by itself while a connection is open.
    """

    def __init__(
        self,
        server: web.Server,
        *,
        fast_path: FastPath | None = None,
        timers: Timers | None = None,
        connections_max: int = CONNECTIONS_MAX,
    ) -> None:
        # The application makes its server itself; what it chose has no public name.
        super().__init__(
            server.request_handler,
            request_factory=server.request_factory,
            handler_cancellation=server.handler_cancellation,
            loop=server._loop,  # noqa: SLF001
            **server._kwargs,  # noqa: SLF001
        )
        self._fast_path = fast_path
        self._timers = timers or Timers()
        self._connections_max = connections_max
        self._open: dict[Connection, None] = {}
        self._refusals: dict[Connection, float] = {}
        self._spares: deque[Connection] = deque()
        self._search_again_at = 0.0
        self._sweep_handle: asyncio.Handle | None = None
        self._all_gone = asyncio.Event()
        self._accepted = 0
        self._refused = 0
        self._fast_answers_of_closed = 0
        self._cut = dict.fromkeys((*_REASONS.values(), "full"), 0)

    def __call__(self) -> Connection:
        """Make the protocol of one new connection."""
        return Connection(self, loop=self._loop, fast_path=self._fast_path, **self._kwargs)

    @property
    def statistics(self) -> ConnectionStatistics:
        """The counters, at the cost of one pass over the open connections."""
        return ConnectionStatistics(
            open=len(self._open),
            accepted=self._accepted,
            refused=self._refused,
            fast_answers=self._fast_answers_of_closed + sum(one.fast_answers for one in self._open),
            passed_on=self.requests_count,
            cut=dict(self._cut),
        )

    # Coming and going

    def admit(self, connection: Connection) -> bool:
        """Take a new connection in, closing the oldest idle one if there is no room; or refuse it."""
        is_admitted = len(self._open) < self._connections_max or self._make_room()
        if is_admitted:
            self._accepted += 1
            self._open[connection] = None
            self._all_gone.clear()
        else:
            self._refuse(connection)
        if self._sweep_handle is None:
            self._sweep_handle = self._loop.call_later(self._timers.sweep_seconds, self._begin_sweep)
        return is_admitted

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        """Forget a connection that is gone."""
        super().connection_lost(handler, exc)
        connection = cast("Connection", handler)
        self._refusals.pop(connection, None)
        self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        if connection in self._open:
            del self._open[connection]
            self._fast_answers_of_closed += connection.fast_answers
            if not self._open:
                self._all_gone.set()

    def _refuse(self, connection: Connection) -> None:
        self._refused += 1
        if len(self._refusals) >= REFUSALS_MAX:
            connection.abort()
        else:
            self._refusals[connection] = self._loop.time()
            connection.refuse()

    def _make_room(self) -> bool:
        if not self._spares:
            self._find_spares()
        while self._spares:
            spare = self._spares.popleft()
            if spare.is_idle and spare in self._open:
                self._cut["full"] += 1
                self._forget(spare)
                spare.force_close()
                return True
        return False

    def _find_spares(self) -> None:
        # One search serves many newcomers, so a flood of them costs little each.
        now = self._loop.time()
        if now < self._search_again_at:
            return
        idle = [connection for connection in self._open if connection.is_idle]
        idle.sort(key=lambda connection: connection.unchanged_since)
        self._spares.extend(idle[:SPARES_MAX])
        if not idle:
            self._search_again_at = now + SEARCH_PAUSE_SECONDS

    # The clock

    def _begin_sweep(self) -> None:
        now = self._loop.time()
        for connection, refused_at in list(self._refusals.items()):
            if now - refused_at >= self._timers.sweep_seconds:
                connection.abort()
        self._sweep(iter(list(self._open)))

    def _sweep(self, connections: Iterator[Connection]) -> None:
        now = self._loop.time()
        looked_at = 0
        for connection in islice(connections, SWEEP_SLICE):
            looked_at += 1
            doing = connection.overdue(now, self._timers)
            if doing is not None:
                self._cut[_REASONS[doing]] += 1
                connection.cut(doing)
        if looked_at == SWEEP_SLICE:
            self._sweep_handle = self._loop.call_soon(self._sweep, connections)
        elif self._open or self._refusals:
            self._sweep_handle = self._loop.call_later(self._timers.sweep_seconds, self._begin_sweep)
        else:
            self._sweep_handle = None

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 aiohttp's signature
        """Close what is idle, let handlers end within ``timeout`` seconds, then drop what is left."""
        began_at = self._loop.time()
        await super().shutdown(timeout)
        left_seconds = (timeout or 0.0) - (self._loop.time() - began_at)
        if self._open:
            try:
                async with asyncio.timeout(max(left_seconds, FLUSH_SECONDS_MIN)):
                    await self._all_gone.wait()
            except TimeoutError:
                pass
        for connection in [*self._open, *self._refusals]:
            connection.abort()
        await asyncio.sleep(0)  # the loop tells the aborted ones
        if self._sweep_handle is not None:
            self._sweep_handle.cancel()
            self._sweep_handle = None


class ConnectionRunner(web.AppRunner):
    """An ``AppRunner`` whose sites serve with :class:`Connection`."""

    __slots__ = ("_connections_max", "_fast_path", "_timers")

    def __init__(
        self,
        app: web.Application,
        *,
        fast_path: FastPath | None = None,
        timers: Timers | None = None,
        connections_max: int = CONNECTIONS_MAX,
        **kwargs: Any,
    ) -> None:
        super().__init__(app, **kwargs)
        self._fast_path = fast_path
        self._timers = timers
        self._connections_max = connections_max

    @property
    def connections(self) -> ConnectionServer | None:
        """The server of all sites, once the runner is set up."""
        return cast("ConnectionServer | None", self.server)

    async def _make_server(self) -> ConnectionServer:
        return ConnectionServer(
            await super()._make_server(),
            fast_path=self._fast_path,
            timers=self._timers,
            connections_max=self._connections_max,
        )
