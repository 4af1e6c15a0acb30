from __future__ import annotations

import pytest

from bench.summary import median, percentile, spread


class TestPercentile:
    @pytest.mark.parametrize(
        ("percent", "expected"),
        [(0, 1.0), (50, 50.0), (90, 90.0), (99, 99.0), (100, 100.0)],
    )
    def test_percentile_is_nearest_rank_of_hundred_values(self, percent: float, expected: float) -> None:
        values = [float(value) for value in range(100, 0, -1)]

        assert percentile(values, percent) == expected

    def test_every_percentile_of_one_value_is_that_value(self) -> None:
        assert spread([7.0]) == {"p50": 7.0, "p90": 7.0, "p99": 7.0}

    def test_percentile_of_nothing_is_refused(self) -> None:
        with pytest.raises(ValueError, match="percentile of nothing"):
            percentile([], 50)

    def test_percentile_beyond_hundred_is_refused(self) -> None:
        with pytest.raises(ValueError, match="101"):
            percentile([1.0], 101)


class TestMedian:
    @pytest.mark.parametrize(
        ("values", "expected"),
        [([3.0, 1.0, 2.0], 2.0), ([4.0, 1.0, 3.0, 2.0], 2.5)],
        ids=["odd", "even"],
    )
    def test_median_is_the_middle_of_unsorted_values(self, values: list[float], expected: float) -> None:
        assert median(values) == expected

    def test_median_of_nothing_is_refused(self) -> None:
        with pytest.raises(ValueError, match="median of nothing"):
            median([])
