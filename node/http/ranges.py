"""Byte ranges (RFC 9110 section 14): one range is answered, anything stranger gets the whole file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_ONE_RANGE = re.compile(r"bytes=\s*([0-9]*)\s*-\s*([0-9]*)\s*", re.IGNORECASE)
_DIGITS_MAX = 18
"""No file is so long; more digits than Python converts (it has a limit) must not be an error of ours."""


@dataclass(frozen=True, slots=True)
class Whole:
    """The whole file is wanted."""


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes ``start`` to before ``end``."""

    start: int
    end: int

    def content_range(self, size_bytes: int) -> str:
        """Return the header that tells the client which part it gets."""
        return f"bytes {self.start}-{self.end - 1}/{size_bytes}"


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """The range lies behind the end of the file: 416."""


def wanted_part(headers: Mapping[str, str], size_bytes: int, etag: str) -> Whole | Part | Unsatisfiable:
    """Decide what part of a file a request wants; an ``If-Range`` that does not match means all of it."""
    given = headers.get("Range")
    if given is None or headers.get("If-Range", etag) != etag:
        return Whole()
    match = _ONE_RANGE.fullmatch(given.strip())
    if match is None or not (match[1] or match[2]):
        return Whole()
    first, last = match[1], match[2]
    if not first:
        length = _number(last)
        return Part(max(0, size_bytes - length), size_bytes) if length and size_bytes else Unsatisfiable()
    start, end = _number(first), _number(last) + 1 if last else size_bytes
    if last and end <= start:
        return Whole()
    return Part(start, min(end, size_bytes)) if start < size_bytes else Unsatisfiable()


def _number(digits: str) -> int:
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= _DIGITS_MAX else 10**_DIGITS_MAX
