from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from storage.draft import Draft
from storage.entry import Delete
from tests.helpers.waiting import eventually
from tests.replication.harness import Lab, PairedLink, Replica, blob_of, equal, put

if TYPE_CHECKING:
    from tests.replication.harness import Primary

LARGE = b"large" * 30_000


async def following(lab: Lab, link: PairedLink) -> Replica:
    replica = lab.replica(link)
    await eventually(lambda: replica.follower.status.phase == "following", what="following")
    return replica


async def write_files(primary: Primary, count: int) -> None:
    for number in range(count):
        await put(primary.store, f"file-{number}", contents=(b"%d" % number * 70_000,))


async def test_blobs_are_fetched_four_at_once(lab: Lab) -> None:
    primary = lab.primary()
    link = PairedLink(primary)
    replica = await following(lab, link)
    link.is_down = True
    await write_files(primary, 12)

    link.is_down = False

    await equal(primary, replica)
    assert link.blobs_under_way_max == 4
    assert len(link.blob_requests) == 12
    assert replica.transfer.status.fetched == 12
    assert replica.transfer.status.failures == ()


async def test_corrupted_bytes_are_never_committed(lab: Lab) -> None:
    primary = lab.primary()
    link = PairedLink(primary, garble_blob=lambda content: content[:-1] + b"?")
    replica = await following(lab, link)

    await put(primary.store, "file", contents=(LARGE,))

    await eventually(
        lambda: [failure.attempts >= 3 for failure in replica.transfer.status.failures] == [True],
        what=lambda: f"{replica.transfer.status}",
    )
    (failure,) = replica.transfer.status.failures
    assert failure.sha256 == blob_of(LARGE).sha256
    assert "hash to" in failure.error
    assert list(replica.store.blobs.stored()) == []
    assert replica.store.pending_totals() == (1, len(LARGE))
    link.garble_blob = lambda content: content
    await equal(primary, replica)
    assert replica.store.blobs.read(blob_of(LARGE).sha256) == LARGE
    assert replica.store.blobs.temporaries() == []
    assert replica.transfer.status.failures == ()


async def test_bytes_without_end_are_cut_off(lab: Lab) -> None:
    primary = lab.primary()
    link = PairedLink(primary, garble_blob=lambda content: content * 10)
    replica = await following(lab, link)

    await put(primary.store, "file", contents=(LARGE,))

    await eventually(
        lambda: [failure.error for failure in replica.transfer.status.failures],
        what=lambda: f"{replica.transfer.status}",
    )
    assert "more than 150000 bytes" in replica.transfer.status.failures[0].error
    link.garble_blob = lambda content: content
    await equal(primary, replica)


async def test_blob_that_is_not_served_does_not_hold_up_the_others(lab: Lab) -> None:
    primary = lab.primary()
    missing = b"0" * 70_000
    link = PairedLink(primary, refused_blobs={blob_of(missing).sha256})
    replica = await following(lab, link)

    await write_files(primary, 6)

    await eventually(
        lambda: replica.transfer.status.fetched == 5 and replica.transfer.status.failures,
        what=lambda: f"{replica.transfer.status}",
    )
    link.refused_blobs.clear()
    await equal(primary, replica)
    assert link.blob_requests.count(blob_of(missing).sha256) >= 2


async def test_broken_link_is_no_fault_of_a_blob(lab: Lab) -> None:
    primary = lab.primary()
    link = PairedLink(primary)
    replica = await following(lab, link)
    fetch = link._prove

    def refuse(path: str) -> None:
        link.is_down = path == "/blob"
        fetch(path)

    link._prove = refuse  # type: ignore[method-assign]
    await write_files(primary, 3)

    await eventually(
        lambda: replica.transfer.status.last_error == "primary not reachable: cable pulled",
        what=lambda: f"{replica.transfer.status}",
    )
    assert replica.transfer.status.failures == ()
    link._prove = fetch  # type: ignore[method-assign]
    link.is_down = False
    await equal(primary, replica)


async def test_blob_that_nobody_needs_any_more_is_forgotten(lab: Lab) -> None:
    primary = lab.primary()
    link = PairedLink(primary, refused_blobs={blob_of(LARGE).sha256})
    replica = await following(lab, link)
    await put(primary.store, "file", contents=(LARGE,))
    await eventually(lambda: replica.transfer.status.failures, what=lambda: f"{replica.transfer.status}")

    draft = Draft((Delete(b"file"),), drops=(blob_of(LARGE).sha256,))
    await asyncio.wrap_future(primary.store.submit(lambda _view: (draft, None)))

    await equal(primary, replica)
    await eventually(
        lambda: replica.transfer.status.failures == (),
        what=lambda: f"{replica.transfer.status}",
    )


async def test_acknowledgement_tells_of_pending_blobs_and_of_their_arrival(lab: Lab) -> None:
    primary = lab.primary()
    link = PairedLink(primary, refused_blobs={blob_of(LARGE).sha256})
    replica = await following(lab, link)

    await put(primary.store, "file", contents=(LARGE,))

    await eventually(
        lambda: primary.members.rows()[0].blobs_pending == 1,
        what=lambda: f"{primary.members.rows()}",
    )
    link.refused_blobs.clear()
    await equal(primary, replica)
    await eventually(
        lambda: primary.members.rows()[0].blobs_pending == 0,
        what=lambda: f"{primary.members.rows()}",
        within_seconds=0.9,  # sooner than the acknowledgement that comes anyway
    )


async def test_transfer_stopped_in_the_middle_leaves_no_temporary_file(lab: Lab) -> None:
    primary = lab.primary()
    link = PairedLink(primary)
    replica = await following(lab, link)
    await write_files(primary, 8)
    await eventually(lambda: link.blob_requests, what="a fetch")

    await replica.stop()

    assert replica.store.blobs.temporaries() == []
    await equal(primary, lab.replica(link, store=replica.store))


async def test_blob_that_is_here_already_is_not_fetched_again(lab: Lab) -> None:
    primary = lab.primary()
    link = PairedLink(primary, refused_blobs={blob_of(LARGE).sha256})
    replica = await following(lab, link)
    await put(primary.store, "file", contents=(LARGE,))
    await eventually(lambda: replica.transfer.status.failures, what=lambda: f"{replica.transfer.status}")

    # As after a kill between the commit of the bytes and the note that they arrived.
    replica.store.blobs.put_many([LARGE])

    await equal(primary, replica)
