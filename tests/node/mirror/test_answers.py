from __future__ import annotations

import pytest

from node.mirror.answers import content_range, retry_after_seconds

NOW = 1_700_000_000.0  # 2023-11-14 22:13:20 UTC


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 30),
        ("7", 7),
        ("0", 1),
        ("999999999999", 3600),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60),
        ("Tue, 14 Nov 2023 20:00:00 GMT", 1),
        ("soon", 30),
        ("-5", 30),
    ],
)
def test_retry_after_becomes_a_bounded_int(value: str | None, seconds: int) -> None:
    assert retry_after_seconds(value, now=NOW) == seconds


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("bytes 5-9/20", (5, 20)),
        ("bytes */20", (None, None)),
        ("bytes 5-9/*", (None, None)),
        ("", (None, None)),
    ],
)
def test_content_range_names_start_and_total(value: str, result: tuple[int | None, int | None]) -> None:
    assert content_range(value) == result
