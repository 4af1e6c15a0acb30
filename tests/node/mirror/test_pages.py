from __future__ import annotations

import asyncio
import json
import shutil
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from node.mirror.errors import UpstreamDown
from node.mirror.memory import ABSENT
from node.mirror.parse import parse_page
from tests.helpers.upstream import JSON_TYPE
from tests.helpers.waiting import eventually

if TYPE_CHECKING:
    from node.mirror.page import MirrorPage
    from tests.helpers.upstream import FakeUpstream
    from tests.node.mirror.rig import Rig

PATH = "/simple/six/"


def must(page: MirrorPage | None) -> MirrorPage:
    assert page is not None
    return page


async def test_page_is_complete_although_upstream_is_plain(rig: Rig, upstream: FakeUpstream) -> None:
    file = upstream.add_wheel("six", "1.0")
    mirror = await rig.mirror()

    page = must(await mirror.page(rig.source(), "six"))

    assert (page.project, page.versions, page.last_serial, page.is_stale) == ("six", ("1.0",), 101, False)
    assert page.files[0].size == len(file.content)
    assert page.files[0].hashes == {"sha256": file.sha256}
    assert page.files[0].upload_time == "2024-01-02T03:04:05.678901Z"


async def test_html_upstream_gives_a_page(rig: Rig, upstream: FakeUpstream) -> None:
    file = upstream.add_wheel("six", "1.0")
    upstream.style = "html"
    mirror = await rig.mirror()

    page = must(await mirror.page(rig.source(), "six"))

    assert (page.files[0].url, page.files[0].hashes) == (upstream.base + file.path, {"sha256": file.sha256})


async def test_fifty_clients_make_one_request(rig: Rig, upstream: FakeUpstream) -> None:
    upstream.add_wheel("six", "1.0")
    gate = upstream.fault(PATH, is_gated=True)
    mirror = await rig.mirror()
    clients = [asyncio.create_task(mirror.page(rig.source(), "six")) for _ in range(50)]
    await eventually(lambda: upstream.requests[PATH], what="upstream was asked")

    gate.release()
    pages = await asyncio.gather(*clients)

    assert upstream.requests[PATH] == 1
    assert len({must(page).digest for page in pages}) == 1


@pytest.mark.parametrize("patience_seconds", [5, 0], ids=["in-time", "after-its-patience"])
async def test_client_that_goes_away_takes_no_fetch_along(
    rig: Rig, upstream: FakeUpstream, patience_seconds: float
) -> None:
    upstream.add_wheel("six", "1.0")
    gate = upstream.fault(PATH, is_gated=True)
    mirror = await rig.mirror(patience_seconds=patience_seconds)
    client = asyncio.create_task(mirror.page(rig.source(), "six"))
    await eventually(lambda: upstream.requests[PATH], what="upstream was asked")

    client.cancel()
    await asyncio.wait({client})
    gate.release()

    await eventually(lambda: mirror.fresh_page(rig.source(), "six") is not ABSENT, what="the page arrived")
    assert upstream.requests[PATH] == 1


async def test_page_is_asked_once_per_expiry(rig: Rig, upstream: FakeUpstream) -> None:
    upstream.add_wheel("six", "1.0")
    mirror = await rig.mirror()
    source = rig.source(cache_expiry_seconds=600)
    for seconds in (0, 300, 299):
        rig.clock.advance(seconds)
        await mirror.page(source, "six")
    asked_within = upstream.requests[PATH]

    rig.clock.advance(1)
    await mirror.page(source, "six")

    assert (asked_within, upstream.requests[PATH]) == (1, 2)


async def test_confirmed_page_is_fresh_again_also_after_a_restart(rig: Rig, upstream: FakeUpstream) -> None:
    upstream.add_wheel("six", "1.0")
    upstream.has_etag = True
    mirror = await rig.mirror()
    first = must(await mirror.page(rig.source(), "six"))
    rig.clock.advance(1800)
    second = must(await mirror.page(rig.source(), "six"))
    await rig.close(mirror)
    again = await rig.mirror()
    rig.clock.advance(1799)

    third = must(await again.page(rig.source(), "six"))

    assert mirror.counters.page_not_modified == 1
    assert upstream.requests[PATH] == 2
    assert second == replace(first, fetched_at=first.fetched_at + 1800)
    assert third == second


async def test_change_upstream_appears_after_expiry(rig: Rig, upstream: FakeUpstream) -> None:
    file = upstream.add_wheel("six", "1.0")
    upstream.has_etag = True
    mirror = await rig.mirror()
    first = must(await mirror.page(rig.source(), "six"))
    file.extra["yanked"] = "broken"
    rig.clock.advance(1800)

    second = must(await mirror.page(rig.source(), "six"))

    assert second.files == (replace(first.files[0], yanked="broken"),)
    assert second.digest != first.digest


async def test_missing_project_is_remembered_for_a_minute(rig: Rig, upstream: FakeUpstream) -> None:
    mirror = await rig.mirror()
    assert await mirror.page(rig.source(), "six") is None
    rig.clock.advance(59)
    assert await mirror.page(rig.source(), "six") is None
    assert mirror.fresh_page(rig.source(), "six") is None
    asked_within = upstream.requests[PATH]
    upstream.add_wheel("six", "1.0")

    rig.clock.advance(1)

    assert mirror.fresh_page(rig.source(), "six") is ABSENT
    assert must(await mirror.page(rig.source(), "six")).versions == ("1.0",)
    assert (asked_within, upstream.requests[PATH]) == (1, 2)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_outage_gives_the_cached_page_marked_stale(
    rig: Rig, upstream: FakeUpstream, status: int
) -> None:
    upstream.add_wheel("six", "1.0")
    mirror = await rig.mirror()
    first = must(await mirror.page(rig.source(), "six"))
    upstream.fault(PATH, status=status)
    rig.clock.advance(1800)

    stale = must(await mirror.page(rig.source(), "six"))

    assert stale == replace(first, is_stale=True)
    assert mirror.fresh_page(rig.source(), "six") == stale


async def test_stale_page_is_replaced_soon_after_the_outage(rig: Rig, upstream: FakeUpstream) -> None:
    upstream.add_wheel("six", "1.0")
    mirror = await rig.mirror()
    await mirror.page(rig.source(), "six")
    upstream.fault(PATH, status=500)
    rig.clock.advance(1800)
    await mirror.page(rig.source(), "six")
    del upstream.faults[PATH]

    rig.clock.advance(60)

    assert not must(await mirror.page(rig.source(), "six")).is_stale


async def test_outage_without_cached_page_is_an_error_and_never_missing(
    rig: Rig, upstream: FakeUpstream
) -> None:
    upstream.fault(PATH, status=503, headers={"Retry-After": "12"})
    mirror = await rig.mirror()

    with pytest.raises(UpstreamDown) as down:
        await mirror.page(rig.source(), "six")

    assert down.value.retry_after_seconds == 12
    assert "root/pypi" in str(down.value)


async def test_slow_upstream_gives_the_stale_page_and_then_the_new_one(
    rig: Rig, upstream: FakeUpstream
) -> None:
    upstream.add_wheel("six", "1.0")
    mirror = await rig.mirror(patience_seconds=0.05)
    await mirror.page(rig.source(), "six")
    upstream.add_wheel("six", "2.0")
    gate = upstream.fault(PATH, is_gated=True)
    rig.clock.advance(1800)

    stale = must(await mirror.page(rig.source(), "six"))
    gate.release()

    assert (stale.is_stale, stale.versions) == (True, ("1.0",))
    await eventually(
        lambda: mirror.fresh_digest(rig.source(), "six") not in {ABSENT, stale.digest},
        what="the new page came",
    )
    assert must(await mirror.page(rig.source(), "six")).versions == ("1.0", "2.0")


async def test_one_failure_spares_other_cached_pages_the_wait(rig: Rig, upstream: FakeUpstream) -> None:
    for name in ("six", "idna"):
        upstream.add_wheel(name, "1.0")
    mirror = await rig.mirror()
    for name in ("six", "idna"):
        await mirror.page(rig.source(), name)
    upstream.fault(PATH, status=500)
    rig.clock.advance(1800)
    await mirror.page(rig.source(), "six")

    idna = must(await mirror.page(rig.source(), "idna"))

    assert idna.is_stale
    assert upstream.requests["/simple/idna/"] == 1


async def test_older_serial_keeps_the_newer_page(rig: Rig, upstream: FakeUpstream) -> None:
    upstream.add_wheel("six", "1.0")
    upstream.add_wheel("six", "2.0")
    mirror = await rig.mirror()
    first = must(await mirror.page(rig.source(), "six"))
    upstream.serials["six"] = 50
    upstream.files.popitem()
    rig.clock.advance(1800)

    second = must(await mirror.page(rig.source(), "six"))

    assert second == first
    assert mirror.counters.page_older == 1


async def test_project_removed_upstream_is_missing_and_stays_so_in_an_outage(
    rig: Rig, upstream: FakeUpstream
) -> None:
    upstream.add_wheel("six", "1.0")
    mirror = await rig.mirror()
    await mirror.page(rig.source(), "six")
    upstream.fault(PATH, status=404)
    rig.clock.advance(1800)
    assert await mirror.page(rig.source(), "six") is None
    upstream.fault(PATH, status=500)
    rig.clock.advance(60)

    with pytest.raises(UpstreamDown):
        await mirror.page(rig.source(), "six")


async def test_refresh_asks_again_at_once_also_after_a_restart(rig: Rig, upstream: FakeUpstream) -> None:
    upstream.add_wheel("six", "1.0")
    mirror = await rig.mirror()
    await mirror.page(rig.source(), "six")
    await mirror.refresh(rig.source(), "six")
    assert mirror.fresh_page(rig.source(), "six") is ABSENT
    await rig.close(mirror)
    again = await rig.mirror()

    await again.page(rig.source(), "six")
    await again.page(rig.source(), "six")

    assert upstream.requests[PATH] == 2


async def test_fetch_begun_before_a_refresh_does_not_count(rig: Rig, upstream: FakeUpstream) -> None:
    upstream.add_wheel("six", "1.0")
    gate = upstream.fault(PATH, is_gated=True)
    mirror = await rig.mirror()
    before = asyncio.create_task(mirror.page(rig.source(), "six"))
    await eventually(lambda: upstream.requests[PATH], what="upstream was asked")

    await mirror.refresh(rig.source(), "six")
    gate.release()
    await before

    assert mirror.fresh_page(rig.source(), "six") is ABSENT


async def test_pages_survive_a_restart(rig: Rig, upstream: FakeUpstream) -> None:
    upstream.add_wheel("six", "1.0")
    mirror = await rig.mirror()
    first = await mirror.page(rig.source(), "six")
    await rig.close(mirror)
    await upstream.stop()

    again = await rig.mirror()

    assert await again.page(rig.source(), "six") == first
    assert again.projects(rig.source()) == ["six"]


async def test_deleted_cache_is_filled_again(rig: Rig, upstream: FakeUpstream) -> None:
    upstream.add_wheel("six", "1.0")
    mirror = await rig.mirror()
    first = must(await mirror.page(rig.source(), "six"))
    await rig.close(mirror)
    shutil.rmtree(rig.folder / "cache")

    again = must(await (await rig.mirror()).page(rig.source(), "six"))

    assert again == first
    assert upstream.requests[PATH] == 2


async def test_another_generation_shares_nothing(rig: Rig, upstream: FakeUpstream) -> None:
    upstream.add_wheel("six", "1.0")
    mirror = await rig.mirror()
    await mirror.page(rig.source(), "six")

    assert mirror.fresh_page(rig.source(generation=2), "six") is ABSENT
    assert mirror.projects(rig.source(generation=2)) == []
    assert mirror.projects(rig.source(index_id=8)) == []


async def test_only_live_sources_are_kept(rig: Rig, upstream: FakeUpstream) -> None:
    upstream.add_wheel("six", "1.0")
    mirror = await rig.mirror()
    for generation in (1, 2):
        await mirror.page(rig.source(generation=generation), "six")

    dropped = await mirror.keep_only([rig.source(generation=2)])

    assert dropped == 1
    assert mirror.projects(rig.source(generation=1)) == []
    assert mirror.fresh_page(rig.source(generation=1), "six") is ABSENT
    assert mirror.projects(rig.source(generation=2)) == ["six"]


@pytest.mark.parametrize("name", ["", "..", "a/b", "six?x", "sïx", "-", "x" * 300])
async def test_impossible_name_is_missing_and_never_asked(
    rig: Rig, upstream: FakeUpstream, name: str
) -> None:
    mirror = await rig.mirror()

    assert await mirror.page(rig.source(), name) is None
    assert not upstream.requests


async def test_garbage_instead_of_a_page_is_an_outage(rig: Rig, upstream: FakeUpstream) -> None:
    upstream.pages["six"] = lambda: web.Response(body=b"{", content_type=JSON_TYPE)
    mirror = await rig.mirror()

    with pytest.raises(UpstreamDown):
        await mirror.page(rig.source(), "six")


async def test_page_of_five_thousand_files_is_complete_and_read_back(
    rig: Rig, upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [
        {
            "filename": f"six-1.{number}.tar.gz",
            "url": f"https://files.test/packages/aa/bb/{'0' * 60}/six-1.{number}.tar.gz",
            "hashes": {"sha256": f"{number:064x}"},
            "size": number,
            "upload-time": "2024-01-02T03:04:05.678901Z",
            "yanked": False,
        }
        for number in range(5_000)
    ]
    body = json.dumps({"meta": {"api-version": "1.1"}, "name": "six", "files": files}).encode()
    upstream.pages["six"] = lambda: web.Response(body=body, content_type=JSON_TYPE)
    mirror = await rig.mirror()
    threads: list[threading.Thread] = []

    def parse_noting_thread(*arguments: Any, **keywords: Any) -> MirrorPage:
        threads.append(threading.current_thread())
        return parse_page(*arguments, **keywords)

    monkeypatch.setattr("node.mirror.pages.parse_page", parse_noting_thread)

    page = must(await mirror.page(rig.source(), "six"))
    await rig.close(mirror)
    again = await (await rig.mirror()).page(rig.source(), "six")

    assert (len(page.files), len(page.versions)) == (5_000, 5_000)
    assert again == page
    assert threading.main_thread() not in threads  # the event loop went on meanwhile
