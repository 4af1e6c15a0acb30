from __future__ import annotations

from replication.lag import OPEN_HEARTBEATS_MAX, Lag


class FakeClock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_known_before_the_first_contact() -> None:
    lag = Lag(clock=FakeClock(), wall_clock=FakeClock())

    assert (lag.missing_serials(5), lag.missing_bytes(5, 0), lag.age_seconds()) == (None, None, None)


def test_age_counts_from_the_heartbeat_that_found_us_at_the_head() -> None:
    clock = FakeClock()
    lag = Lag(clock=clock, wall_clock=lambda: 9.0)
    lag.heard(5, applied_serial=5)

    clock.now += 3

    assert lag.age_seconds() == 3.0
    assert lag.in_sync_at == 9.0


def test_heartbeat_proves_something_as_soon_as_its_head_is_applied() -> None:
    clock = FakeClock()
    lag = Lag(clock=clock, wall_clock=clock)
    lag.heard(5, applied_serial=2)
    clock.now += 3
    lag.heard(9, applied_serial=2)
    clock.now += 1
    assert lag.age_seconds() is None

    lag.applied(7)

    assert lag.age_seconds() == 4.0
    lag.applied(9)
    assert lag.age_seconds() == 1.0


def test_age_grows_when_nothing_is_heard_any_more() -> None:
    clock = FakeClock()
    lag = Lag(clock=clock, wall_clock=clock)
    lag.heard(5, applied_serial=5)

    for _ in range(3):
        clock.now += 10
        lag.applied(5)

    assert lag.age_seconds() == 30.0


def test_entry_newer_than_the_last_heartbeat_moves_the_head() -> None:
    lag = Lag(clock=FakeClock(), wall_clock=FakeClock())
    lag.heard(5, applied_serial=5)

    lag.received(8, 100)

    assert lag.missing_serials(5) == 3


def test_bytes_are_estimated_from_the_mean_entry_and_add_blobs() -> None:
    lag = Lag(clock=FakeClock(), wall_clock=FakeClock())
    lag.received(1, 100)
    lag.received(2, 300)
    lag.heard(12, applied_serial=2)

    assert lag.missing_bytes(2, 1_000_000) == 10 * 200 + 1_000_000


def test_new_conversation_forgets_what_the_last_one_promised() -> None:
    lag = Lag(clock=FakeClock(), wall_clock=FakeClock())
    lag.heard(50, applied_serial=2)

    lag.restarted(40)
    lag.applied(60)

    assert lag.age_seconds() is None
    assert lag.missing_serials(60) == 0


def test_open_heartbeats_are_bounded() -> None:
    lag = Lag(clock=FakeClock(), wall_clock=FakeClock())

    for serial in range(10 * OPEN_HEARTBEATS_MAX):
        lag.heard(1000 + serial, applied_serial=0)

    assert len(lag._open) == OPEN_HEARTBEATS_MAX


def test_head_never_moves_back_within_a_conversation() -> None:
    lag = Lag(clock=FakeClock(), wall_clock=FakeClock())
    lag.received(8, 100)

    lag.heard(7, applied_serial=8)

    assert lag.head_serial == 8
