import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.http.etags import matches_etag
from node.http.ranges import Part, Unsatisfiable, Whole, wanted_part

ETAG = '"abc"'


@pytest.mark.parametrize(
    ("given_range", "size_bytes", "expected"),
    [
        ("bytes=0-0", 10, Part(0, 1)),
        ("bytes=2-", 10, Part(2, 10)),
        ("bytes=-3", 10, Part(7, 10)),
        ("bytes=-30", 10, Part(0, 10)),
        ("BYTES = 1-2", 10, Whole()),
        ("Bytes=1-2", 10, Part(1, 3)),
        ("bytes=9-8", 10, Whole()),
        ("bytes=90-8", 10, Whole()),
        ("bytes=10-", 10, Unsatisfiable()),
        ("bytes=-0", 10, Unsatisfiable()),
        ("bytes=0-", 0, Unsatisfiable()),
        ("bytes=-5", 0, Unsatisfiable()),
        ("bytes=\u0661-\u0662", 10, Whole()),
        ("bytes=" + "9" * 6000 + "-", 10, Unsatisfiable()),
        ("bytes=1-" + "9" * 6000, 10, Part(1, 10)),
    ],
)
def test_one_range_is_understood(given_range: str, size_bytes: int, expected: object) -> None:
    assert wanted_part({"Range": given_range}, size_bytes, ETAG) == expected


@given(st.text(alphabet="bytes=0123456789-, ", max_size=30), st.integers(0, 100))
def test_any_range_lies_within_the_file(given_range: str, size_bytes: int) -> None:
    part = wanted_part({"Range": given_range}, size_bytes, ETAG)

    if isinstance(part, Part):
        assert 0 <= part.start < part.end <= size_bytes
        assert re.fullmatch(r"bytes \d+-\d+/\d+", part.content_range(size_bytes))


@pytest.mark.parametrize("validator", ['"other"', 'W/"abc"', "Sun, 22 Nov 2026 16:00:00 GMT", ""])
def test_range_of_another_version_is_the_whole(validator: str) -> None:
    assert wanted_part({"Range": "bytes=1-", "If-Range": validator}, 10, ETAG) == Whole()
    assert wanted_part({"Range": "bytes=1-", "If-Range": ETAG}, 10, ETAG) == Part(1, 10)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", False),
        (ETAG, True),
        ("*", True),
        (' W/"abc" ', True),
        ('"x", "abc"', True),
        ('"abcd"', False),
        ("abc", False),
    ],
)
def test_validators_are_compared_weakly(header: str, expected: bool) -> None:
    assert matches_etag(header, ETAG) is expected
