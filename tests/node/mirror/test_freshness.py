"""``mirror_cache_expiry`` and ``mirror_ignore_serial_header``: what is believed, and that a change acts at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from node.mirror.cluster import ClusterHooks
from tests.helpers.app import JSON, running_app
from tests.helpers.upstream import FakeUpstream

if TYPE_CHECKING:
    from pathlib import Path

    from tests.node.mirror.rig import Rig

PATH = "/simple/six/"


@pytest.mark.parametrize("seconds", [0, -5])
async def test_page_is_asked_for_each_time_without_expiry(
    rig: Rig, upstream: FakeUpstream, seconds: int
) -> None:
    upstream.add_wheel("six", "1.0")
    mirror = await rig.mirror()
    source = rig.source(cache_expiry_seconds=seconds)

    for _ in range(3):
        assert await mirror.page(source, "six") is not None

    assert upstream.requests[PATH] == 3


async def test_replica_without_expiry_asks_the_primary_each_time(rig: Rig, upstream: FakeUpstream) -> None:
    upstream.add_wheel("six", "1.0")
    primary = await rig.mirror(cache="primary")
    replica = await rig.mirror(cache="replica", cluster=ClusterHooks(issuer=primary.issue))
    source = rig.source(cache_expiry_seconds=0)

    for _ in range(3):
        await replica.page(source, "six")

    assert replica.counters.pages_from_primary == 3


async def test_shorter_expiry_acts_at_once(rig: Rig, upstream: FakeUpstream) -> None:
    upstream.add_wheel("six", "1.0")
    mirror = await rig.mirror()
    await mirror.page(rig.source(), "six")
    rig.clock.advance(100)
    await mirror.page(rig.source(), "six")
    asked_before = upstream.requests[PATH]

    await mirror.page(rig.source(cache_expiry_seconds=60), "six")
    asked_after = upstream.requests[PATH]
    await mirror.page(rig.source(cache_expiry_seconds=60), "six")

    assert (asked_before, asked_after, upstream.requests[PATH]) == (1, 2, 2)


async def test_longer_expiry_acts_at_once(rig: Rig, upstream: FakeUpstream) -> None:
    upstream.add_wheel("six", "1.0")
    mirror = await rig.mirror()
    await mirror.page(rig.source(cache_expiry_seconds=60), "six")
    rig.clock.advance(100)

    await mirror.page(rig.source(cache_expiry_seconds=600), "six")

    assert upstream.requests[PATH] == 1


async def older_page(rig: Rig, upstream: FakeUpstream, **options: Any) -> list[tuple[str, ...]]:
    """Return the versions of a page before and after upstream went back to an earlier serial."""
    upstream.add_wheel("six", "1.0")
    upstream.add_wheel("six", "2.0")
    mirror = await rig.mirror()
    source = rig.source(**options)
    first = await mirror.page(source, "six")
    upstream.files.popitem()
    upstream.serials["six"] = 7
    rig.clock.advance(1800)
    second = await mirror.page(source, "six")
    assert first is not None
    assert second is not None
    return [first.versions, second.versions]


async def test_older_page_is_not_believed(rig: Rig, upstream: FakeUpstream) -> None:
    assert await older_page(rig, upstream) == [("1.0", "2.0"), ("1.0", "2.0")]


async def test_older_page_replaces_the_cached_one_when_serials_are_ignored(
    rig: Rig, upstream: FakeUpstream
) -> None:
    assert await older_page(rig, upstream, ignores_serials=True) == [("1.0", "2.0"), ("1.0",)]


async def test_ignored_serials_are_not_passed_on(rig: Rig, upstream: FakeUpstream) -> None:
    """The record is the same whether or not its node saw a greater serial before, so digests stay equal."""
    upstream.add_wheel("six", "1.0")
    source = rig.source(ignores_serials=True)
    pages = []
    for cache, serial in (("one", 5), ("other", 900)):
        upstream.serials["six"] = serial
        pages.append(await (await rig.mirror(cache=cache)).page(source, "six"))

    assert [page.last_serial if page else 0 for page in pages] == [None, None]
    assert len({page.digest for page in pages if page is not None}) == 1


async def test_changed_options_reach_pages_that_are_kept(tmp_path: Path) -> None:
    """The page is in memory and finished; each change of the index shows with the next request."""
    async with FakeUpstream() as upstream, running_app(tmp_path / "data", upstream=upstream) as app:
        upstream.add_wheel("six", "1.0")
        upstream.add_wheel("six", "2.0")
        for _ in range(3):
            await app.page("six")
        upstream.files.popitem()
        upstream.serials["six"] = 7
        await app.page("six")
        asked_before = upstream.requests[PATH]

        await app.change_index("root/pypi", mirror_cache_expiry="0")
        not_believed = (await app.page("six"))["versions"]
        await app.change_index("root/pypi", mirror_ignore_serial_header="yes")
        answer = await app.ask("/root/pypi/+simple/six/", headers={"Accept": JSON})

        assert (asked_before, not_believed, answer.json()["versions"]) == (1, ["1.0", "2.0"], ["1.0"])
        assert "_last-serial" not in answer.json()["meta"]
        assert "x-pypi-last-serial" not in answer.headers


@pytest.mark.parametrize("what", ["page", "list"])
async def test_refresh_at_the_very_moment_of_a_request_does_no_harm(
    rig: Rig, upstream: FakeUpstream, what: str
) -> None:
    """The fetch was decided on and has not taken its first step when everything of its source is forgotten."""
    upstream.add_wheel("six", "1.0")
    mirror = await rig.mirror()
    source = rig.source()
    asked = mirror.page(source, "six") if what == "page" else mirror.project_list(source)
    client: asyncio.Task[Any] = asyncio.ensure_future(asked)
    service = mirror._pages if what == "page" else mirror._lists
    asyncio.get_running_loop().call_soon(service.forget, source.prefix)

    assert await client is not None


async def test_requests_at_the_same_moment_share_one_answer_without_expiry(
    rig: Rig, upstream: FakeUpstream
) -> None:
    upstream.add_wheel("six", "1.0")
    gate = upstream.fault(PATH, is_gated=True)
    mirror = await rig.mirror()
    source = rig.source(cache_expiry_seconds=0)
    clients = [asyncio.create_task(mirror.page(source, "six")) for _ in range(20)]

    gate.release()
    await asyncio.gather(*clients)

    assert upstream.requests[PATH] == 1
