"""Frames to bytes, and bytes back to frames. The table of the bytes is in frames.py."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Final

from replication.errors import FrameCorrupt, MessageCorrupt
from replication.frames import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replication.frames import Frame

_PREFIX: Final = struct.Struct(">IB")
_CRC: Final = struct.Struct(">I")
HEADER_BYTES: Final = _PREFIX.size + _CRC.size


def encode_frame(frame: Frame) -> bytes:
    """Encode one frame.

    Raises:
        FrameCorrupt: the body is larger than its kind allows. The same rule holds for the reader.

    """
    body = frame.body()
    _check_size(type(frame), len(body))
    prefix = _PREFIX.pack(len(body), frame.KIND)
    return b"".join((prefix, _CRC.pack(zlib.crc32(body, zlib.crc32(prefix))), body))


class FrameReader:
    """Cuts chunks of any size into frames. After one error it takes nothing more."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._corrupt: FrameCorrupt | None = None

    @property
    def buffered_bytes(self) -> int:
        """Bytes of a frame that has not ended yet; zero between two frames."""
        return len(self._buffer)

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """Take a chunk; iterate over the frames that are complete now.

        Frames before a corrupt one are still yielded.

        Raises:
            FrameCorrupt: unknown kind, too large, wrong checksum, or a body that cannot be read.

        """
        self._buffer += chunk
        return self._frames()

    def finish(self) -> None:
        """Say that the stream ended.

        Raises:
            FrameCorrupt: it ended inside a frame.

        """
        if self._buffer:
            raise FrameCorrupt(f"the stream was cut {len(self._buffer)} bytes into a frame")

    def _frames(self) -> Iterator[Frame]:
        if self._corrupt is not None:
            raise self._corrupt
        offset = 0
        try:
            while len(self._buffer) - offset >= HEADER_BYTES:
                length, number = _PREFIX.unpack_from(self._buffer, offset)
                kind = _kind_of(number)
                _check_size(kind, length)
                end = offset + HEADER_BYTES + length
                if len(self._buffer) < end:
                    break
                body = bytes(memoryview(self._buffer)[offset + HEADER_BYTES : end])
                self._check_crc(offset, body)
                offset = end
                yield _parse(kind, body)
        except FrameCorrupt as error:
            self._corrupt = error
            raise
        finally:
            del self._buffer[:offset]

    def _check_crc(self, offset: int, body: bytes) -> None:
        prefix = bytes(self._buffer[offset : offset + _PREFIX.size])
        (stated,) = _CRC.unpack_from(self._buffer, offset + _PREFIX.size)
        if zlib.crc32(body, zlib.crc32(prefix)) != stated:
            raise FrameCorrupt("wrong checksum")


def _kind_of(number: int) -> type[Frame]:
    kind = KINDS.get(number)
    if kind is None:
        raise FrameCorrupt(f"unknown kind {number}")
    return kind


def _check_size(kind: type[Frame], length: int) -> None:
    if length > kind.BODY_BYTES_MAX:
        raise FrameCorrupt(f"{kind.__name__} of {length} bytes, at most {kind.BODY_BYTES_MAX} are allowed")


def _parse(kind: type[Frame], body: bytes) -> Frame:
    try:
        return kind.parse(body)
    except MessageCorrupt as error:
        raise FrameCorrupt(str(error)) from error
