from __future__ import annotations

from replication.frames import HeartbeatFrame, WelcomeFrame
from replication.progress import CATCHING_UP_SECONDS, Progress
from replication.states import Waiting
from storage.position import Position, Serial
from tests.replication.harness import CLUSTER, card


class FakeStore:
    def __init__(self) -> None:
        self.position = Position(1, Serial(0), bytes(32))
        self.pending = (2, 500)

    def pending_totals(self) -> tuple[int, int]:
        return self.pending

    def apply_up_to(self, serial: int) -> None:
        self.position = Position(1, Serial(serial), bytes(32))


class Bench:
    """A progress with a store and a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.store = FakeStore()
        self.progress = Progress(
            self.store,  # type: ignore[arg-type]
            clock=lambda: self.now,
            wall_clock=lambda: self.now,
        )

    @property
    def phase(self) -> str:
        return self.progress.status().phase

    def welcome(self, head: int, *, reason: str | None = None) -> None:
        position = Position(1, Serial(head), bytes(32))
        self.progress.welcomed(WelcomeFrame(CLUSTER, 1, 1, position, card("primary"), reason))

    def heartbeat(self, head: int) -> None:
        self.progress.heard(HeartbeatFrame(Position(1, Serial(head), bytes(32)), 0))

    def apply(self, serial: int) -> None:
        self.store.apply_up_to(serial)
        self.progress.applied(1)


def test_phases_of_a_catch_up() -> None:
    bench = Bench()
    seen = [bench.phase]
    bench.welcome(10)
    seen.append(bench.phase)
    bench.apply(9)
    seen.append(bench.phase)
    bench.apply(10)
    seen.append(bench.phase)

    assert seen == ["connecting", "catching-up", "catching-up", "following"]


def test_phases_of_a_bootstrap() -> None:
    bench = Bench()
    bench.welcome(10, reason="empty")
    bench.heartbeat(0)
    seen = [bench.phase]
    bench.store.apply_up_to(10)
    bench.progress.loaded()
    seen.append(bench.phase)

    assert seen == ["bootstrapping", "following"]
    assert bench.progress.status().snapshots_loaded == 1


def test_heartbeat_during_a_bootstrap_proves_nothing() -> None:
    bench = Bench()
    bench.store.apply_up_to(12)
    bench.welcome(10, reason="diverged")

    bench.heartbeat(10)

    assert bench.progress.status().lag_seconds is None


def test_follower_keeps_following_while_writes_go_on() -> None:
    bench = Bench()
    bench.welcome(0)
    bench.heartbeat(0)

    bench.now += 1
    bench.progress.received(5, 100)
    bench.apply(3)

    assert bench.phase == "following"
    assert bench.progress.status().lag_serials == 2


def test_follower_that_does_not_reach_the_head_for_long_is_catching_up() -> None:
    bench = Bench()
    bench.welcome(0)
    bench.heartbeat(0)

    bench.now += CATCHING_UP_SECONDS + 1
    bench.heartbeat(1000)

    assert bench.phase == "catching-up"


def test_files_are_complete_when_the_state_is_current_and_no_blob_is_pending() -> None:
    bench = Bench()
    bench.welcome(4)
    seen = []
    for serial, pending in ((3, 0), (4, 2), (4, 0), (4, 1), (4, 0)):
        bench.now += 1
        bench.store.pending = (pending, 0)
        bench.store.apply_up_to(serial)
        bench.heartbeat(4)
        status = bench.progress.status()
        seen.append((status.files_first_complete_at, status.files_complete_at))

    assert seen == [(None, None), (None, None), (1003.0, 1003.0), (1003.0, 1003.0), (1003.0, 1005.0)]


def test_status_tells_everything_that_happened() -> None:
    bench = Bench()
    bench.welcome(4)
    bench.progress.contacted(77)
    bench.progress.received(4, 100)
    bench.heartbeat(4)
    bench.now += 2
    bench.apply(3)
    bench.progress.failed(ValueError(), Waiting(0.5))

    status = bench.progress.status()

    assert (status.phase, status.last_error, status.last_error_at) == ("waiting", "ValueError", 1002.0)
    assert (status.head_serial, status.applied_serial, status.lag_serials) == (4, 3, 1)
    assert status.lag_bytes == 100 + 500
    assert (status.blobs_pending, status.blobs_pending_bytes) == (2, 500)
    assert (status.started_at, status.contacted_at, status.updated_at) == (1000.0, 1000.0, 1002.0)
    assert (status.entries_applied, status.bytes_received, status.connected_at) == (1, 77, None)
    assert status.primary == card("primary")
