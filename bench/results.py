"""What a question answers: one record per case and peer, one JSON line each."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from bench.summary import median

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One repeat of one case on one peer."""

    value: float
    latency_seconds: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """All repeats of one case on one peer."""

    question: str
    case: str
    peer: str
    unit: str
    better: Better
    samples: Sequence[Sample]
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def values(self) -> list[float]:
        """The repeats' values, in the order they were measured."""
        return [sample.value for sample in self.samples]

    @property
    def median(self) -> float:
        """The middle of the repeats."""
        return median(self.values)

    def as_line(self, circumstances: Mapping[str, Any]) -> str:
        """Return the JSON line; ``circumstances`` are the run's machine, versions and date."""
        latencies = [sample.latency_seconds for sample in self.samples]
        details = [sample.details for sample in self.samples]
        return json.dumps(
            {
                "question": self.question,
                "case": self.case,
                "peer": self.peer,
                "median": self.median,
                "unit": self.unit,
                "better": self.better,
                "values": self.values,
                "latency_seconds": _medians(latencies),
                "details": _medians(details),
                "parameters": dict(self.parameters),
                **circumstances,
            }
        )


def ratio(ours: Result, theirs: Result) -> float:
    """Return how many times better ours is: the median of the ratios of repeats that ran side by side.

    Raises:
        ValueError: The two measured different cases, or not equally often.

    """
    if (ours.question, ours.case) != (theirs.question, theirs.case):
        raise ValueError(f"{ours.question} {ours.case} is not {theirs.question} {theirs.case}")
    pairs = zip(ours.values, theirs.values, strict=True)
    if ours.better == "higher":
        return median([mine / other for mine, other in pairs])
    return median([other / mine for mine, other in pairs])


def _medians(records: Sequence[Mapping[str, float]]) -> dict[str, float]:
    if not records:
        return {}
    return {name: median([record[name] for record in records]) for name in records[0]}
