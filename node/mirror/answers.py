"""What an upstream answered, as small types, and the headers that say it."""

import email.utils
import time
from dataclasses import dataclass

from node.mirror.errors import RETRY_AFTER_SECONDS_DEFAULT, RETRY_AFTER_SECONDS_MAX
from node.mirror.page import Validators


@dataclass(frozen=True, slots=True)
class Page:
    """Upstream's page, decoded from its transfer and content encoding."""

    body: bytes
    content_type: str
    url: str  # after redirects: what relative links are relative to
    validators: Validators
    serial: str | None  # X-PyPI-Last-Serial


@dataclass(frozen=True, slots=True)
class NotModified:
    """The page is still the one the validators came with."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Upstream has no such project."""


PageAnswer = Page | NotModified | Missing


@dataclass(frozen=True, slots=True)
class RangeBody:
    """Part of a file, and how long the whole is."""

    body: bytes
    start: int
    total_bytes: int


def retry_after_seconds(value: str | None, *, now: float | None = None) -> int:
    """Read a Retry-After header, in seconds or as a date, as an int that our own answer can carry."""
    if value is None:
        return RETRY_AFTER_SECONDS_DEFAULT
    if value.strip().isascii() and value.strip().isdigit():
        return max(1, min(int(value.strip()[:9]), RETRY_AFTER_SECONDS_MAX))
    try:
        moment = email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return RETRY_AFTER_SECONDS_DEFAULT
    return max(1, min(int(moment - (time.time() if now is None else now)), RETRY_AFTER_SECONDS_MAX))


def content_range(value: str) -> tuple[int | None, int | None]:
    """Return the first offset and the total size a Content-Range header names."""
    unit, _, rest = value.partition(" ")
    span, _, total = rest.partition("/")
    start = span.partition("-")[0]
    if unit != "bytes" or not (start.isdigit() and total.isdigit()):
        return None, None
    return int(start), int(total)
