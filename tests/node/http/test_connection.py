"""The fast path, ``PUSH`` and aiohttp behind it, over real sockets."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.helpers.waiting import eventually
from tests.node.http.serving import Client, House, get, serving

PUSH = b"PUSH /u/i HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nPUSH /"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with serving(tmp_path) as house:
        yield house


@pytest.fixture
async def client(house: House) -> AsyncIterator[Client]:
    async with house.client() as client:
        yield client


async def send_in_segments(house: House, client: Client, *segments: bytes) -> None:
    """Send each piece only when the server has taken the one before."""
    (connection,) = house.server._open
    before = connection._received_bytes
    for segment in segments:
        client.send(segment)
        before += len(segment)
        expected = before
        await eventually(
            lambda expected=expected: connection._received_bytes == expected,  # type: ignore[misc]
            what=lambda: f"received {connection._received_bytes} bytes",
        )


class TestFastPath:
    async def test_finished_bytes_are_the_answer_and_the_connection_stays(
        self, house: House, client: Client
    ) -> None:
        bodies = [(await client.ask(get(f"/fast/{number}"))).body for number in range(20)]

        assert bodies == [f"fast /fast/{number}" for number in range(20)]
        assert house.server.statistics.fast_answers == 20
        assert house.server.statistics.passed_on == 0

    async def test_pieces_are_joined(self, client: Client) -> None:
        assert (await client.ask(get("/fast/list"))).body == "fast /fast/list"

    async def test_head_is_answered_without_a_body(self, client: Client) -> None:
        client.send(get("/fast/a", method="HEAD"))
        head = await client.head()

        assert head.headers["content-length"] == "12"
        assert (await client.ask(get("/fast/b"))).body == "fast /fast/b"

    async def test_request_goes_on_to_aiohttp_when_there_is_no_fast_answer(
        self, house: House, client: Client
    ) -> None:
        assert (await client.ask(get("/other"))).body == "GET /other "
        assert (await client.ask(get("/fast"))).body == "fast /fast"
        assert (await client.ask(get("/other"))).body == "GET /other "
        assert house.server.statistics.fast_answers == 1
        assert house.server.statistics.passed_on == 2

    async def test_head_that_is_not_simple_goes_on_to_aiohttp(self, client: Client) -> None:
        answer = await client.ask(get("/fast", "X-Twice: 1", "X-Twice: 2"))

        assert answer.body == "GET /fast "

    async def test_head_in_two_segments_goes_on_to_aiohttp(self, house: House, client: Client) -> None:
        whole = get("/fast")

        await send_in_segments(house, client, whole[:20], whole[20:])

        assert (await client.answer()).body == "GET /fast "
        assert (await client.ask(whole)).body == "fast /fast"

    async def test_connection_is_closed_when_the_client_wants_it(self, client: Client) -> None:
        answer = await client.ask(get("/fast", "Connection: close"))

        assert answer.headers["connection"] == "close"
        assert await client.rest() == b""

    async def test_aiohttp_answers_when_the_fast_path_fails(
        self, client: Client, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.ERROR):
            answer = await client.ask(get("/fast/broken"))

        assert answer.body == "GET /fast/broken "
        assert "fast path failed" in caplog.text


class TestOrder:
    async def test_answers_keep_their_order_when_sent_in_one_segment(
        self, house: House, client: Client
    ) -> None:
        client.send(get("/fast/1") + get("/wait") + get("/fast/2"))
        assert (await client.answer()).body == "GET /fast/1 "
        house.release.set()

        assert [(await client.answer()).body for _ in range(2)] == ["waited", "GET /fast/2 "]

    async def test_answers_keep_their_order_when_sent_while_one_is_slow(
        self, house: House, client: Client
    ) -> None:
        client.send(get("/fast/1"))
        assert (await client.answer()).body == "fast /fast/1"
        await send_in_segments(house, client, get("/wait"), get("/fast/2"))
        house.release.set()

        assert [(await client.answer()).body for _ in range(2)] == ["waited", "GET /fast/2 "]
        assert (await client.ask(get("/fast/3"))).body == "fast /fast/3"

    async def test_large_answer_is_whole_when_followed_by_a_fast_one(self, client: Client) -> None:
        client.send(get("/file"))
        head = await client.head()
        client.send(get("/fast"))

        await client.reader.readexactly(int(head.headers["content-length"]))

        assert (await client.answer()).body.endswith("/fast")


class TestPush:
    async def test_push_is_post_wherever_its_head_is_split(self, house: House, client: Client) -> None:
        for cut in range(1, len(PUSH)):
            await send_in_segments(house, client, PUSH[:cut], PUSH[cut:])

            assert (await client.answer()).body == "POST /u/i PUSH /"

    async def test_push_is_post_when_it_comes_byte_by_byte(self, house: House, client: Client) -> None:
        await send_in_segments(house, client, *(PUSH[at : at + 1] for at in range(len(PUSH))))

        assert (await client.answer()).body == "POST /u/i PUSH /"
        assert (await client.ask(get("/fast"))).body == "fast /fast"

    async def test_push_is_post_when_pipelined_after_a_body(self, client: Client) -> None:
        client.send(PUSH * 3)

        assert [(await client.answer()).body for _ in range(3)] == ["POST /u/i PUSH /"] * 3

    async def test_chunked_body_is_untouched(self, client: Client) -> None:
        chunked = (
            b"PUSH /u/i HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"6\r\nPUSH /\r\n6;a=b\r\nPUSH /\r\n0\r\n\r\n"
        )
        client.send(chunked * 2 + PUSH)

        bodies = [(await client.answer()).body for _ in range(3)]

        assert bodies == ["POST /u/i PUSH /PUSH /", "POST /u/i PUSH /PUSH /", "POST /u/i PUSH /"]


class TestAiohttpBehind:
    async def test_expectation_is_continued_before_the_body(self, client: Client) -> None:
        client.send(b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert (await client.head()).status == 100

        assert (await client.ask(b"ok")).body == "PUT /x ok"

    async def test_head_without_fast_answer_has_no_body(self, client: Client) -> None:
        client.send(get("/other", method="HEAD"))

        assert (await client.head()).headers["content-length"] == "12"
        assert (await client.ask(get("/fast"))).body == "fast /fast"

    @pytest.mark.parametrize(
        "garbage",
        [
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            b"PUSHY / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 20_000 + b"\r\n\r\n",
        ],
        ids=["tls", "method", "space-before-colon", "two-lengths", "nul", "too-long"],
    )
    async def test_garbage_gets_400_and_the_end(self, house: House, client: Client, garbage: bytes) -> None:
        assert (await client.ask(garbage)).status == 400
        await client.rest()

        async with house.client() as other:
            assert (await other.ask(get("/fast"))).body == "fast /fast"


class TestShutdown:
    async def test_idle_connections_are_closed_at_once(self, tmp_path: Path) -> None:
        async with (
            serving(tmp_path, shutdown_timeout=60) as house,
            house.client() as silent,
            house.client() as fast,
            house.client() as passed_on,
        ):
            assert (await fast.ask(get("/fast"))).status == 200
            assert (await passed_on.ask(get("/other"))).status == 200
            await eventually(
                lambda: house.server.statistics.open == 3, what=lambda: str(house.server.statistics)
            )

            await house.runner.cleanup()

            assert [await one.rest() for one in (silent, fast, passed_on)] == [b""] * 3
            assert house.server.statistics.open == 0
            assert house.server._sweep_handle is None

    async def test_busy_connection_gets_its_answer(self, tmp_path: Path) -> None:
        async with serving(tmp_path) as house, house.client() as client:
            client.send(get("/wait"))
            await eventually(lambda: house.started == ["/wait"], what=lambda: f"started {house.started}")
            house.release.set()

            await house.runner.cleanup()

            assert (await client.answer()).body == "waited"
            assert await client.rest() == b""

    async def test_stuck_handler_ends_within_the_timeout(self, tmp_path: Path) -> None:
        async with serving(tmp_path, shutdown_timeout=0.2) as house, house.client() as client:
            client.send(get("/wait"))
            await eventually(lambda: house.started == ["/wait"], what=lambda: f"started {house.started}")

            await house.runner.cleanup()

            assert await client.rest() == b""
            assert house.server.statistics.open == 0

    async def test_peer_that_does_not_read_is_dropped(self, tmp_path: Path) -> None:
        async with serving(tmp_path, shutdown_timeout=0.2) as house:
            with (
                house.connect(receive_bytes=4096) as streaming,
                house.connect(receive_bytes=4096) as downloading,
            ):
                streaming.send(get("/stream"))
                downloading.send(get("/file"))
                await eventually(lambda: house.server.statistics.passed_on == 2, what=lambda: "not begun")

                await house.runner.cleanup()

                assert house.server.statistics.open == 0
                assert sorted(house.ended) == ["file", "stream"]
