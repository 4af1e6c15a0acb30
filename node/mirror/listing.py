"""Upstream's page of all projects, read in pieces: it may have a million of them.

Nothing here holds more than a few megabytes of objects, or the interpreter for more than some milliseconds.
"""

import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
from packaging.utils import canonicalize_name

from node.mirror.errors import UpstreamDown
from node.mirror.names import is_project_name
from node.mirror.parse import media_type_of, parse_serial

WHOLE_BYTES_MAX = 512 << 10  # a smaller JSON list is read at once, whatever its shape
SLICE_BYTES = 128 << 10  # of a larger one
SLICE_BYTES_MAX = 4 << 20  # of one entry and those beside it
ANCHOR_BYTES_MAX = 4 << 10
ENDS_TRIED_MAX = 16

_PROJECTS = re.compile(rb'"projects"\s{0,9}:\s{0,9}\[')
_BETWEEN = re.compile(rb"\}\s{0,99},\s{0,99}\{")
_END = re.compile(rb"(\}|\A)\s{0,99}\]")
_ANCHOR = re.compile(rb"<a\s([^<>]{1,2000})>([^<>]{0,1000})</a", re.IGNORECASE)
_HREF = re.compile(r"""\bhref\s*=\s*["']?([^"'\s>]+)""", re.IGNORECASE)
_VERSION = re.compile(rb'name=["\']pypi:repository-version["\']\s+content=["\']([^"\']{1,20})', re.IGNORECASE)

Body = bytes | mmap.mmap
Entry = tuple[str, int | None]


@dataclass(slots=True)
class Listing:
    """A page of all projects; ``last_serial`` is known once ``entries`` came to their end."""

    body: Body
    content_type: str
    url: str
    last_serial: int | None = None  # the header's, until the page says its own
    count: int = field(default=0, init=False)

    def entries(self) -> Iterator[Entry]:
        """Iterate over normalized names with their serials; what cannot be a project is left out.

        Raises:
            UpstreamDown: the body is no list of projects, or stops being one.

        """
        media_type, _ = media_type_of(self.content_type)
        if media_type == "application/json" or media_type.endswith("+json"):
            found = self._from_json()
        elif media_type in {"text/html", "application/xhtml+xml", ""} or media_type.endswith("+html"):
            found = self._from_html()
        else:
            raise self._refused(f"a list of type {media_type} is not of the Simple API")
        for given, serial in found:
            name = canonicalize_name(given)
            if is_project_name(name):
                self.count += 1
                yield name, serial

    def _from_json(self) -> Iterator[Entry]:
        if len(self.body) <= WHOLE_BYTES_MAX:
            projects = self._read_frame(self.body[:])
        else:
            begin = _PROJECTS.search(self.body)
            if begin is None:
                raise self._refused("the page has no list of projects")
            position, is_last = begin.end(), False
            while not is_last:
                projects, position, is_last = self._slice(position)
                yield from _entries(projects)
            projects = self._read_frame(self.body[: begin.end()] + self.body[position:])
        yield from _entries(projects)

    def _slice(self, start: int) -> tuple[list[Any], int, bool]:
        """Return some entries, where those after them start, and whether there are none.

        A cut that leaves valid JSON on its left is right: it lies neither in a string nor in an entry.
        """
        size_bytes = SLICE_BYTES
        while size_bytes <= SLICE_BYTES_MAX and start + size_bytes < len(self.body):
            cut = _BETWEEN.search(self.body, start + size_bytes, start + 2 * size_bytes)
            projects = None if cut is None else _loaded(self.body[start : cut.start() + 1])
            if cut is not None and projects is not None:
                return projects, cut.end() - 1, False
            size_bytes *= 2
        rest = self.body[start : start + SLICE_BYTES_MAX]
        # The last one is the right one, unless what follows the list has lists of its own.
        for end in list(_END.finditer(rest))[: -ENDS_TRIED_MAX - 1 : -1]:
            projects = _loaded(rest[: end.end(1)])
            if projects is not None:
                return projects, start + end.end() - 1, True
        raise self._refused("its list of projects is not valid JSON")

    def _read_frame(self, frame: bytes) -> list[Any]:
        """Read what surrounds the entries, and those left in it."""
        try:
            data = orjson.loads(frame)
        except orjson.JSONDecodeError:
            raise self._refused("its list of projects is not valid JSON") from None
        if not isinstance(data, dict) or not isinstance(data.get("projects"), list):
            raise self._refused("the page has no list of projects")
        meta = data.get("meta")
        if isinstance(meta, dict):
            self._check_version(meta.get("api-version"))
            serial = parse_serial(meta.get("_last-serial"))
            self.last_serial = self.last_serial if serial is None else serial
        projects: list[Any] = data["projects"]
        return projects

    def _from_html(self) -> Iterator[Entry]:
        version = _VERSION.search(self.body, 0, SLICE_BYTES)
        if version is not None:
            self._check_version(version[1].decode(errors="replace"))
        position = 0
        while position < len(self.body):
            # Searched in parts: where there is nothing to find, one search would take as long as all of them.
            end = position + SLICE_BYTES
            anchor = _ANCHOR.search(self.body, position, end + ANCHOR_BYTES_MAX)
            if anchor is None:
                position = end
                continue
            position = anchor.end()
            name = _name_in(anchor[1].decode(errors="replace"), anchor[2].decode(errors="replace"))
            if name is not None:
                yield name, None

    def _check_version(self, version: object) -> None:
        # PEP 629: a higher minor version is read as usual, a higher major one must not be guessed at.
        if isinstance(version, str) and not version.startswith("1."):
            raise self._refused(f"the page is of Simple API {version}, not 1.x")

    def _refused(self, reason: str) -> UpstreamDown:
        return UpstreamDown(urlsplit(self.url).netloc, reason)


def _loaded(entries: bytes) -> list[Any] | None:
    try:
        loaded: list[Any] = orjson.loads(b"[" + entries + b"]")
    except orjson.JSONDecodeError:
        return None
    return loaded


def _entries(projects: list[Any]) -> Iterator[Entry]:
    for project in projects:
        if isinstance(project, dict) and isinstance(project.get("name"), str):
            yield project["name"], parse_serial(project.get("_last-serial"))


def _name_in(attributes: str, text: str) -> str | None:
    """Return the name that a link of the page stands for: its text (PEP 503), else the end of its path."""
    href = _HREF.search(attributes)
    if href is None:
        return None
    name = unescape(text).strip()
    if is_project_name(canonicalize_name(name)):
        return name
    return unquote(urlsplit(unescape(href[1])).path.rstrip("/").rpartition("/")[2])
