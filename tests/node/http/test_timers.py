"""Deadlines, decided from numbers alone."""

import pytest

from node.http.timers import Doing, Timers, Watch

TIMERS = Timers()


class Looks:
    """A watch looked at once a second."""

    def __init__(self) -> None:
        self.now = 100.0
        self.watch = Watch(self.now)

    def overdue_after(
        self, doing: Doing, *, request: int = 0, count_per_second: float = 0.0, at_most: int = 500
    ) -> int | None:
        """How many seconds pass until the connection is overdue; None when it never is."""
        for seconds in range(at_most):
            count = 1000 + int(seconds * count_per_second)
            if self.watch.is_overdue(doing, request=request, count=count, now=self.now, timers=TIMERS):
                return seconds
            self.now += 1
        return None


@pytest.mark.parametrize(
    ("doing", "seconds"),
    [(Doing.HEAD, 10), (Doing.BODY, 30), (Doing.SENDING, 30), (Doing.IDLE, 75), (Doing.WORKING, None)],
    ids=lambda value: value.name.lower() if isinstance(value, Doing) else str(value),
)
def test_connection_is_overdue_when_nothing_moves(doing: Doing, seconds: int | None) -> None:
    assert Looks().overdue_after(doing) == seconds


def test_head_is_overdue_however_much_drips_in() -> None:
    assert Looks().overdue_after(Doing.HEAD, count_per_second=100) == 10


def test_body_is_overdue_when_slower_than_the_floor() -> None:
    assert Looks().overdue_after(Doing.BODY, request=1, count_per_second=1000) == 30


@pytest.mark.parametrize("bytes_per_second", [1024, 5000])
def test_body_is_never_overdue_at_the_floor_or_above(bytes_per_second: int) -> None:
    assert Looks().overdue_after(Doing.BODY, request=1, count_per_second=bytes_per_second) is None


def test_body_is_overdue_when_dripping_after_a_fast_beginning() -> None:
    looks = Looks()
    assert looks.overdue_after(Doing.BODY, request=1, count_per_second=1_000_000, at_most=95) is None

    seconds = looks.overdue_after(Doing.BODY, request=1, count_per_second=1)

    assert seconds is not None
    assert seconds <= 60


@pytest.mark.parametrize("doing", [Doing.SENDING, Doing.IDLE])
def test_progress_keeps_a_connection_alive(doing: Doing) -> None:
    assert Looks().overdue_after(doing, count_per_second=0.1) is None


@pytest.mark.parametrize("doing", [Doing.HEAD, Doing.BODY, Doing.SENDING, Doing.IDLE])
def test_next_request_starts_another_clock(doing: Doing) -> None:
    looks = Looks()

    for request in range(200):
        assert looks.overdue_after(doing, request=request, at_most=3) is None


def test_working_in_between_starts_another_clock() -> None:
    looks = Looks()

    for _ in range(20):
        assert looks.overdue_after(Doing.SENDING, at_most=20) is None
        assert looks.overdue_after(Doing.WORKING, at_most=1) is None


def test_since_is_the_last_answer_of_an_idle_connection() -> None:
    looks = Looks()
    looks.overdue_after(Doing.IDLE, request=1, count_per_second=1, at_most=20)

    assert looks.watch.since == looks.now - 1
