from __future__ import annotations

from replication.backoff import BackOff


def test_pauses_double_up_to_the_most() -> None:
    back_off = BackOff(random=lambda: 1.0)

    pauses = [back_off.next_seconds() for _ in range(8)]

    assert pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


def test_jitter_takes_away_up_to_half() -> None:
    assert BackOff(random=lambda: 0.0).next_seconds() == 0.1
    assert 0.1 <= BackOff().next_seconds() <= 0.2


def test_reset_starts_small_again() -> None:
    back_off = BackOff(random=lambda: 1.0)
    for _ in range(5):
        back_off.next_seconds()

    back_off.reset()

    assert back_off.next_seconds() == 0.2


def test_many_failures_do_not_overflow() -> None:
    back_off = BackOff(failures=10_000)

    assert back_off.next_seconds() <= 5.0
