from __future__ import annotations

from replication.hello import Ack
from replication.members import MEMBERS_MAX, Members
from storage.position import Serial
from tests.replication.harness import card


class FakeClock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def members(clock: FakeClock | None = None) -> Members:
    return Members(card("primary"), head=lambda: Serial(100), clock=clock or FakeClock())


def test_replica_is_listed_from_its_hello_on() -> None:
    table = members()

    table.connected(card("a"), applied=Serial(90))

    (row,) = table.rows()
    assert (row.card, row.applied, row.lag_serials, row.is_streaming) == (card("a"), 90, 10, True)


def test_address_is_where_the_newest_stream_came_from_and_goes_to_no_other_node() -> None:
    table = members()
    table.connected(card("a"), applied=Serial(1), address="127.0.0.2")
    table.acknowledged(Ack("a", 1, Serial(9), Serial(9), 0, 0))
    table.connected(card("a"), applied=Serial(9), address="127.0.0.3")

    (row,) = table.rows()

    assert row.address == "127.0.0.3"
    assert "127.0.0.3" not in str(row.to_record())


def test_acknowledgement_moves_a_replica() -> None:
    clock = FakeClock()
    table = members(clock)
    table.connected(card("a"), applied=Serial(90))
    clock.now = 1007.0

    assert table.acknowledged(Ack("a", 1, Serial(99), Serial(98), 4, 4000))

    (row,) = table.rows()
    assert (row.appended, row.applied, row.lag_serials) == (99, 98, 2)
    assert (row.blobs_pending, row.blobs_pending_bytes, row.last_seen) == (4, 4000, 1007.0)


def test_acknowledgement_of_a_stranger_has_no_effect() -> None:
    table = members()

    assert not table.acknowledged(Ack("a", 1, Serial(99), Serial(98), 0, 0))
    assert table.rows() == []


def test_reconnect_that_overtakes_the_end_of_the_old_stream_stays_streaming() -> None:
    table = members()
    table.connected(card("a"), applied=Serial(1))
    table.connected(card("a"), applied=Serial(2))

    table.disconnected("a")

    assert [row.is_streaming for row in table.rows()] == [True]
    table.disconnected("a")
    assert [row.is_streaming for row in table.rows()] == [False]


def test_forgotten_replica_is_gone() -> None:
    table = members()
    table.connected(card("a"), applied=Serial(1))

    assert table.forget("a")
    assert not table.forget("a")
    table.disconnected("a")
    assert table.rows() == []


def test_row_that_claims_more_than_the_head_has_no_negative_lag() -> None:
    table = members()
    table.connected(card("a"), applied=Serial(101))

    assert [row.lag_serials for row in table.rows()] == [0]


def test_table_is_bounded_and_forgets_who_was_silent_for_longest() -> None:
    clock = FakeClock()
    table = members(clock)
    for number in range(MEMBERS_MAX):
        clock.now += 1
        table.connected(card(f"node-{number:04}"), applied=Serial(1))
    table.connected(card("too-many"), applied=Serial(1))
    assert len(table.rows()) == MEMBERS_MAX
    assert table.rows()[-1].card != card("too-many")

    table.disconnected("node-0005")
    table.disconnected("node-0003")
    table.connected(card("too-many"), applied=Serial(1))

    names = {row.card.node_id for row in table.rows()}
    assert "too-many" in names
    assert "node-0003" not in names
    assert "node-0005" in names
