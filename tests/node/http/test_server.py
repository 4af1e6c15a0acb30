"""Deadlines, the connection cap and the counters, over real sockets with short timers."""

import asyncio
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import pytest

from node.http.timers import Timers
from tests.helpers.waiting import eventually
from tests.node.http.serving import QUICK, Client, House, get, serving

if TYPE_CHECKING:
    import socket

SMALL_WINDOW = 4096
UPLOAD_HEAD = b"POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with serving(tmp_path, timers=QUICK) as house:
        yield house


@pytest.fixture
async def client(house: House) -> AsyncIterator[Client]:
    async with house.client() as client:
        yield client


def cut(house: House) -> dict[str, int]:
    return {reason: count for reason, count in house.server.statistics.cut.items() if count}


async def expect_cut(house: House, **expected: int) -> None:
    await eventually(lambda: cut(house) == expected, what=lambda: f"cut {cut(house)}")


async def pass_seconds(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    await eventually(lambda: loop.time() >= until, what=lambda: "time stands still")


class TestDeadlines:
    async def test_silent_connection_gets_408(self, house: House, client: Client) -> None:
        answer = await client.answer()

        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert await client.rest() == b""
        await expect_cut(house, head=1)

    async def test_dripping_head_gets_408(self, house: House, client: Client) -> None:
        drip = iter(get("/", f"X-Long: {'a' * 5000}"))

        def is_cut() -> bool:
            client.send(bytes([next(drip)]))
            return cut(house) == {"head": 1}

        await eventually(is_cut, what=lambda: f"cut {cut(house)}")

        assert (await client.answer()).status == 408

    async def test_held_back_push_gets_408(self, house: House, client: Client) -> None:
        assert (await client.ask(get("/fast"))).status == 200
        client.send(b"PUSH")

        assert (await client.answer()).status == 408
        await expect_cut(house, head=1)

    async def test_body_that_stops_ends_the_connection(self, house: House, client: Client) -> None:
        client.send(UPLOAD_HEAD + bytes(50_000))

        assert await client.rest() == b""
        await expect_cut(house, body=1)

    async def test_idle_connection_is_closed_without_a_word(self, house: House) -> None:
        async with house.client() as fast, house.client() as passed_on:
            assert (await fast.ask(get("/fast"))).status == 200
            assert (await passed_on.ask(get("/other"))).status == 200

            assert [await one.rest() for one in (fast, passed_on)] == [b"", b""]
        await expect_cut(house, idle=2)

    @pytest.mark.parametrize("path", ["/stream", "/file"], ids=["written", "sendfile"])
    async def test_peer_that_does_not_read_is_dropped_and_its_handler_ends(
        self, house: House, path: str
    ) -> None:
        """The client has a small window and never reads; the handler is stuck in drain or in sendfile."""
        with house.connect(receive_bytes=SMALL_WINDOW) as plain:
            plain.send(get(path))

            await expect_cut(house, write=1)

            await eventually(lambda: house.ended == [path.strip("/")], what=lambda: f"ended {house.ended}")
            await eventually(lambda: house.server.statistics.open == 0, what=lambda: "still open")

    async def test_reused_descriptor_works_after_a_stuck_sendfile(self, house: House) -> None:
        """A new connection gets the number of the dropped socket: the loop must have forgotten the old one."""
        for times in (1, 2):
            with house.connect(receive_bytes=SMALL_WINDOW) as plain:
                plain.send(get("/file"))
                await expect_cut(house, write=times)
            async with house.client() as client:
                assert (await client.ask(get("/other"))).status == 200

    async def test_peer_that_does_not_read_fast_answers_is_dropped(self, house: House) -> None:
        with house.connect(receive_bytes=SMALL_WINDOW) as plain:

            def is_cut() -> bool:
                with suppress(BlockingIOError, ConnectionError):
                    plain.send(get("/fast/" + "x" * 5000) * 20)
                    plain.send(get("/fast/" + "x" * 5000))
                return bool(cut(house))

            await eventually(is_cut, what=lambda: str(house.server.statistics))

        await expect_cut(house, write=1)


class TestPatience:
    async def test_busy_fast_path_is_not_idle(self, house: House, client: Client) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + 2 * QUICK.idle_seconds
        while loop.time() < until:
            assert (await client.ask(get("/fast"))).status == 200

        assert cut(house) == {}
        assert house.server.statistics.open == 1

    async def test_long_poll_outlives_every_deadline(self, house: House, client: Client) -> None:
        client.send(get("/wait"))
        await pass_seconds(2 * QUICK.write_seconds)
        house.release.set()

        assert (await client.answer()).body == "waited"
        assert cut(house) == {}

    async def test_body_is_not_awaited_while_its_handler_does_not_read(
        self, house: House, client: Client
    ) -> None:
        """The handler waits without reading, the buffers are full: the client cannot send more."""
        client.send(b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 16000000\r\n\r\n" + bytes(15_000_000))
        await pass_seconds(2 * QUICK.body_seconds)
        house.release.set()
        client.send(bytes(1_000_000))

        assert (await client.answer()).body == "waited"
        assert (await client.ask(get("/other"))).status == 200
        assert cut(house) == {}

    @pytest.mark.parametrize("path", ["/stream", "/file"], ids=["written", "sendfile"])
    async def test_slow_reader_with_progress_is_not_cut(self, house: House, path: str) -> None:
        loop = asyncio.get_running_loop()
        with house.connect(receive_bytes=64 * 1024) as plain:
            plain.send(get(path))
            until = loop.time() + 2 * QUICK.write_seconds

            def has_read_long_enough() -> bool:
                with suppress(BlockingIOError):
                    assert plain.recv(8 * 1024)
                return loop.time() >= until

            await eventually(has_read_long_enough, what=lambda: "time stands still")

            assert cut(house) == {}

    async def test_upload_above_the_floor_is_not_cut(self, house: House, client: Client) -> None:
        sent_bytes = 0
        client.send(UPLOAD_HEAD)

        def is_sent() -> bool:
            nonlocal sent_bytes
            client.send(bytes(500))
            sent_bytes += 500
            return sent_bytes == 100_000

        await eventually(is_sent, what=lambda: f"sent {sent_bytes}")

        assert (await client.answer()).status == 200
        assert cut(house) == {}

    async def test_sweeper_rests_when_nobody_is_connected(self, house: House) -> None:
        async with house.client() as client:
            assert (await client.ask(get("/fast"))).status == 200
            assert house.server._sweep_handle is not None

        await eventually(
            lambda: house.server._sweep_handle is None, what=lambda: str(house.server.statistics)
        )
        assert house.server.statistics.fast_answers == 1


class TestCap:
    async def test_oldest_idle_connection_makes_room(self, tmp_path: Path) -> None:
        async with serving(tmp_path, connections_max=3) as house, AsyncExitStack() as stack:
            clients = []
            for _ in range(3):
                clients.append(await stack.enter_async_context(house.client()))
                assert (await clients[-1].ask(get("/fast"))).status == 200
            clients[0].send(get("/wait"))
            await eventually(lambda: house.started == ["/wait"], what=lambda: f"started {house.started}")

            newcomer = await stack.enter_async_context(house.client())
            assert (await newcomer.ask(get("/fast"))).status == 200

            assert await clients[1].rest() == b""
            assert (await clients[2].ask(get("/fast"))).status == 200
            house.release.set()
            assert (await clients[0].answer()).body == "waited"
            statistics = house.server.statistics
            assert (statistics.open, statistics.accepted, statistics.refused) == (3, 4, 0)
            assert cut(house) == {"full": 1}
            assert statistics.fast_answers == 5

    async def test_newcomer_gets_503_when_all_are_busy(self, tmp_path: Path) -> None:
        async with serving(tmp_path, connections_max=2, timers=QUICK) as house, AsyncExitStack() as stack:
            busy = [await stack.enter_async_context(house.client()) for _ in range(2)]
            for client in busy:
                client.send(get("/wait"))
            await eventually(lambda: len(house.started) == 2, what=lambda: f"started {house.started}")

            newcomer = await stack.enter_async_context(house.client())
            answer = await newcomer.ask(get("/fast"))

            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert await newcomer.rest() == b""
            house.release.set()
            assert [(await client.answer()).body for client in busy] == ["waited"] * 2
            assert house.server.statistics.refused == 1
            await eventually(lambda: not house.server._refusals, what=lambda: "refusal kept")


class Crowd:
    """Sockets that do nothing useful, a quarter of each kind."""

    def __init__(self, house: House, sockets: ExitStack) -> None:
        self._house = house
        self._sockets = sockets
        self._heads: list[socket.socket] = []
        self._bodies: list[socket.socket] = []
        self.size = 0

    async def arrive(self, size: int) -> None:
        for number in range(size):
            plain = self._sockets.enter_context(self._house.connect(receive_bytes=SMALL_WINDOW))
            match number % 4:
                case 1:
                    plain.send(b"GET /")
                    self._heads.append(plain)
                case 2:
                    plain.send(UPLOAD_HEAD)
                    self._bodies.append(plain)
                case 3:
                    plain.send(get("/file"))
                case _:
                    pass  # silent
            if number % 50 == 0:
                await asyncio.sleep(0)  # so that the backlog of this same loop does not overflow
        self.size = size

    def drip(self) -> None:
        for plain in (*self._heads, *self._bodies):
            with suppress(OSError):
                plain.send(b"a")


@pytest.fixture
def crowd_size() -> Iterator[int]:
    """2,000, or what the machine's descriptors allow: two ends each, and a file for every fourth."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 6000 if hard == resource.RLIM_INFINITY else min(6000, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield min(2000, (max(soft, wanted) - 500) // 9 * 4)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_crowd_is_cut_in_time_and_others_are_unharmed(tmp_path: Path, crowd_size: int) -> None:
    """2,000 sockets that are silent, drip a head, drip a body or do not read, and one client that works."""
    timers = Timers(head_seconds=1.5, body_seconds=1.5, write_seconds=1.5, idle_seconds=60, sweep_seconds=0.1)
    loop = asyncio.get_running_loop()
    seconds: list[float] = []

    async def work(client: Client) -> None:
        while True:
            for path in ("/fast", "/other"):
                asked_at = loop.time()
                assert (await client.ask(get(path))).status == 200
                seconds.append(loop.time() - asked_at)

    async with (
        serving(tmp_path, timers=timers, send_buffer_bytes=16 * 1024) as house,
        house.client() as client,
    ):
        with ExitStack() as sockets:
            worker = asyncio.create_task(work(client))
            crowd = Crowd(house, sockets)
            await crowd.arrive(crowd_size)

            def is_over() -> bool:
                crowd.drip()
                return sum(cut(house).values()) >= crowd.size and house.server.statistics.open == 1

            await eventually(is_over, what=lambda: str(house.server.statistics), within_seconds=10)

            assert not worker.done()
            worker.cancel()
        quarter = crowd.size // 4
        assert cut(house) == {"head": 2 * quarter, "body": quarter, "write": quarter}
        await eventually(lambda: house.ended == ["file"] * quarter, what=lambda: f"{len(house.ended)} ended")
        # The typical wait, because crowd and server share this process: the tail is that of a busy machine.
        assert median(seconds) < 0.5
