"""Message boundaries, and ``PUSH`` rewritten at them and nowhere else."""

import random
from itertools import pairwise

import pytest

from node.http.framing import HEAD_BYTES_MAX, LINE_BYTES_MAX, Framing, Phase

PUSH = b"PUSH /root/dev HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\nPUSH / HTTP/1.1"[:-1]
POST = PUSH.replace(b"PUSH", b"POST", 1)
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED_HEAD = b" /up HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED_BODY = b"6\r\nPUSH /\r\n8;name=value\r\n\r\nPUSH /\r\n00\r\nX-Trailer: PUSH /\r\n\r\n"


def fed(framing: Framing, data: bytes, cuts: list[int]) -> bytes:
    bounds = [0, *cuts, len(data)]
    return b"".join(framing.feed(data[begin:end]) for begin, end in pairwise(bounds))


CONVERSATIONS = {
    "get": (GET, GET),
    "push": (PUSH, POST),
    "push-after-push": (PUSH * 2, POST * 2),
    "push-after-get": (GET + PUSH, GET + POST),
    "push-after-chunked": (
        b"PUSH" + CHUNKED_HEAD + CHUNKED_BODY + PUSH,
        b"POST" + CHUNKED_HEAD + CHUNKED_BODY + POST,
    ),
    "push-after-empty-lines": (b"\r\n\r\n" + PUSH + b"\r\n" + PUSH, b"\r\n\r\n" + POST + b"\r\n" + POST),
    "push-in-header": (
        GET[:-2] + b"X: a\r\nPUSH /: b\r\n\r\n" + PUSH,
        GET[:-2] + b"X: a\r\nPUSH /: b\r\n\r\n" + POST,
    ),
    "length-zero": (
        GET[:-2] + b"Content-Length: 0\r\n\r\n" + PUSH,
        GET[:-2] + b"Content-Length: 0\r\n\r\n" + POST,
    ),
}


@pytest.mark.parametrize(("sent", "seen"), CONVERSATIONS.values(), ids=CONVERSATIONS.keys())
class TestPush:
    def test_push_is_rewritten_when_split_at_any_byte(self, sent: bytes, seen: bytes) -> None:
        for cut in range(len(sent) + 1):
            framing = Framing()

            assert fed(framing, sent, [cut]) == seen
            assert framing.phase is Phase.START

    def test_push_is_rewritten_when_it_comes_byte_by_byte(self, sent: bytes, seen: bytes) -> None:
        framing = Framing()

        assert fed(framing, sent, list(range(1, len(sent)))) == seen
        assert framing.phase is Phase.START

    def test_push_is_rewritten_when_split_anywhere(self, sent: bytes, seen: bytes) -> None:
        dice = random.Random(20)
        for _ in range(200):
            cuts = sorted(dice.randrange(len(sent) + 1) for _ in range(dice.randrange(8)))

            assert fed(Framing(), sent, cuts) == seen, cuts


class TestBoundaries:
    def test_five_bytes_at_most_are_held_back(self) -> None:
        framing = Framing()

        seen = [framing.feed(bytes([byte])) for byte in b"PUSH /r"]

        assert seen == [b"", b"", b"", b"", b"", b"POST /", b"r"]

    def test_message_has_begun_when_bytes_are_held_back(self) -> None:
        framing = Framing()

        assert framing.feed(b"P") == b""
        assert framing.phase is Phase.HEAD
        assert framing.feed(b"UT / HTTP/1.1\r\n") == b"PUT / HTTP/1.1\r\n"

    @pytest.mark.parametrize("word", [b"PUSHY / ", b"PUSH  /", b"PUSH x", b"PUS", b"GPUSH /"])
    def test_other_words_are_left_alone(self, word: bytes) -> None:
        data = word + b" HTTP/1.1\r\nHost: x\r\n\r\n"

        assert Framing().feed(data) == data

    def test_segment_without_push_is_passed_on_uncopied(self) -> None:
        data = GET * 3

        assert Framing().feed(data) is data

    @pytest.mark.parametrize(
        "header",
        [
            b"Content-Length: 1\r\nContent-Length: 1",
            b"Content-Length: 1\r\nTransfer-Encoding: chunked",
            b"Content-Length: -1",
            b"Content-Length: 1x",
            b"Content-Length: " + b"9" * 30,
            b"Transfer-Encoding: gzip, chunked",
            b"Connection: Upgrade\r\nUpgrade: websocket",
        ],
    )
    def test_nothing_is_rewritten_after_something_unusual(self, header: bytes) -> None:
        framing = Framing()
        data = b"GET / HTTP/1.1\r\n" + header + b"\r\n\r\n" + PUSH

        assert framing.feed(data) == data
        assert framing.phase is Phase.LOST
        assert framing.feed(PUSH) == PUSH

    @pytest.mark.parametrize("size", [b"x", b"", b"-"])
    def test_nothing_is_rewritten_after_a_bad_chunk_size(self, size: bytes) -> None:
        framing = Framing()
        data = b"POST" + CHUNKED_HEAD + size + b"\r\n" + PUSH

        assert framing.feed(data) == data
        assert framing.phase is Phase.LOST

    @pytest.mark.parametrize(
        ("begin", "limit"),
        [(b"GET / HTTP/1.1\r\nX: ", HEAD_BYTES_MAX), (b"POST" + CHUNKED_HEAD + b"1;", LINE_BYTES_MAX)],
    )
    def test_endless_line_is_not_kept(self, begin: bytes, limit: int) -> None:
        framing = Framing()

        framing.feed(begin)
        for _ in range(limit // 1000 + 2):
            framing.feed(b"a" * 1000)

        assert framing.phase is Phase.LOST
        assert not framing._line
