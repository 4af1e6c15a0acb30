"""The METADATA of a wheel, read from the archive, whole or in part."""

import io
import lzma
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from struct import error as struct_error
from typing import BinaryIO

from node.mirror.errors import MirrorError, WheelBroken

METADATA_BYTES_MAX = 8 << 20  # decompressed; real ones are below 1 MiB
MEMBERS_MAX = 500_000

_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct_error,
    EOFError,
    OSError,
    RuntimeError,  # zipfile's answer to an encrypted member
    NotImplementedError,  # and to a compression method it does not know
    ValueError,
    LookupError,
)


class NeedRange(Exception):  # a question, not an error
    """A :class:`SparseFile` was read where it has no bytes yet."""

    def __init__(self, start: int, end: int) -> None:
        super().__init__(f"bytes {start} to {end}")
        self.start = start
        self.end = end


class SparseFile(io.RawIOBase):
    """A file of which only some ranges are known; reading another raises :class:`NeedRange`."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__()
        self._size_bytes = size_bytes
        self._parts: list[tuple[int, bytes]] = []
        self._offset = 0

    @property
    def known_bytes(self) -> int:
        """How many bytes were added."""
        return sum(len(part) for _, part in self._parts)

    def add(self, start: int, body: bytes) -> None:
        """Make a range known."""
        self._parts.append((start, body))

    def seekable(self) -> bool:
        """Say that the archive reader may jump."""
        return True

    def readable(self) -> bool:
        """Say that the archive reader may read."""
        return True

    def tell(self) -> int:
        """Return the offset."""
        return self._offset

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the offset, as a file does.

        Raises:
            OSError: before the start.

        """
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._offset, io.SEEK_END: self._size_bytes}[whence]
        if base + offset < 0:
            message = "negative seek"
            raise OSError(message)
        self._offset = base + offset
        return self._offset

    def read(self, size: int | None = -1, /) -> bytes:
        """Read known bytes.

        Raises:
            NeedRange: some of them are not known yet.

        """
        start = min(self._offset, self._size_bytes)
        end = self._size_bytes if size is None or size < 0 else min(start + size, self._size_bytes)
        pieces: list[bytes] = []
        while start < end:
            piece = self._known_from(start, end)
            if not piece:
                raise NeedRange(start, end)
            pieces.append(piece)
            start += len(piece)
        self._offset = end
        return b"".join(pieces)

    def _known_from(self, start: int, end: int) -> bytes:
        for part_start, part in self._parts:
            if part_start <= start < part_start + len(part):
                return part[start - part_start : end - part_start]
        return b""


def read_wheel_metadata(wheel: Path | BinaryIO | SparseFile) -> bytes:
    """Return the bytes of METADATA in the wheel's one ``.dist-info`` folder.

    Raises:
        WheelBroken: no readable archive, no or several METADATA, or a METADATA above METADATA_BYTES_MAX.
        NeedRange: ``wheel`` is a SparseFile that lacks the named bytes.

    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            info = _metadata_member(archive)
            with archive.open(info) as member:
                # Bounded by what is decompressed, not by what the directory claims.
                metadata = member.read(METADATA_BYTES_MAX + 1)
    except MirrorError:
        raise
    except _ZIP_ERRORS as error:
        raise WheelBroken(str(error) or type(error).__name__) from error
    if len(metadata) > METADATA_BYTES_MAX:
        raise WheelBroken(f"METADATA is larger than {METADATA_BYTES_MAX} bytes")
    return metadata


def _metadata_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    members = archive.infolist()
    if len(members) > MEMBERS_MAX:
        raise WheelBroken(f"it has {len(members)} members, the limit is {MEMBERS_MAX}")
    # Only at the top: vendored projects may bring .dist-info folders deeper inside.
    found = {
        info.filename: info
        for info in members
        if info.filename.endswith(".dist-info/METADATA") and len(PurePosixPath(info.filename).parts) == 2
    }
    if len(found) != 1:
        raise WheelBroken(f"it has {len(found) or 'no'} METADATA in a .dist-info folder")
    return next(iter(found.values()))
