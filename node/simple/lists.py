"""Lists of all projects: what the indexes of a search path have, merged and written in pieces.

A list may have a million names, so nothing here makes an object for each: lines are merged and rewritten
some kilobytes at a time (see node/mirror/names.py for their form).
"""

import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from node.mirror.names import NameCursor, NameList, name_of
from node.simple.negotiate import Format
from node.simple.render import API_VERSION, document

COMPRESSION_LEVEL = 1  # of a list that is too large to be kept: speed counts, and names hardly shrink further
_LINE = re.compile(rb"([^ !\n]+)[^\n]*\n")
_GZIP_WBITS = 31
_HOLE = "\0"


@dataclass(frozen=True, slots=True)
class Part:
    """What one mirror, or the private indexes of a search path together, add to a list."""

    names: NameList
    is_foreign: bool = False  # its serials are upstream's, and mean nothing on the index that is listed


@dataclass(frozen=True, slots=True)
class ProjectList:
    """What the page of all projects says: of a name that several parts have, what the first of them says."""

    parts: tuple[Part, ...]
    last_serial: int | None
    without: frozenset[bytes] = frozenset()  # names that no foreign part may add

    @property
    def size_bytes(self) -> int:
        """How large the lines of all parts are."""
        return sum(part.names.size_bytes for part in self.parts)

    def digest(self) -> str:
        """Return the digest of all that the list says, in hex: equal on every node where that is equal."""
        parts = [[part.names.digest, part.is_foreign] for part in self.parts]
        said = orjson.dumps([parts, self.last_serial, sorted(name.decode() for name in self.without)])
        return hashlib.sha256(said).hexdigest()

    def lines(self) -> Iterator[bytes]:
        """Iterate over pieces of whole lines, merged; raises OSError when the disk fails."""
        cursors = [NameCursor(part.names) for part in self.parts]
        while True:
            # Up to the name of which every part holds all that it has up to there.
            lasts = [last for last in [cursor.fill() for cursor in cursors] if last is not None]
            last = min(lasts, default=None)
            taken = [
                self._said(part, cursor.take(last)) for part, cursor in zip(self.parts, cursors, strict=True)
            ]
            present = [lines for lines in taken if lines]
            if present:
                yield present[0] if len(present) == 1 else _merged(present)
            if last is None:
                return

    def _said(self, part: Part, lines: bytes) -> bytes:
        if not part.is_foreign:
            return lines
        if self.without:
            kept = (line for line in lines.splitlines(keepends=True) if name_of(line) not in self.without)
            lines = b"".join(kept)
        return _LINE.sub(rb"\1 0\n", lines)


def _merged(parts: list[bytes]) -> bytes:
    lines: dict[bytes, bytes] = {}
    for part in reversed(parts):
        lines.update((name_of(line), line) for line in part.splitlines(keepends=True))
    return b"".join(lines[name] for name in sorted(lines))


def write_list(listed: ProjectList, form: Format, *, folder: str = "") -> Iterator[bytes]:
    """Write the page of all projects in pieces; ``folder`` stands before every project's link."""
    if form is Format.JSON:
        yield from _json_pieces(listed)
        return
    head, tail = document("Simple index", "", _HOLE).encode().split(_HOLE.encode())
    link = folder.encode().replace(b"\\", rb"\\")
    anchor = rb'<a href="%s\1/">\1</a><br>' % link + b"\n"
    yield head
    for lines in listed.lines():
        yield _LINE.sub(anchor, lines)
    yield tail


def _json_pieces(listed: ProjectList) -> Iterator[bytes]:
    meta: dict[str, Any] = {"api-version": API_VERSION}
    if listed.last_serial is not None:
        meta["_last-serial"] = listed.last_serial
    between = b'{"meta":' + orjson.dumps(meta) + b',"projects":['
    for lines in listed.lines():
        # The marks of a line become the JSON around its name: names have no letter that would be escaped.
        written = lines[:-1].replace(b"!", b'"').replace(b" ", b'","_last-serial":')
        yield between + b'{"name":"' + written.replace(b"\n", b'},{"name":"') + b"}"
        between = b","
    yield (between if between != b"," else b"") + b"]}"


def write_names_json(listed: ProjectList, envelope: dict[str, Any]) -> Iterator[bytes]:
    """Write devpi's JSON of an index in pieces; the names fill the empty list ``projects`` of its result."""
    envelope = {**envelope, "result": {**envelope["result"], "projects": [_HOLE]}}
    text = json.dumps(envelope, indent=2) + "\n"
    head, tail = text.encode().split(json.dumps(_HOLE).encode())
    between = head
    for lines in listed.lines():
        yield between + b'"' + _LINE.sub(rb'\1",' + b"\n      " + b'"', lines)[: -len(b',\n      "')]
        between = b",\n      "
    yield tail


def compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Compress pieces as they come; the same pieces always give the same bytes."""
    compressor = zlib.compressobj(COMPRESSION_LEVEL, wbits=_GZIP_WBITS)
    for piece in pieces:
        written = compressor.compress(piece)
        if written:
            yield written
    yield compressor.flush()
