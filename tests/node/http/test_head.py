"""What counts as a simple request head, and that everything else is left to aiohttp."""

import pytest

from node.http import head as head_module
from node.http.head import HEAD_BYTES_MAX, HEADERS_MAX, parse_head


def head_of(*lines: bytes, first: bytes = b"GET /root/dev/+simple/ HTTP/1.1") -> bytes:
    return b"\r\n".join((first, b"Host: localhost:3141", *lines, b"", b""))


PIP_LINES = (
    b'User-Agent: pip/25.0 {"ci":null,"implementation":{"name":"CPython","version":"3.11.7"}}',
    b"Accept-Encoding: gzip, deflate",
    b"Accept: application/vnd.pypi.simple.v1+json, text/html; q=0.01",
    b"Connection: keep-alive",
    b"Cache-Control: max-age=0",
    b'If-None-Match: "abc"',
)


class TestSimpleHead:
    def test_method_target_and_headers_are_read_as_sent(self) -> None:
        head = parse_head(head_of(*PIP_LINES))

        assert head is not None
        assert (head.method, head.target) == ("GET", b"/root/dev/+simple/")
        assert head.headers == {
            line.partition(b":")[0].lower(): line.partition(b":")[2].strip()
            for line in (b"Host: localhost:3141", *PIP_LINES)
        }

    def test_head_is_a_method_too(self) -> None:
        head = parse_head(head_of(first=b"HEAD /+f/a%20b?x=1&y HTTP/1.1"))

        assert head is not None
        assert (head.method, head.target) == ("HEAD", b"/+f/a%20b?x=1&y")

    @pytest.mark.parametrize(
        "line", [b"Content-Length: 0", b"Connection: Close", b"X-Empty:", b"X-Space:  a b  "]
    )
    def test_unusual_but_simple_lines_are_accepted(self, line: bytes) -> None:
        assert parse_head(head_of(line)) is not None

    def test_same_header_lines_are_parsed_once(self) -> None:
        first = parse_head(head_of(*PIP_LINES))
        second = parse_head(head_of(*PIP_LINES, first=b"GET /other HTTP/1.1"))

        assert first is not None
        assert second is not None
        assert second.headers is first.headers
        assert second.target == b"/other"

    @pytest.mark.parametrize("name", [b"Authorization", b"X-Devpi-Auth", b"Cookie"])
    def test_credentials_are_not_remembered(self, name: bytes) -> None:
        head_module._blocks.clear()

        assert parse_head(head_of(name + b": c2VjcmV0")) is not None

        assert head_module._blocks == {}

    def test_memory_is_bounded_when_headers_vary(self) -> None:
        for number in range(1000):
            assert parse_head(head_of(b"X-Number: %d" % number)) is not None

        assert 0 < len(head_module._blocks) <= head_module._BLOCKS_MAX

    def test_repr_hides_credentials(self) -> None:
        head = parse_head(head_of(b"Authorization: Basic c2VjcmV0"))

        assert repr(head) == "<RequestHead GET b'/root/dev/+simple/'>"


REFUSED = {
    "empty": b"",
    "incomplete": head_of()[:-2],
    "bytes-after-the-head": head_of() + b"x",
    "two-heads": head_of() * 2,
    "post": head_of(first=b"POST / HTTP/1.1"),
    "push": head_of(first=b"PUSH / HTTP/1.1"),
    "lower-case-method": head_of(first=b"get / HTTP/1.1"),
    "old-version": head_of(first=b"GET / HTTP/1.0"),
    "no-version": head_of(first=b"GET /"),
    "absolute-form": head_of(first=b"GET http://localhost/ HTTP/1.1"),
    "asterisk-form": head_of(first=b"GET * HTTP/1.1"),
    "space-in-target": head_of(first=b"GET /a b HTTP/1.1"),
    "tab-in-target": head_of(first=b"GET /a\tb HTTP/1.1"),
    "fragment": head_of(first=b"GET /a#b HTTP/1.1"),
    "high-byte-in-target": head_of(first=b"GET /\xff HTTP/1.1"),
    "no-headers": b"GET / HTTP/1.1\r\n\r\n",
    "no-host": b"GET / HTTP/1.1\r\nAccept: */*\r\n\r\n",
    "two-hosts": head_of(b"host: other"),
    "two-authorizations": head_of(b"Authorization: Basic a", b"authorization: Basic b"),
    "two-ranges": head_of(b"Range: bytes=0-1", b"Range: bytes=2-3"),
    "body": head_of(b"Content-Length: 1"),
    "odd-length": head_of(b"Content-Length: 00"),
    "chunked": head_of(b"Transfer-Encoding: chunked"),
    "expect": head_of(b"Expect: 100-continue"),
    "upgrade": head_of(b"Upgrade: websocket"),
    "connection-upgrade": head_of(b"Connection: keep-alive, Upgrade"),
    "folded": head_of(b"X-Long: a", b" b"),
    "folded-with-colon": head_of(b"X-Long: a", b" b: c"),
    "space-before-colon": head_of(b"X-Space : a"),
    "space-in-name": head_of(b"X Space: a"),
    "no-colon": head_of(b"X-Nothing"),
    "no-name": head_of(b": a"),
    "empty-line-inside": head_of(b"", b"X-After: a"),
    "nul": head_of(b"X-Nul: a\0b"),
    "tab": head_of(b"X-Tab: a\tb"),
    "high-byte": head_of(b"X-High: \xe9"),
    "bare-lf": head_of(b"X-Lf: a\nX-Other: b"),
    "bare-cr": head_of(b"X-Cr: a\rX-Other: b"),
    "crossed-line-ends": head_of(b"X-Cr: a\rb\n"),
    "too-many-headers": head_of(*(b"X-%d: a" % number for number in range(HEADERS_MAX))),
    "too-long": head_of(b"X-Long: " + b"a" * HEAD_BYTES_MAX),
    "tls-hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED.keys())
def test_head_is_left_to_aiohttp_when_not_simple(data: bytes) -> None:
    assert parse_head(data) is None


def test_no_prefix_of_a_head_is_a_head() -> None:
    whole = head_of(*PIP_LINES)

    assert [end for end in range(len(whole) + 1) if parse_head(whole[:end]) is not None] == [len(whole)]
