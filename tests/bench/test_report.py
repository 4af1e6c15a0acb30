from __future__ import annotations

import json

import pytest

from bench.report import missed, number, table
from bench.results import Better, Result, Sample, ratio
from bench.wanted import LABELS, WANTED, AtLeast, AtMost, TimesBetter, holds


def result(peer: str, *values: float, case: str = "many-json", better: Better = "higher") -> Result:
    return Result(
        "simple_page",
        case,
        peer,
        "pages/s",
        better,
        [Sample(value, {"p50": value}) for value in values],
        {"files": 300},
    )


class TestRatio:
    def test_ratio_is_the_median_of_ratios_and_not_of_values(self) -> None:
        # Repeat by repeat 10, 10 and 5 times; the medians alone would say 20 / 4.
        assert ratio(result("wheelyard", 10, 40, 20), result("devpi", 1, 4, 4)) == 10

    def test_ratio_is_turned_round_when_less_is_better(self) -> None:
        ours, theirs = result("wheelyard", 2, better="lower"), result("devpi", 30, better="lower")

        assert ratio(ours, theirs) == 15

    def test_different_cases_have_no_ratio(self) -> None:
        with pytest.raises(ValueError, match="is not"):
            ratio(result("wheelyard", 1), result("devpi", 1, case="one-json"))


class TestTable:
    def test_row_states_ratios_wishes_and_verdicts(self) -> None:
        results = [result("wheelyard", 3000), result("devpi", 50), result("nginx", 20_000)]

        row = table(results)[2]

        assert row == (
            "| simple page, many files, JSON | pages/s | 3,000 | 50.0 | 20,000 | 60.0 times devpi; 0.15 of nginx "
            "| ≥ 50 times devpi; ≥ 0.25 of nginx | yes; **no** |"
        )

    def test_row_says_so_when_a_peer_was_not_measured(self) -> None:
        row = table([result("wheelyard", 3000), result("devpi", 50)])[2]

        assert row.endswith("| yes; not measured |")

    def test_only_wishes_that_do_not_hold_are_named_as_missed(self) -> None:
        results = [result("wheelyard", 3000), result("devpi", 50), result("nginx", 20_000)]

        lines = missed(results)

        assert lines == [
            "simple page, many files, JSON: wanted ≥ 0.25 of nginx, is 3,000 pages/s (60.00 devpi, 0.15 nginx)"
        ]

    @pytest.mark.parametrize(("value", "text"), [(12345.6, "12,346"), (99.94, "99.9"), (0.251, "0.25")])
    def test_number_has_about_three_digits(self, value: float, text: str) -> None:
        assert number(value) == text


class TestWanted:
    def test_every_wish_has_a_label(self) -> None:
        assert set(WANTED) <= set(LABELS)

    @pytest.mark.parametrize(
        ("wish", "value", "expected"),
        [
            (TimesBetter("devpi", 10), 0, True),
            (TimesBetter("devpi", 11), 0, False),
            (TimesBetter("nginx", 1), 0, None),
            (AtLeast(5), 5, True),
            (AtLeast(5), 4, False),
            (AtMost(5), 4, True),
            (AtMost(5), 5, False),
        ],
    )
    def test_wish_holds(
        self, wish: TimesBetter | AtLeast | AtMost, value: float, expected: bool | None
    ) -> None:
        assert holds(wish, value=value, ratios={"devpi": 10.0}) is expected


class TestLine:
    def test_line_carries_median_percentiles_parameters_and_circumstances(self) -> None:
        line = json.loads(result("devpi", 3, 1, 2).as_line({"date": "2026-01-01"}))

        assert line == {
            "question": "simple_page",
            "case": "many-json",
            "peer": "devpi",
            "median": 2,
            "unit": "pages/s",
            "better": "higher",
            "values": [3, 1, 2],
            "latency_seconds": {"p50": 2},
            "details": {},
            "parameters": {"files": 300},
            "date": "2026-01-01",
        }
