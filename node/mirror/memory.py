"""What is known about pages right now, in memory, bounded.

Parsed pages are large (a thousand files are nearly a megabyte), so they are kept within a budget of bytes; that a
page with a certain digest is still fresh takes a hundred bytes and is kept for many more projects.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from enum import Enum

from node.mirror.page import MirrorPage

ENTRIES_MAX = 50_000
PAGE_BYTES_BUDGET = 32 << 20
# Measured on the largest pages of PyPI: a parsed file with one digest takes 500 to 850 bytes.
_FILE_COST_BYTES = 1_000
_PAGE_COST_BYTES = 600

Key = tuple[bytes, str]  # the source's prefix, the normalized project name


class Absent(Enum):
    """The type of :data:`ABSENT`."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT
"""Memory has no fresh answer; only ``Mirror.page`` can tell."""


@dataclass(frozen=True, slots=True)
class Known:
    """A fresh answer: upstream has no such project, or has it with this digest."""

    digest: str | None  # None: upstream says 404
    page: MirrorPage | None  # None with a digest: fell out of the budget, and is in the cache
    is_stale: bool
    since: float
    until: float


class PageMemory:
    """Least recently used answers; used on the event loop only."""

    def __init__(self, *, entries_max: int = ENTRIES_MAX, bytes_budget: int = PAGE_BYTES_BUDGET) -> None:
        self._entries_max = entries_max
        self._bytes_budget = bytes_budget
        self._known: dict[Key, Known] = {}
        self._costs: OrderedDict[Key, int] = OrderedDict()  # of pages held, least recently used first
        self.held_bytes = 0  # estimated

    def fresh(self, key: Key, now: float) -> Known | None:
        """Return what is known, unless its time is over or lies ahead (the clock was set back)."""
        known = self._known.get(key)
        if known is None or not known.since <= now < known.until:
            return None
        if known.page is not None:
            self._costs.move_to_end(key)
        return known

    def put(self, key: Key, page: MirrorPage | None, *, now: float, until: float) -> None:
        """Keep an answer until ``until``; ``None`` means upstream has no such project."""
        self.drop(key)
        while len(self._known) >= self._entries_max:
            self.drop(next(iter(self._known)))
        if page is None:
            self._known[key] = Known(None, None, is_stale=False, since=now, until=until)
            return
        self._known[key] = Known(page.digest, page, is_stale=page.is_stale, since=now, until=until)
        self._costs[key] = cost = _PAGE_COST_BYTES + _FILE_COST_BYTES * len(page.files)
        self.held_bytes += cost
        # The newest page stays even when it alone is over the budget: it is in use right now anyway.
        while self.held_bytes > self._bytes_budget and len(self._costs) > 1:
            oldest, cost = self._costs.popitem(last=False)
            self.held_bytes -= cost
            self._known[oldest] = replace(self._known[oldest], page=None)

    def drop(self, key: Key) -> None:
        """Forget an answer."""
        if self._known.pop(key, None) is not None:
            self.held_bytes -= self._costs.pop(key, 0)

    def drop_source(self, prefix: bytes) -> None:
        """Forget everything of one index and generation."""
        for key in [key for key in self._known if key[0] == prefix]:
            self.drop(key)
