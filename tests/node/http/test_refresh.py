"""``POST .../refresh``: what devpi's client says afterwards is true."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.helpers.app import JSON, App, running_app
from tests.helpers.distributions import wheel_name
from tests.helpers.nodes import basic, fetch_json, login, running_cluster
from tests.helpers.upstream import FakeUpstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PAGE = "/root/dev/+simple/six/"


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as upstream:
        upstream.add_wheel("six", "1.0")
        yield upstream


@pytest.fixture
async def app(tmp_path: Path, upstream: FakeUpstream) -> AsyncIterator[App]:
    async with running_app(tmp_path / "data", upstream=upstream) as app:
        yield app


async def test_refresh_is_answered_when_upstream_was_asked(app: App, upstream: FakeUpstream) -> None:
    await app.page("six")

    answer = await app.ask(PAGE + "refresh", method="POST")

    assert (answer.status, answer.headers["location"]) == (302, "../six/")
    assert upstream.requests["/simple/six/"] == 2


async def test_refresh_is_502_and_keeps_the_page_when_upstream_fails(
    app: App, upstream: FakeUpstream
) -> None:
    before = await app.page("six")
    upstream.fault("/simple/six/", status=500)

    answer = await app.ask(PAGE + "refresh", method="POST")

    assert answer.status == 502
    assert answer.reason == "upstream cannot be asked for six now, its page is as old as before"
    assert answer.headers["retry-after"].isdecimal()
    assert await app.page("six") == before


async def test_refresh_of_a_project_that_nobody_has_is_404(app: App) -> None:
    answer = await app.ask("/root/dev/+simple/seven/refresh", method="POST")

    assert (answer.status, answer.reason) == (404, "The project seven does not exist.")


async def test_refresh_asks_nobody_for_a_hosted_project(app: App, upstream: FakeUpstream) -> None:
    await app.upload_wheel("thing", "1.0")

    answer = await app.ask("/root/dev/+simple/thing/refresh", method="POST")

    assert answer.status == 302
    assert upstream.requests == {}


async def test_refresh_through_a_replica_shows_there_at_once(tmp_path: Path, upstream: FakeUpstream) -> None:
    """Both nodes have the page; the replica passes the refresh on, and drops its own copy as well."""
    with running_cluster(tmp_path, replicas=1, options=("--no-root-pypi",)) as cluster:
        headers = basic("root", login(cluster.primary.url))
        mirror = {"type": "mirror", "mirror_url": upstream.url}
        fetch_json(cluster.primary.url + "/root/mirror", method="PUT", body=mirror, headers=headers)
        cluster.wait_until_equal()
        page = cluster.replicas[0].url + "/root/mirror/+simple/six/"
        async with aiohttp.ClientSession() as session:

            async def names() -> list[str]:
                async with session.get(page, headers={"Accept": JSON}) as answer:
                    return [file["filename"] for file in (await answer.json(content_type=JSON))["files"]]

            assert await names() == [wheel_name("six", "1.0")]
            upstream.add_wheel("six", "1.1")

            async with session.post(page + "refresh", allow_redirects=False) as answer:
                assert answer.status == 302

            assert await names() == [wheel_name("six", "1.0"), wheel_name("six", "1.1")]
        await asyncio.to_thread(cluster.check)
