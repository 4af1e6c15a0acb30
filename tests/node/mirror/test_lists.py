"""Upstreams' lists of projects: asked for once per expiry, kept over restarts and outages, never shortened by one."""

from __future__ import annotations

import asyncio
import json
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from node.mirror import list_fetch
from node.mirror.cluster import ClusterHooks, IssuedList
from node.mirror.errors import PrimaryUnreachable, UpstreamDown, UpstreamOffline
from tests.helpers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from node.mirror.lists import KnownList
    from node.mirror.mirror import Mirror
    from node.mirror.source import MirrorSource
    from tests.helpers.upstream import FakeUpstream
    from tests.node.mirror.rig import Rig

ROOT = "/simple/"
LINES = "idna 7\nsix 5\n"


@pytest.fixture(autouse=True)
def _projects(upstream: FakeUpstream) -> None:
    upstream.serials = {"Six": 5, "idna": 7}


def lines_of(known: KnownList) -> str:
    return b"".join(known.names.pieces()).decode()


async def listed(mirror: Mirror, source: MirrorSource) -> str:
    return lines_of(await mirror.project_list(source))


async def test_names_are_normalized_and_sorted_with_their_serials(rig: Rig, upstream: FakeUpstream) -> None:
    mirror = await rig.mirror()

    known = await mirror.project_list(rig.source())

    assert (lines_of(known), known.names.last_serial, known.is_stale) == (LINES, 7, False)
    assert upstream.heads[0]["Accept"].startswith("application/vnd.pypi.simple.v1+json, ")
    assert list((rig.folder / "cache" / "lists").glob("*.tmp")) == []


async def test_html_list_has_the_same_names(rig: Rig, upstream: FakeUpstream) -> None:
    upstream.style = "html"

    assert await listed(await rig.mirror(), rig.source()) == "idna!\nsix!\n"


async def test_serials_that_mean_nothing_are_left_out(rig: Rig) -> None:
    mirror = await rig.mirror()

    known = await mirror.project_list(rig.source(ignores_serials=True))

    assert (lines_of(known), known.names.last_serial) == ("idna!\nsix!\n", None)


async def test_fifty_clients_make_one_request(rig: Rig, upstream: FakeUpstream) -> None:
    gate = upstream.fault(ROOT, is_gated=True)
    mirror = await rig.mirror()
    clients = [asyncio.create_task(listed(mirror, rig.source())) for _ in range(50)]
    await eventually(lambda: upstream.requests[ROOT], what="upstream was asked")
    clients[0].cancel()

    gate.release()
    answers = await asyncio.gather(*clients[1:])

    assert (set(answers), upstream.requests[ROOT]) == ({LINES}, 1)


async def test_list_is_asked_for_once_per_expiry_also_after_a_restart(
    rig: Rig, upstream: FakeUpstream
) -> None:
    mirror = await rig.mirror()
    source = rig.source(cache_expiry_seconds=600)
    for seconds in (0, 300, 299):
        rig.clock.advance(seconds)
        await listed(mirror, source)
    await rig.close(mirror)
    mirror = await rig.mirror()
    kept = await listed(mirror, source)
    asked_within = upstream.requests[ROOT]
    upstream.serials["new"] = 9

    rig.clock.advance(1)

    assert (kept, asked_within) == (LINES, 1)
    assert (await listed(mirror, source), upstream.requests[ROOT]) == ("idna 7\nnew 9\nsix 5\n", 2)


@pytest.mark.parametrize("expiry_seconds", [0, 60, 1800])
async def test_changed_expiry_acts_at_once(rig: Rig, upstream: FakeUpstream, expiry_seconds: int) -> None:
    mirror = await rig.mirror()
    await listed(mirror, rig.source(cache_expiry_seconds=600))
    rig.clock.advance(300)

    await listed(mirror, rig.source(cache_expiry_seconds=expiry_seconds))

    assert upstream.requests[ROOT] == (1 if expiry_seconds > 300 else 2)


async def test_changed_options_end_the_pause_after_a_failure(rig: Rig, upstream: FakeUpstream) -> None:
    mirror = await rig.mirror()
    await listed(mirror, rig.source())
    rig.clock.advance(1800)
    upstream.fault(ROOT, status=503)
    await mirror.project_list(rig.source())
    upstream.faults.clear()

    known = await mirror.project_list(rig.source(ignores_serials=True))

    assert (known.is_stale, upstream.requests[ROOT]) == (False, 3)


async def test_unchanged_list_is_confirmed_by_its_validators(rig: Rig, upstream: FakeUpstream) -> None:
    upstream.has_etag = True
    mirror = await rig.mirror()
    first = await mirror.project_list(rig.source())
    rig.clock.advance(1800)
    await mirror.project_list(rig.source())
    await rig.close(mirror)
    mirror = await rig.mirror()
    rig.clock.advance(1799)

    known = await mirror.project_list(rig.source())

    assert (known.names.digest, known.is_stale) == (first.names.digest, False)
    assert upstream.requests[ROOT] == 2
    assert "If-None-Match" in upstream.heads[1]


FAULTS: dict[str, dict[str, Any]] = {
    "503": {"status": 503},
    "404": {"status": 404},
    "304-unasked": {"status": 304},
    "no-list": {"status": 200, "body": b"{}"},
    "no-json": {"status": 200, "body": b"<html>", "headers": {"Content-Type": "application/json"}},
    "now-empty": {"status": 200, "body": b"<html>sign in</html>", "headers": {"Content-Type": "text/html"}},
    "cut": {"body": b'{"projects": ['},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_failed_refresh_gives_the_last_list(
    rig: Rig, upstream: FakeUpstream, fault: dict[str, Any]
) -> None:
    """Also after a restart; upstream is asked again soon, and then its new list counts."""
    mirror = await rig.mirror()
    await listed(mirror, rig.source())
    rig.clock.advance(1800)
    upstream.serials["new"] = 9
    upstream.fault(ROOT, **fault)
    stale = [await mirror.project_list(rig.source()) for _ in range(3)]
    asked = upstream.requests[ROOT]
    await rig.close(mirror)
    mirror = await rig.mirror()
    stale.append(await mirror.project_list(rig.source()))
    upstream.faults.clear()

    rig.clock.advance(61)

    assert [(lines_of(known), known.is_stale) for known in stale] == [(LINES, True)] * 4
    assert asked == 2
    assert mirror.counters.list_failures == 1
    again = await mirror.project_list(rig.source())
    assert (lines_of(again), again.is_stale) == ("idna 7\nnew 9\nsix 5\n", False)
    assert len(list((rig.folder / "cache" / "lists").iterdir())) == 2  # lines and stamp


@pytest.mark.parametrize("fault", [FAULTS["503"], FAULTS["404"], FAULTS["no-list"]], ids=["503", "404", "no"])
async def test_failure_without_a_list_is_an_outage(
    rig: Rig, upstream: FakeUpstream, fault: dict[str, Any]
) -> None:
    """It is remembered for a while: nobody starts to send tens of megabytes every second."""
    upstream.fault(ROOT, **fault)
    mirror = await rig.mirror()

    for _ in range(3):
        with pytest.raises(UpstreamDown) as failure:
            await mirror.project_list(rig.source())
        assert 0 < failure.value.retry_after_seconds <= 60
    asked = upstream.requests[ROOT]
    upstream.faults.clear()
    rig.clock.advance(61)

    assert asked == 1
    assert await listed(mirror, rig.source()) == LINES


async def test_slow_upstream_gives_the_known_list_and_then_the_new_one(
    rig: Rig, upstream: FakeUpstream
) -> None:
    mirror = await rig.mirror(patience_seconds=0.01)
    await listed(mirror, rig.source())
    rig.clock.advance(1800)
    upstream.serials["new"] = 9
    gate = upstream.fault(ROOT, is_gated=True)

    stale = await mirror.project_list(rig.source())
    gate.release()

    assert (lines_of(stale), stale.is_stale) == (LINES, True)
    await eventually(lambda: mirror.fresh_list(rig.source()) is not None, what="the new list came")
    assert await listed(mirror, rig.source()) == "idna 7\nnew 9\nsix 5\n"


async def test_older_list_is_not_believed_unless_serials_are_ignored(
    rig: Rig, upstream: FakeUpstream
) -> None:
    mirror = await rig.mirror()
    await listed(mirror, rig.source())
    upstream.serials = {"six": 5}
    rig.clock.advance(1800)

    older = await mirror.project_list(rig.source())
    rig.clock.advance(61)

    assert (lines_of(older), older.is_stale) == (LINES, False)
    assert await listed(mirror, rig.source(ignores_serials=True)) == "six!\n"


async def test_list_over_the_limit_is_refused(
    rig: Rig, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_fetch, "LIST_BYTES_MAX", 1_000)
    upstream.listing = json.dumps({"projects": [{"name": f"p{number}"} for number in range(100)]}).encode()
    mirror = await rig.mirror()

    with pytest.raises(UpstreamDown, match="larger than 1000 bytes"):
        await mirror.project_list(rig.source())

    assert list((rig.folder / "cache" / "lists").iterdir()) == []


async def test_hanging_upstream_is_given_up_in_time(
    rig: Rig, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_fetch, "LIST_SECONDS", 0.05)
    upstream.fault(ROOT, is_gated=True)

    with pytest.raises(UpstreamDown, match="no complete list"):
        await (await rig.mirror()).project_list(rig.source())


async def test_damaged_list_counts_as_none(rig: Rig, upstream: FakeUpstream) -> None:
    for damage in (b"", b"idna 7\nsix 6\n"):
        mirror = await rig.mirror()
        await listed(mirror, rig.source())
        await rig.close(mirror)
        for path in (rig.folder / "cache" / "lists").glob("*-*"):
            path.write_bytes(damage)
    (rig.folder / "cache" / "lists" / "left.tmp").touch()
    mirror = await rig.mirror()
    upstream.fault(ROOT, status=503)

    with pytest.raises(UpstreamDown):
        await mirror.project_list(rig.source())

    assert not (rig.folder / "cache" / "lists" / "left.tmp").exists()


async def test_cache_deleted_under_a_running_mirror_is_filled_again(rig: Rig, upstream: FakeUpstream) -> None:
    mirror = await rig.mirror()
    await listed(mirror, rig.source())
    shutil.rmtree(rig.folder / "cache" / "lists")
    kept = await listed(mirror, rig.source())
    upstream.serials["new"] = 9
    rig.clock.advance(1800)
    await listed(mirror, rig.source())
    await rig.close(mirror)

    again = await listed(await rig.mirror(), rig.source())

    assert (kept, again, upstream.requests[ROOT]) == (LINES, "idna 7\nnew 9\nsix 5\n", 2)


async def test_only_lists_of_live_sources_are_kept(rig: Rig, upstream: FakeUpstream) -> None:
    """A new generation begins without a list, and a fetch for the old one that is still under way is not kept."""
    mirror = await rig.mirror()
    old, new, other = rig.source(), rig.source(generation=2), rig.source(index_id=8)
    for source in (old, other):
        await listed(mirror, source)
    gone = await mirror.keep_only([new, other])
    gate = upstream.fault(ROOT, is_gated=True)
    client = asyncio.create_task(listed(mirror, old))
    await eventually(lambda: upstream.requests[ROOT] == 3, what="upstream was asked")
    mirror._lists.forget(old.prefix)
    gate.release()

    assert await client == LINES
    assert gone == 1
    assert [mirror.fresh_list(source) is not None for source in (old, new, other)] == [False, False, True]
    assert len(list((rig.folder / "cache" / "lists").glob("*.stamp"))) == 1


class TestNothingAsked:
    @pytest.mark.parametrize("why", ["no-project-list", "offline-node", "no-url"])
    async def test_list_is_that_of_cached_pages(self, rig: Rig, upstream: FakeUpstream, why: str) -> None:
        upstream.add_wheel("six", "1.0")
        online = await rig.mirror()
        await online.page(rig.source(), "six")
        await rig.close(online)
        options: dict[str, dict[str, Any]] = {
            "no-project-list": {"lists_projects": False}, "offline-node": {}, "no-url": {"url": ""},
        }  # fmt: skip
        mirror = await rig.mirror(is_offline=why == "offline-node")
        source = rig.source(**options[why])

        known = await mirror.project_list(source)

        assert (lines_of(known), known.is_stale, upstream.requests[ROOT]) == ("six!\n", False, 0)
        assert mirror.fresh_list(source) is None

    async def test_offline_primary_gives_replicas_none(self, rig: Rig) -> None:
        with pytest.raises(UpstreamOffline):
            await (await rig.mirror(is_offline=True)).issue_list(rig.source())


def hooks(primary: Mirror, *, spoil: bytes = b"") -> ClusterHooks:
    """Return a replica's way to the primary, as the cluster's routes give it."""

    @asynccontextmanager
    async def issuer(source: MirrorSource, known_digest: str | None) -> AsyncIterator[IssuedList]:
        known = await primary.issue_list(source)
        names = known.names

        async def lines() -> AsyncIterator[bytes]:
            if names.digest != known_digest:
                for piece in names.pieces():
                    yield piece + spoil

        yield IssuedList(
            digest=names.digest,
            last_serial=names.last_serial,
            fetched_at=known.fetched_at,
            is_stale=known.is_stale,
            lines=lines(),
        )

    return ClusterHooks(list_issuer=issuer)


class TestReplica:
    async def test_list_comes_from_the_primary_with_the_same_digest(
        self, rig: Rig, upstream: FakeUpstream
    ) -> None:
        primary = await rig.mirror(cache="primary")
        replica = await rig.mirror(cache="replica", cluster=hooks(primary))

        copies = [await replica.project_list(rig.source()) for _ in range(2)]

        known = await primary.project_list(rig.source())
        assert [copy.names.digest for copy in copies] == [known.names.digest] * 2
        assert (lines_of(copies[0]), copies[0].names.last_serial) == (LINES, 7)
        assert (upstream.requests[ROOT], replica.counters.lists_from_primary) == (1, 1)

    async def test_unchanged_list_is_not_sent_again(self, rig: Rig, upstream: FakeUpstream) -> None:
        primary = await rig.mirror(cache="primary")
        replica = await rig.mirror(cache="replica", cluster=hooks(primary))
        await replica.project_list(rig.source())
        rig.clock.advance(1799)

        known = await replica.project_list(rig.source())
        again = await replica.project_list(rig.source())

        assert (lines_of(known), again.names is known.names) == (LINES, True)
        assert upstream.requests[ROOT] == 1

    async def test_stale_list_of_the_primary_is_stale_here(self, rig: Rig, upstream: FakeUpstream) -> None:
        primary = await rig.mirror(cache="primary")
        await primary.project_list(rig.source())
        rig.clock.advance(1800)
        upstream.fault(ROOT, status=503)
        replica = await rig.mirror(cache="replica", cluster=hooks(primary))

        for _ in range(2):
            known = await replica.project_list(rig.source())
            assert (lines_of(known), known.is_stale) == (LINES, True)
        assert upstream.requests[ROOT] == 2

    @pytest.mark.parametrize("trouble", ["away", "spoiled"])
    async def test_upstream_is_asked_when_the_primary_is_no_help(
        self, rig: Rig, upstream: FakeUpstream, trouble: str
    ) -> None:
        primary = await rig.mirror(cache="primary")
        cluster = hooks(primary, spoil=b"x!\n")
        if trouble == "away":

            @asynccontextmanager
            async def away(_source: MirrorSource, _known: str | None) -> AsyncIterator[IssuedList]:
                raise PrimaryUnreachable("refused")
                yield

            cluster = ClusterHooks(list_issuer=away)
        replica = await rig.mirror(cache="replica", cluster=cluster)

        assert await listed(replica, rig.source()) == LINES
        assert replica.counters.list_fetches == 1
        assert upstream.requests[ROOT] == (1 if trouble == "away" else 2)
