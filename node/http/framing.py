"""Where each message of a connection begins and ends, and ``PUSH`` made ``POST`` at its beginning.

devpi's client sends the method ``PUSH``, which aiohttp's parser refuses before any handler runs. Both words
have four letters, so the bytes are rewritten on their way in; that is right only at the start of a message,
hence this small reader of message lengths beside the real parser:

==============  ==================================================  =================================
phase           what the next byte is                               left by
==============  ==================================================  =================================
START           the first byte of a message                         any byte but CR and LF
HEAD            part of a request line or a header                  the empty line
BODY            one of ``_remaining`` bytes                         the last of them
CHUNK_SIZE      part of the line with a chunk's size                its line end
CHUNK           one of ``_remaining`` bytes, the line end included  the last of them
TRAILER         part of a line after the last chunk                 the empty line
LOST            not ours to know                                    never
==============  ==================================================  =================================

LOST is entered at everything unusual (an upgrade, two lengths, a length that is no number): nothing is
rewritten from there on, and aiohttp, which sees every byte, says what becomes of the connection. A wrong
guess here can therefore never make two messages out of one; at worst a ``PUSH`` stays a ``PUSH``.
"""

import re
from enum import IntEnum, auto
from typing import Final

HEAD_BYTES_MAX: Final = 64 * 1024
LINE_BYTES_MAX: Final = 4096

_PUSH: Final = b"PUSH /"
_HEAD_END: Final = b"\r\n\r\n"
_LENGTHS: Final = re.compile(
    rb"\r\n(content-length|transfer-encoding|upgrade)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE
)


class Phase(IntEnum):
    """What the next byte of a connection belongs to."""

    START = auto()
    HEAD = auto()
    BODY = auto()
    CHUNK_SIZE = auto()
    CHUNK = auto()
    TRAILER = auto()
    LOST = auto()


class Framing:
    """The message boundaries of one connection's incoming bytes."""

    __slots__ = ("_held", "_line", "_remaining", "phase")

    phase: Phase

    def __init__(self) -> None:
        self.phase = Phase.START
        self._held = b""  # at most 5 bytes that may become ``PUSH /``
        self._line = bytearray()  # the head, or the line of a chunked body, as far as it has arrived
        self._remaining = 0

    def feed(self, data: bytes) -> bytes:
        """Take what arrived, return what the parser shall see: the same, with ``PUSH`` made ``POST``.

        Up to 5 bytes are held back while they could be the beginning of ``PUSH /``.
        """
        if self.phase is Phase.LOST:
            return data
        if self._held:
            data = self._held + data
            self._held = b""
            self.phase = Phase.START
        pushes: list[int] = []
        at, size = 0, len(data)
        while at < size:
            if self.phase is Phase.START:
                at = _skip_line_ends(data, at)
                if data.startswith(_PUSH, at):
                    pushes.append(at)
                elif size - at < len(_PUSH) and _PUSH.startswith(data[at:]):
                    self._hold(data[at:])
                    return _rewritten(data[:at], pushes)
                if at < size:
                    self.phase = Phase.HEAD
            elif self.phase in {Phase.BODY, Phase.CHUNK}:
                at = self._skip(at, size)
            elif self.phase is Phase.LOST:
                break
            else:
                at = self._take_line(data, at)
        return _rewritten(data, pushes)

    def _hold(self, rest: bytes) -> None:
        self._held = rest
        if rest:
            self.phase = Phase.HEAD  # a message has begun, so its clock runs

    def _skip(self, at: int, size: int) -> int:
        taken = min(self._remaining, size - at)
        self._remaining -= taken
        if not self._remaining:
            self.phase = Phase.START if self.phase is Phase.BODY else Phase.CHUNK_SIZE
        return at + taken

    def _take_line(self, data: bytes, at: int) -> int:
        """Take a head, or one line of a chunked body, as far as ``data`` has it; return where it ends."""
        in_head = self.phase is Phase.HEAD
        end_mark, bytes_max = (_HEAD_END, HEAD_BYTES_MAX) if in_head else (b"\r\n", LINE_BYTES_MAX)
        line = self._line
        known = len(line)
        if not known and (end := data.find(end_mark, at, at + bytes_max)) >= 0:
            complete = data[at:end]
        else:
            searched = max(0, known - len(end_mark) + 1)  # the mark may lie across two segments
            line += data[at : at + bytes_max]
            end = line.find(end_mark, searched)
            if end < 0:
                if len(line) >= bytes_max:
                    self._lose()
                return len(data)
            complete = bytes(line[:end])
            line.clear()
            end += at - known
        if in_head:
            self._end_head(complete)
        elif self.phase is Phase.CHUNK_SIZE:
            self._end_chunk_size(complete)
        elif not complete:
            self.phase = Phase.START  # the empty line after the trailers
        return end + len(end_mark)

    def _end_head(self, head: bytes) -> None:
        found = _LENGTHS.findall(head)
        if head.startswith(b"CONNECT ") or len(found) > 1:
            self._lose()
        elif not found:
            self.phase = Phase.START
        else:
            self._begin_body(name=found[0][0].lower(), value=found[0][1].strip())

    def _begin_body(self, *, name: bytes, value: bytes) -> None:
        if name == b"transfer-encoding" and value.lower() == b"chunked":
            self.phase = Phase.CHUNK_SIZE
        elif name == b"content-length" and value.isdigit() and len(value) < 20:
            self._remaining = int(value)
            self.phase = Phase.BODY if self._remaining else Phase.START
        else:
            self._lose()

    def _end_chunk_size(self, line: bytes) -> None:
        digits = line.partition(b";")[0].strip()
        try:
            size = int(digits, 16)
        except ValueError:
            self._lose()
            return
        if size:
            self._remaining = size + 2  # its line end
            self.phase = Phase.CHUNK
        else:
            self.phase = Phase.TRAILER

    def _lose(self) -> None:
        self.phase = Phase.LOST
        self._line.clear()


def _skip_line_ends(data: bytes, at: int) -> int:
    # RFC 9112, 2.2: empty lines before a request line are ignored, and aiohttp's parser does.
    while data[at : at + 1] in {b"\r", b"\n"}:
        at += 1
    return at


def _rewritten(data: bytes, pushes: list[int]) -> bytes:
    if not pushes:
        return data
    changed = bytearray(data)
    for at in pushes:
        changed[at : at + 4] = b"POST"
    return bytes(changed)
