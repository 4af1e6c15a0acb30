from __future__ import annotations

from typing import TYPE_CHECKING

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.errors import MessageCorrupt
from replication.wire import INTEGER_MAX, Record, pack, pack_position
from storage.position import Position, Serial

if TYPE_CHECKING:
    from collections.abc import Callable


def record(**fields: object) -> Record:
    return Record("thing", fields)


def test_record_that_is_no_map_is_refused() -> None:
    with pytest.raises(MessageCorrupt, match="thing corrupt: not a map"):
        Record.parse("thing", pack([1]), bytes_max=100)


def test_record_longer_than_allowed_is_refused_unread() -> None:
    with pytest.raises(MessageCorrupt, match="101 bytes, at most 100"):
        Record.parse("thing", bytes(101), bytes_max=100)


@pytest.mark.parametrize(
    ("read", "value"),
    [
        pytest.param(lambda r: r.integer("x"), "1", id="integer-text"),
        pytest.param(lambda r: r.integer("x"), True, id="integer-boolean"),
        pytest.param(lambda r: r.integer("x"), -1, id="integer-negative"),
        pytest.param(lambda r: r.integer("x"), INTEGER_MAX + 1, id="integer-too-large"),
        pytest.param(lambda r: r.boolean("x"), 1, id="boolean-integer"),
        pytest.param(lambda r: r.number("x"), 1, id="number-integer"),
        pytest.param(lambda r: r.text("x"), b"1", id="text-bytes"),
        pytest.param(lambda r: r.text("x"), "a" * 1025, id="text-too-long"),
        pytest.param(lambda r: r.text("x"), "\x1b[2J", id="text-control"),
        pytest.param(lambda r: r.octets("x", length_bytes=2), b"1", id="octets-length"),
        pytest.param(lambda r: r.octets("x", length_bytes=2), None, id="octets-none"),
        pytest.param(lambda r: r.optional_octets("x", length_bytes=2), b"1", id="optional-octets-length"),
        pytest.param(lambda r: r.record("x"), [], id="record-list"),
        pytest.param(lambda r: r.records("x", count_max=1), [{}, {}], id="records-count"),
        pytest.param(lambda r: r.records("x", count_max=1), [1], id="records-item"),
        pytest.param(lambda r: r.position("x"), [1, 2], id="position-short"),
        pytest.param(lambda r: r.position("x"), [1, -2, bytes(32)], id="position-negative"),
        pytest.param(lambda r: r.position("x"), [1, 2, bytes(31)], id="position-chain"),
        pytest.param(lambda r: r.integer("y"), 1, id="absent"),
    ],
)
def test_field_of_another_shape_is_refused(read: Callable[[Record], object], value: object) -> None:
    with pytest.raises(MessageCorrupt):
        read(record(x=value))


def test_fields_come_back_as_they_were() -> None:
    position = Position(3, Serial(7), b"c" * 32)
    fields = Record.parse(
        "thing",
        pack({"i": 1, "b": True, "f": 1.5, "t": "ü", "o": b"12", "n": None, "p": pack_position(position)}),
        bytes_max=1000,
    )

    assert (fields.integer("i"), fields.boolean("b"), fields.number("f")) == (1, True, 1.5)
    assert (fields.text("t"), fields.octets("o", length_bytes=2)) == ("ü", b"12")
    assert fields.optional_octets("n", length_bytes=2) is None
    assert fields.position("p") == position


@given(st.binary(max_size=300))
def test_garbage_is_refused_with_the_one_error(garbage: bytes) -> None:
    try:
        Record.parse("thing", garbage, bytes_max=300)
    except MessageCorrupt:
        return
    assert isinstance(msgpack.unpackb(garbage), dict)
