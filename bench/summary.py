"""Medians and percentiles of small samples."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that is at least as big as ``percent`` of all (nearest rank).

    Nearest rank invents no value between two that were seen, which matters for a p99 of a hundred samples.

    Raises:
        ValueError: ``values`` is empty, or ``percent`` is not within 0 to 100.

    """
    if not values:
        raise ValueError("a percentile of nothing")
    if not 0 <= percent <= 100:
        raise ValueError(f"percent is {percent}, not within 0 to 100")
    rank = max(1, math.ceil(percent / 100 * len(values)))
    return sorted(values)[rank - 1]


def median(values: Sequence[float]) -> float:
    """Return the middle value, or the mean of the two middle ones.

    Raises:
        ValueError: ``values`` is empty.

    """
    if not values:
        raise ValueError("a median of nothing")
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the percentiles that every result line carries."""
    return {f"p{percent}": percentile(values, percent) for percent in (50, 90, 99)}
