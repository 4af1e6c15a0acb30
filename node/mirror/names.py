r"""A list of project names: sorted, compact, read in pieces, and never a million objects.

=================  =================================================================================
line               says
=================  =================================================================================
``NAME SERIAL\n``  a project and the serial of its last change
``NAME!\n``        a project; its upstream tells no serial
=================  =================================================================================

Names are normalized and unique. Both marks sort before all that a name is made of, so lines sort as their names do.
"""

import hashlib
import heapq
import io
import os
import re
import time
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Self

PROJECT_NAME_CHARACTERS_MAX = 200
PIECE_BYTES = 32 << 10  # a few milliseconds of work at most, also for a regular expression
RUN_NAMES = 4_000  # sorted at once
BREATH_NAMES = 500
BREATH_SECONDS = 0.0001
"""A thread that computes keeps the interpreter for five milliseconds at a time; one that pauses after each so many
names costs others less than one. Measured with 900,000 names: their median fell from 5 ms to 1, for a second more."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def is_project_name(name: str) -> bool:
    """Say whether any index can have a project of this normalized name."""
    return len(name) <= PROJECT_NAME_CHARACTERS_MAX and _NAME.fullmatch(name) is not None


class NameList:
    """A list in a file that nothing else changes, or in memory. Safe on any thread.

    The file stays readable for as long as this object lives, also when it was replaced or deleted meanwhile.
    """

    __slots__ = ("__weakref__", "_descriptor", "_lines", "digest", "last_serial", "size_bytes")

    def __init__(
        self, *, digest: str, last_serial: int | None, lines: bytes = b"", path: Path | None = None
    ) -> None:
        """Read ``lines``, or those in the file ``path``; raises OSError when that cannot be opened."""
        self.digest: Final = digest  # hex, see digest_of
        self.last_serial: Final = last_serial  # of the whole list, where upstream tells it
        self._lines = lines
        self._descriptor = None
        self.size_bytes = len(lines)
        if path is not None:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            weakref.finalize(self, os.close, self._descriptor)
            self.size_bytes = os.fstat(self._descriptor).st_size

    @classmethod
    def of(cls, serials: Iterable[tuple[str, int | None]], *, last_serial: int | None = None) -> Self:
        """Make a list in memory of names that are sorted and unique."""
        lines = _lines(serials)
        digest = digest_of(hashlib.sha256(lines).digest(), last_serial)
        return cls(digest=digest, last_serial=last_serial, lines=lines)

    def read(self, offset: int, count: int) -> bytes:
        """Return at most ``count`` bytes from ``offset``; raises OSError when the disk fails."""
        if self._descriptor is None:
            return self._lines[offset : offset + count]
        return os.pread(self._descriptor, count, offset)

    def pieces(self) -> Iterator[bytes]:
        """Iterate over the bytes of the list."""
        offset = 0
        while piece := self.read(offset, PIECE_BYTES):
            offset += len(piece)
            yield piece

    def is_sound(self) -> bool:
        """Say whether the lines are those that the digest was made of; reads all of them."""
        lines = hashlib.sha256()
        for piece in self.pieces():
            lines.update(piece)
        return digest_of(lines.digest(), self.last_serial) == self.digest


class NameCursor:
    """Reads a list from its beginning, in pieces of whole lines; for one thread at a time."""

    def __init__(self, names: NameList) -> None:
        self._names = names
        self._offset = 0
        self._held = b""

    def fill(self) -> bytes | None:
        """Hold the next piece; return the last name in it, or ``None`` when all the rest is held."""
        while len(self._held) < PIECE_BYTES:
            read = self._names.read(self._offset, PIECE_BYTES)
            if not read:
                return None
            self._offset += len(read)
            self._held += read
        start = self._held.rfind(b"\n", 0, self._held.rfind(b"\n")) + 1
        return name_of(self._held[start:])

    def take(self, last: bytes | None) -> bytes:
        """Return the lines held whose names are not above ``last``, which no list holds less of; ``None``: all."""
        end = len(self._held) if last is None else _bisect(self._held, last + b'"')
        taken, self._held = self._held[:end], self._held[end:]
        return taken


def name_of(line: bytes) -> bytes:
    """Return the name at the beginning of a line."""
    return line.partition(b"\n")[0].partition(b" ")[0].partition(b"!")[0]


def digest_of(lines_sha256: bytes, last_serial: int | None) -> str:
    """Return the digest of a list in hex: of all that it says, so it is equal on every node."""
    return hashlib.sha256(lines_sha256 + str(last_serial).encode()).hexdigest()


def is_older(names: NameList, known: NameList) -> bool:
    """Say whether a list is an earlier one than is known, by upstream's serials."""
    return (
        names.last_serial is not None
        and known.last_serial is not None
        and names.last_serial < known.last_serial
    )


def write_names(entries: Iterable[tuple[str, int | None]], path: Path) -> bytes:
    """Write ``entries``, in any order, with repeated names, to a new file; return the SHA-256 of the lines.

    Of a repeated name the highest serial is kept. Bounded pieces are sorted, and then merged where they overlap.

    Raises:
        OSError: the disk is full or failed.

    """
    digest = hashlib.sha256()
    runs = list(_sorted_runs(entries))
    with path.open("wb") as file:
        for piece in runs if _is_ordered(runs) else _merged(runs):
            digest.update(piece)
            file.write(piece)
    return digest.digest()


def _sorted_runs(entries: Iterable[tuple[str, int | None]]) -> Iterator[bytes]:
    run: dict[str, int] = {}
    for number, (name, serial) in enumerate(entries):
        if number % BREATH_NAMES == 0:
            time.sleep(BREATH_SECONDS)
        run[name] = max(-1 if serial is None else serial, run.get(name, -1))
        if len(run) >= RUN_NAMES:
            yield _lines(sorted(run.items()))
            run = {}
    if run:
        yield _lines(sorted(run.items()))


def _is_ordered(runs: list[bytes]) -> bool:
    lasts = (name_of(run[run.rfind(b"\n", 0, -1) + 1 :]) for run in runs)
    return all(last < name_of(after) for last, after in zip(lasts, runs[1:], strict=False))


def _merged(runs: list[bytes]) -> Iterator[bytes]:
    """Merge runs line by line; of one name, the line of the highest serial."""
    held, name, piece = b"", b"", bytearray()
    for line in heapq.merge(*(io.BytesIO(run) for run in runs)):
        following = name_of(line)
        if following == name:
            held = max(held, line, key=_serial_of)
            continue
        piece += held
        held, name = line, following
        if len(piece) >= PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece + held)


def _serial_of(line: bytes) -> int:
    serial = line.partition(b" ")[2]
    return int(serial) if serial else -1


def _lines(serials: Iterable[tuple[str, int | None]]) -> bytes:
    return "".join(
        f"{name}!\n" if serial is None or serial < 0 else f"{name} {serial}\n" for name, serial in serials
    ).encode()


def _bisect(lines: bytes, bound: bytes) -> int:
    """Return where the first line begins that is not below ``bound``."""
    # Both begin a line: those before low are below the bound, those from high are not. Part of a line may follow.
    low, high = 0, lines.rfind(b"\n") + 1
    while low < high:
        start = lines.rfind(b"\n", low, (low + high) // 2) + 1 or low
        end = lines.index(b"\n", start) + 1
        if lines[start:end] < bound:
            low = end
        else:
            high = start
    return low
