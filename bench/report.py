"""The table that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.results import ratio
from bench.wanted import LABELS, WANTED, holds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.results import Result

OURS = "wheelyard"
COLUMNS = ("question", "unit", "Wheelyard", "devpi", "nginx", "ratio", "wanted", "holds")
NOTHING = "-"
Cases = dict[tuple[str, str], dict[str, "Result"]]


def render(results: Sequence[Result], *, circumstances: Mapping[str, Any], command: str) -> str:
    """Return RESULTS.md."""
    versions = ", ".join(f"{name} {version}" for name, version in circumstances["versions"].items())
    parameters = ", ".join(f"{name}={value}" for name, value in circumstances["settings"].items())
    lines = [
        "# Results of the bench",
        "",
        "Written by the bench; do not edit. README.md says what each question measures, and how.",
        "",
        f"- machine: {circumstances['machine_text']}",
        f"- versions: {versions}",
        f"- date: {circumstances['date']}",
        f"- command: `{command}`, {circumstances['seconds']:.0f} s",
        f"- parameters: {parameters}",
        "",
        *table(results),
        "",
        "A number is the median of the repeats, a ratio the median of the ratios of repeats that ran side by side.",
        "For times and memory the ratio says how many times smaller ours is.",
        "",
    ]
    return "\n".join(lines)


def table(results: Sequence[Result]) -> list[str]:
    """Return the lines of the table, one row per case."""
    rows = [_row(key, peers) for key, peers in by_case(results).items()]
    return [_line(COLUMNS), _line(["---"] * len(COLUMNS)), *(_line(row) for row in rows)]


def by_case(results: Sequence[Result]) -> Cases:
    """Return the results of each case by peer, in the order they were measured."""
    cases: Cases = {}
    for result in results:
        cases.setdefault((result.question, result.case), {})[result.peer] = result
    return cases


def missed(results: Sequence[Result]) -> list[str]:
    """Return one line for each wish that was measured and does not hold."""
    lines = []
    for key, peers in by_case(results).items():
        if OURS not in peers:
            continue
        ratios = _ratios(peers)
        value = peers[OURS].median
        for wanted in WANTED.get(key, ()):
            if holds(wanted, value=value, ratios=ratios) is False:
                said = ", ".join(f"{times:.2f} {peer}" for peer, times in ratios.items())
                lines.append(
                    f"{LABELS[key]}: wanted {wanted}, is {number(value)} {peers[OURS].unit} ({said})"
                )
    return lines


def _row(key: tuple[str, str], peers: dict[str, Result]) -> list[str]:
    any_result = next(iter(peers.values()))
    ratios = _ratios(peers)
    wishes = WANTED.get(key, ())
    verdicts: list[str] = []
    if OURS in peers:
        for wanted in wishes:
            verdict = holds(wanted, value=peers[OURS].median, ratios=ratios)
            verdicts.append("not measured" if verdict is None else "yes" if verdict else "**no**")
    return [
        LABELS.get(key, f"{key[0]} {key[1]}"),
        any_result.unit,
        *(number(peers[name].median) if name in peers else NOTHING for name in (OURS, "devpi", "nginx")),
        "; ".join(_words(times, peer) for peer, times in ratios.items()) or NOTHING,
        "; ".join(str(wanted) for wanted in wishes) or NOTHING,
        "; ".join(verdicts) or NOTHING,
    ]


def _ratios(peers: dict[str, Result]) -> dict[str, float]:
    ours = peers.get(OURS)
    if ours is None:
        return {}
    return {name: ratio(ours, theirs) for name, theirs in peers.items() if name != OURS}


def _words(times: float, peer: str) -> str:
    return f"{times:.1f} times {peer}" if times >= 1 else f"{times:.2f} of {peer}"


def number(value: float) -> str:
    """Return a number with about three digits that mean something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
