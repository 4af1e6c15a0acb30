"""What Wheelyard must reach, each number once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TimesBetter:
    """At least so many times as good as a peer in the same run; for times, so many times shorter."""

    peer: str
    at_least: float

    def __str__(self) -> str:
        """Return the words of the table."""
        return f"≥ {_factor(self.at_least)} {self.peer}"


@dataclass(frozen=True, slots=True)
class AtLeast:
    """At least so much, in the unit of the result."""

    value: float

    def __str__(self) -> str:
        """Return the words of the table."""
        return f"≥ {self.value:,.0f}"


@dataclass(frozen=True, slots=True)
class AtMost:
    """At most so much, in the unit of the result."""

    value: float

    def __str__(self) -> str:
        """Return the words of the table."""
        return f"< {self.value:,.0f}"


Wanted = TimesBetter | AtLeast | AtMost

_LONG_PAGE: tuple[Wanted, ...] = (TimesBetter("devpi", 50), TimesBetter("nginx", 0.25))
_SHORT_PAGE: tuple[Wanted, ...] = (TimesBetter("devpi", 20),)

WANTED: dict[tuple[str, str], tuple[Wanted, ...]] = {
    ("simple_page", "many-json"): _LONG_PAGE,
    ("simple_page", "many-html"): _LONG_PAGE,
    ("simple_page", "one-json"): _SHORT_PAGE,
    ("simple_page", "one-html"): _SHORT_PAGE,
    ("small_file", "get"): (TimesBetter("devpi", 10),),
    ("large_file", "get"): (TimesBetter("nginx", 0.8),),
    ("uploads", "basic-auth"): (TimesBetter("devpi", 20),),
    ("visible", "p50"): (TimesBetter("devpi", 10),),
    ("visible", "p99"): (TimesBetter("devpi", 10),),
    ("catch_up", "entries"): (AtLeast(5000),),
    ("catch_up", "log"): (AtLeast(5000),),
    ("memory", "private"): (AtMost(150),),
}

LABELS: dict[tuple[str, str], str] = {
    ("simple_page", "many-json"): "simple page, many files, JSON",
    ("simple_page", "many-html"): "simple page, many files, HTML",
    ("simple_page", "one-json"): "simple page, one file, JSON",
    ("simple_page", "one-html"): "simple page, one file, HTML",
    ("small_file", "get"): "small file",
    ("large_file", "get"): "large file",
    ("uploads", "basic-auth"): "uploads, Basic auth",
    ("visible", "p50"): "commit to visible on a replica, p50",
    ("visible", "p99"): "commit to visible on a replica, p99",
    ("catch_up", "entries"): "catch-up of an empty replica, entries without blobs",
    ("catch_up", "log"): "catch-up of a stopped replica through the log",
    ("catch_up", "files"): "catch-up of an empty replica, files",
    ("memory", "private"): "private memory of the primary after the bench",
}


def _factor(value: float) -> str:
    return f"{value:g} times" if value >= 1 else f"{value:g} of"


def holds(wanted: Wanted, *, value: float, ratios: dict[str, float]) -> bool | None:
    """Tell whether a wish holds; ``None`` when its peer was not measured."""
    match wanted:
        case TimesBetter(peer, at_least):
            return ratios[peer] >= at_least if peer in ratios else None
        case AtLeast(bound):
            return value >= bound
        case AtMost(bound):
            return value < bound
