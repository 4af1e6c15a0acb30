"""Conversations between real stores over paired links; each ends with equal positions and state digests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from replication.errors import FollowRefused
from replication.hello import PROTOCOL, Hello
from tests.helpers.waiting import eventually
from tests.replication.harness import (
    Lab,
    PairedLink,
    card,
    equal,
    open_primary,
    open_replica,
    put,
    put_many,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future

    from storage.position import Position
    from storage.store import Store


async def copied(lab: Lab, source: Store, name: str) -> Store:
    """Another directory with the same history: what a restored backup is."""
    target = lab.keep(open_primary(lab.path / name))
    entries = source.entries_after(source.floor - 1, max_entries=1_000_000, max_bytes=1 << 30)  # type: ignore[arg-type]
    await asyncio.wrap_future(target.apply(entries, {}))
    return target


class TestFollowing:
    async def test_empty_replica_bootstraps_and_follows(self, lab: Lab) -> None:
        primary = lab.primary()
        await put_many(primary.store, 50)
        replica = lab.replica(PairedLink(primary))

        await equal(primary, replica)
        await put_many(primary.store, 50, prefix="later")

        await equal(primary, replica)
        assert primary.feeder.plan_counts == {"empty": 1}
        assert replica.store.cluster_id == primary.store.cluster_id

    async def test_replica_that_was_there_before_the_first_entry_needs_no_snapshot(self, lab: Lab) -> None:
        primary = lab.primary()
        replica = lab.replica(PairedLink(primary))
        await eventually(lambda: replica.follower.status.phase == "following", what="following")

        await put_many(primary.store, 20)

        await equal(primary, replica)
        assert primary.feeder.plan_counts == {"entries": 1}

    async def test_replica_catches_up_with_entries_after_a_break(self, lab: Lab) -> None:
        primary = lab.primary()
        link = PairedLink(primary)
        replica = lab.replica(link)
        await put_many(primary.store, 10)
        await equal(primary, replica)
        link.is_down = True
        await put_many(primary.store, 2000, prefix="meanwhile")
        await eventually(lambda: replica.follower.status.phase == "waiting", what="waiting")

        link.is_down = False

        await equal(primary, replica)
        assert set(primary.feeder.plan_counts) == {"entries"}
        assert replica.follower.status.snapshots_loaded == 0

    async def test_small_blobs_arrive_with_their_entry_and_large_ones_after_it(self, lab: Lab) -> None:
        primary = lab.primary()
        link = PairedLink(primary)
        replica = lab.replica(link)
        await eventually(lambda: replica.follower.status.phase == "following", what="following")
        small, large = b"s" * 1000, b"L" * 300_000

        await put(primary.store, "file", contents=(small, large))

        await equal(primary, replica)
        stored = {content: replica.store.blobs.put_many([content])[0] for content in (small, large)}
        assert link.blob_requests == [stored[large].sha256]
        assert [replica.store.blobs.read(ref.sha256) for ref in stored.values()] == [small, large]

    async def test_two_replicas_show_up_in_the_members_of_each_other(self, lab: Lab) -> None:
        primary = lab.primary()
        first = lab.replica(PairedLink(primary, node_id="first"))
        second = lab.replica(PairedLink(primary, node_id="second"))
        await put_many(primary.store, 5)
        await equal(primary, first, second)

        await eventually(
            lambda: (
                [(row.card.node_id, int(row.applied)) for row in second.follower.status.members]
                == [("first", 5), ("second", 5)]
            ),
            what=lambda: f"members {second.follower.status.members}",
        )

        assert primary.members.rows()[0].is_streaming
        assert first.follower.status.primary == primary.members.card

    async def test_status_tells_how_far_the_replica_is(self, lab: Lab) -> None:
        primary = lab.primary()
        link = PairedLink(primary)
        replica = lab.replica(link)
        await put_many(primary.store, 30)
        await equal(primary, replica)
        await eventually(
            lambda: (
                replica.follower.status.lag_seconds is not None
                and replica.follower.status.phase == "following"
            ),
            what=lambda: f"{replica.follower.status}",
        )

        status = replica.follower.status

        assert (status.phase, status.head_serial, status.applied_serial) == ("following", 30, 30)
        assert (status.lag_serials, status.lag_bytes) == (0, 0)
        assert status.in_sync_at is not None

    async def test_lag_seconds_grow_while_the_link_is_down(self, lab: Lab) -> None:
        primary = lab.primary()
        link = PairedLink(primary)
        replica = lab.replica(link)
        await put_many(primary.store, 3)
        await equal(primary, replica)
        await eventually(lambda: replica.follower.status.lag_seconds is not None, what="a heartbeat")

        link.is_down = True

        await eventually(
            lambda: (replica.follower.status.lag_seconds or 0) > 0.2,
            what=lambda: f"lag {replica.follower.status.lag_seconds}",
        )
        assert replica.follower.status.last_error == "primary not reachable: cable pulled"

    async def test_silent_primary_is_left_and_asked_again(self, lab: Lab) -> None:
        primary = lab.primary()
        primary.feeder._heartbeat_seconds = 3600.0
        replica = lab.replica(PairedLink(primary), silence_seconds=0.05)

        await eventually(lambda: replica.link.connections >= 3, what="three connections")

        assert replica.follower.status.last_error == "primary not reachable: nothing heard for 0.05 s"
        await put(primary.store, "key")
        await equal(primary, replica)

    async def test_goodbye_is_heard_when_the_primary_stops(self, lab: Lab) -> None:
        primary = lab.primary()
        replica = lab.replica(PairedLink(primary))
        await eventually(lambda: replica.follower.status.phase == "following", what="following")

        await primary.stop()

        await eventually(
            lambda: replica.follower.status.last_error == "primary not reachable: the primary is stopping",
            what=lambda: f"{replica.follower.status}",
        )


class TestBrokenLinks:
    @pytest.mark.parametrize("step", [1, 7, 64, 1000])
    async def test_stream_cut_at_every_kth_byte_ends_equal(self, lab: Lab, step: int) -> None:
        primary = lab.primary()
        first = lab.replica(PairedLink(primary))
        await put(primary.store, "first")
        await equal(primary, first)
        await first.stop()
        await put_many(primary.store, 15)
        # A cut shorter than the welcome and one entry could never make progress: grow from there.
        link = PairedLink(primary, cut_after_bytes=lambda connection: 150 + connection * step)

        replica = lab.replica(link, store=first.store)

        await equal(primary, replica)
        await eventually(lambda: link.connections > 3 or step >= 1000, what="cuts")

    async def test_reconnect_in_the_middle_of_a_frame_goes_on_from_the_applied_serial(self, lab: Lab) -> None:
        primary = lab.primary()
        replica = lab.replica(PairedLink(primary))
        await put(primary.store, "first")
        await equal(primary, replica)
        await replica.stop()
        await put_many(primary.store, 100)
        link = PairedLink(primary, cut_after_bytes=lambda connection: 10_001 if connection == 1 else None)

        again = lab.replica(link, store=replica.store)

        await equal(primary, again)
        assert link.connections == 2
        assert "cut" in (again.follower.status.last_error or "")
        # An entry cut in the middle is sent again, one received whole is not.
        await eventually(
            lambda: again.follower.status.entries_applied >= 100,
            what=lambda: f"{again.follower.status}",
        )
        assert again.follower.status.entries_applied == 100

    async def test_slow_replica_does_not_hold_up_the_others(self, lab: Lab) -> None:
        primary = lab.primary()
        stuck_link, link = PairedLink(primary, node_id="stuck"), PairedLink(primary, node_id="quick")
        stuck, quick = lab.replica(stuck_link), lab.replica(link)
        await put(primary.store, "first")
        await equal(primary, stuck, quick)
        # Nothing takes from the slow one's stream any more.
        await stuck.stop()
        frames = primary.feeder.feed(
            Hello(PROTOCOL, primary.store.cluster_id, stuck.store.position, card("stuck")),
        )
        await anext(frames)

        await put_many(primary.store, 3000)

        await equal(primary, quick)
        await frames.aclose()
        await equal(primary, lab.replica(stuck_link, store=stuck.store))


class TestBootstrap:
    async def test_replica_bootstraps_while_writes_go_on(self, lab: Lab) -> None:
        primary = lab.primary()
        await put_many(primary.store, 500)
        stop = asyncio.Event()

        async def write() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                await put(primary.store, f"busy-{number % 50}", b"%d" % number, contents=(b"%d" % number,))

        writer = asyncio.create_task(write())
        replicas = [lab.replica(PairedLink(primary, node_id=name)) for name in ("one", "two", "three")]
        await eventually(
            lambda: all(replica.follower.status.phase == "following" for replica in replicas),
            what=lambda: f"{[replica.follower.status.phase for replica in replicas]}",
        )
        stop.set()
        await writer

        await equal(primary, *replicas)
        assert primary.feeder.plan_counts == {"empty": 3}
        assert primary.feeder.snapshots_made == 1

    async def test_replica_bootstraps_from_snapshot_when_its_serial_is_pruned(self, lab: Lab) -> None:
        primary = lab.primary()
        replica = lab.replica(PairedLink(primary))
        await put_many(primary.store, 20)
        await equal(primary, replica)
        await replica.stop()
        await put_many(primary.store, 50, prefix="later")
        assert await primary.feeder.prune(retention_entries=10) == 61

        again = lab.replica(PairedLink(primary), store=replica.store)

        await equal(primary, again)
        assert primary.feeder.plan_counts["pruned"] == 1
        assert again.store.set_aside() == []

    async def test_replica_far_behind_gets_a_snapshot(self, lab: Lab) -> None:
        primary = lab.primary(snapshot_after_entries=30)
        replica = lab.replica(PairedLink(primary))
        await put(primary.store, "first")
        await equal(primary, replica)
        await replica.stop()
        await put_many(primary.store, 31, prefix="later")

        again = lab.replica(PairedLink(primary), store=replica.store)

        await equal(primary, again)
        assert primary.feeder.plan_counts["far-behind"] == 1

    async def test_snapshot_cut_again_and_again_is_loaded_in_the_end(self, lab: Lab) -> None:
        primary = lab.primary()
        await put_many(primary.store, 200)
        link = PairedLink(primary, cut_after_bytes=lambda connection: 1000 * connection)

        replica = lab.replica(link)

        await equal(primary, replica)
        assert link.connections > 2
        await eventually(
            lambda: not (replica.store.path / "snapshots" / "incoming.part").exists(),
            what="the received file is still there",
        )

    async def test_nothing_is_pruned_that_a_stream_still_needs(self, lab: Lab) -> None:
        primary = lab.primary()
        replica = lab.replica(PairedLink(primary))
        await put_many(primary.store, 20)
        await equal(primary, replica)
        await replica.stop()
        await put_many(primary.store, 300, prefix="later")
        frames = primary.feeder.feed(
            Hello(PROTOCOL, primary.store.cluster_id, replica.store.position, card("x")),
        )
        await anext(frames)

        floor = await primary.feeder.prune(retention_entries=10)

        assert floor <= 21
        await frames.aclose()
        assert await primary.feeder.prune(retention_entries=10) == 311
        await equal(primary, lab.replica(PairedLink(primary), store=replica.store))


class TestDivergence:
    async def test_tail_that_diverged_is_set_aside_before_the_bootstrap(self, lab: Lab) -> None:
        primary = lab.primary()
        replica = lab.replica(PairedLink(primary))
        await put_many(primary.store, 10)
        await equal(primary, replica)
        await replica.stop()
        await primary.stop()
        # The primary was restored from a copy that lacks what follows, and then went on writing.
        restored = lab.primary_on(await copied(lab, primary.store, "restored"))
        link = PairedLink(primary)
        await put_many(primary.store, 3, prefix="only-here")
        primary.signal.is_closed = False
        primary.feeder._is_closing = False
        before = lab.replica(link, store=replica.store)
        await eventually(lambda: before.store.position == primary.store.position, what="the tail applied")
        await before.stop()
        await put_many(restored.store, 6, prefix="other")

        again = lab.replica(PairedLink(restored), store=replica.store)

        await equal(restored, again)
        assert restored.feeder.plan_counts["diverged"] == 1
        assert len(again.store.set_aside()) == 1
        assert not restored.feeder.is_suspect

    async def test_primary_becomes_suspect_when_a_replica_is_ahead(self, lab: Lab) -> None:
        primary = lab.primary()
        replica = lab.replica(PairedLink(primary))
        await put_many(primary.store, 10)
        await equal(primary, replica)
        restored = lab.primary_on(await copied(lab, primary.store, "restored"))
        await put_many(primary.store, 3, prefix="only-here")
        await equal(primary, replica)
        await replica.stop()

        again = lab.replica(PairedLink(restored), store=replica.store)

        await eventually(lambda: again.follower.status.phase == "refused", what="refused")
        assert restored.feeder.is_suspect
        assert (restored.feeder.suspect_reason or "").startswith("replica-ahead: the replica is at 1-13-")
        assert not again.task.done()
        assert again.store.position == primary.store.position

    async def test_primary_of_a_lower_epoch_is_fenced(self, lab: Lab) -> None:
        primary = lab.primary()
        successor = lab.primary_on(open_primary(lab.path / "successor", epoch=2))
        replica = lab.replica(PairedLink(successor))
        await put_many(successor.store, 5)
        await equal(successor, replica)
        await replica.stop()

        again = lab.replica(PairedLink(primary), store=replica.store)

        await eventually(lambda: again.follower.status.phase == "refused", what="refused")
        assert (primary.feeder.suspect_reason or "").startswith("higher-epoch")
        assert again.store.position == successor.store.position


class TestRefusals:
    async def test_foreign_cluster_is_refused_with_a_sentence(self, lab: Lab) -> None:
        primary = lab.primary()
        foreign = lab.keep(open_primary(lab.path / "foreign", cluster_id=b"another-cluster!"))
        await put_many(foreign, 3)
        before = foreign.position

        replica = lab.replica(PairedLink(primary), store=foreign)
        with pytest.raises(FollowRefused) as caught:
            await replica.task

        assert caught.value.reason == "foreign-cluster"
        assert "an empty directory can join" in str(caught.value)
        assert foreign.position == before
        assert not primary.feeder.is_suspect

    async def test_wrong_secret_is_refused_with_a_sentence(self, lab: Lab) -> None:
        primary = lab.primary()

        replica = lab.replica(PairedLink(primary, secret=b"guessed"))
        with pytest.raises(FollowRefused, match="do not share a cluster secret") as caught:
            await replica.task

        assert caught.value.reason == "wrong-secret"
        assert replica.store.cluster_id is None

    async def test_later_refusal_does_not_end_the_follower(self, lab: Lab) -> None:
        primary = lab.primary()
        link = PairedLink(primary)
        replica = lab.replica(link)
        await put(primary.store, "first")
        await equal(primary, replica)
        other = lab.primary_on(open_primary(lab.path / "other", cluster_id=b"another-cluster!"))

        link.primary, link.is_down = other, True
        await eventually(lambda: replica.follower.status.phase == "waiting", what="waiting")
        link.is_down = False
        await eventually(
            lambda: replica.follower.status.phase == "refused",
            what=lambda: f"{replica.follower.status}",
        )

        link.primary = primary
        await put(primary.store, "second")
        await equal(primary, replica)

    async def test_follower_halts_when_its_state_would_differ(self, lab: Lab) -> None:
        primary = lab.primary()
        replica = lab.replica(PairedLink(primary))
        await put_many(primary.store, 5)
        await equal(primary, replica)
        await replica.stop()
        position = replica.store.position
        with replica.store._environment.begin_write() as txn:
            txn.delete(b"key-1")
            txn.commit()
        await put(primary.store, "key-1", b"changed")

        again = lab.replica(PairedLink(primary), store=replica.store)

        await eventually(
            lambda: again.follower.status.phase == "halted",
            what=lambda: f"{again.follower.status}",
        )
        assert again.store.position == position


async def test_apply_is_never_in_flight_twice(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    primary = lab.primary()
    store = open_replica(lab.path / "watched")
    apply = store.apply
    batches: list[int] = []
    flying = most_flying = 0

    def watched(entries: Sequence[bytes], contents: Mapping[bytes, bytes]) -> Future[Position]:
        nonlocal flying, most_flying
        flying += 1
        most_flying = max(most_flying, flying)
        batches.append(len(entries))
        future = apply(entries, contents)
        future.add_done_callback(landed)
        return future

    def landed(_future: Future[Position]) -> None:
        nonlocal flying
        flying -= 1

    monkeypatch.setattr(store, "apply", watched)
    replica = lab.replica(PairedLink(primary), store=store)
    await put_many(primary.store, 2000)

    await equal(primary, replica)
    assert most_flying == 1
    assert max(batches) > 1
