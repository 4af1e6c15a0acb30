from __future__ import annotations

import asyncio
import gzip
import socket
from typing import TYPE_CHECKING

import aiohttp.resolver
import pytest
from aiohttp import web

from node.mirror.answers import Missing, NotModified, Page
from node.mirror.errors import RangeUnsupported, UpstreamDown, UpstreamForbiddenAddress, UpstreamOffline
from node.mirror.source import MirrorSource
from node.mirror.upstream import ACCEPT_PAGE, Upstream, UpstreamOptions
from tests.helpers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.helpers.upstream import FakeUpstream


@pytest.fixture
async def client() -> AsyncIterator[Upstream]:
    options = UpstreamOptions(user_agent="wheelyard/9", page_seconds=0.5, page_bytes_max=100_000)
    async with Upstream(options) as client:
        yield client


def source_of(url: str, **options: object) -> MirrorSource:
    return MirrorSource(index_id=1, generation=1, url=url, name="root/pypi", **options)  # type: ignore[arg-type]


async def test_page_is_asked_for_as_installers_ask(client: Upstream, upstream: FakeUpstream) -> None:
    upstream.add_sdist("six", "1.0")

    answer = await client.fetch_page(source_of(upstream.url), "six")

    assert isinstance(answer, Page)
    assert answer.url == f"{upstream.url}six/"
    assert upstream.heads[0]["Accept"] == ACCEPT_PAGE
    assert upstream.heads[0]["User-Agent"] == "wheelyard/9"


async def test_validators_make_the_request_conditional(client: Upstream, upstream: FakeUpstream) -> None:
    upstream.add_sdist("six", "1.0")
    upstream.has_etag = True
    source = source_of(upstream.url)
    first = await client.fetch_page(source, "six")
    assert isinstance(first, Page)

    second = await client.fetch_page(source, "six", first.validators)

    assert second == NotModified()
    assert upstream.heads[1]["If-None-Match"] == first.validators.etag


@pytest.mark.parametrize("status", [404, 410])
async def test_missing_project_is_an_answer(client: Upstream, upstream: FakeUpstream, status: int) -> None:
    upstream.fault("/simple/six/", status=status)

    assert await client.fetch_page(source_of(upstream.url), "six") == Missing()


@pytest.mark.parametrize("status", [204, 304, 400, 401, 403, 429, 500, 502, 503])
async def test_any_other_status_is_an_outage(client: Upstream, upstream: FakeUpstream, status: int) -> None:
    upstream.fault("/simple/six/", status=status, headers={"Retry-After": "17"})

    with pytest.raises(UpstreamDown) as down:
        await client.fetch_page(source_of(upstream.url), "six")

    assert down.value.retry_after_seconds == 17
    assert str(status) in down.value.detail


async def test_hanging_upstream_is_given_up_in_time(client: Upstream, upstream: FakeUpstream) -> None:
    upstream.add_sdist("six", "1.0")
    upstream.fault("/simple/six/", after_bytes=10)

    with pytest.raises(UpstreamDown):
        await client.fetch_page(source_of(upstream.url), "six")


async def test_refused_connection_is_an_outage(client: Upstream, upstream: FakeUpstream) -> None:
    await upstream.stop()

    with pytest.raises(UpstreamDown):
        await client.fetch_page(source_of(upstream.url), "six")


async def test_truncated_page_is_an_outage(client: Upstream, upstream: FakeUpstream) -> None:
    upstream.add_sdist("six", "1.0")
    upstream.fault("/simple/six/", body=b'{"files": [')

    with pytest.raises(UpstreamDown):
        await client.fetch_page(source_of(upstream.url), "six")


async def test_page_over_the_limit_is_refused_also_when_compressed(
    client: Upstream, upstream: FakeUpstream
) -> None:
    bomb = gzip.compress(bytes(200_000))
    upstream.pages["six"] = lambda: web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    with pytest.raises(UpstreamDown, match="larger"):
        await client.fetch_page(source_of(upstream.url), "six")


async def test_offline_source_is_not_asked(client: Upstream, upstream: FakeUpstream) -> None:
    with pytest.raises(UpstreamOffline):
        await client.fetch_page(source_of(upstream.url, is_offline=True), "six")

    assert not upstream.requests


class TestLinkLocal:
    @pytest.mark.parametrize(
        "host", ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "2852039166"]
    )
    async def test_literal_is_never_asked(self, client: Upstream, host: str) -> None:
        with pytest.raises(UpstreamForbiddenAddress):
            await client.fetch_page(source_of(f"http://{host}/simple/"), "six")

    async def test_name_that_resolves_there_is_never_asked(
        self, client: Upstream, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def resolve(_self: object, host: str, port: int = 0, **_: object) -> list[dict[str, object]]:
            return [
                {
                    "hostname": host,
                    "host": "169.254.169.254",
                    "port": port,
                    "family": socket.AF_INET,
                    "proto": 0,
                    "flags": 0,
                }
            ]

        monkeypatch.setattr(aiohttp.resolver.DefaultResolver, "resolve", resolve)

        with pytest.raises(UpstreamForbiddenAddress) as refused:
            await client.fetch_page(source_of("http://innocent.test/simple/"), "six")

        assert refused.value.host == "169.254.169.254"

    async def test_redirect_leads_nowhere_near(self, client: Upstream, upstream: FakeUpstream) -> None:
        upstream.fault(
            "/simple/six/", status=302, headers={"Location": "http://169.254.169.254/latest/meta-data/"}
        )

        with pytest.raises(UpstreamForbiddenAddress):
            await client.fetch_page(source_of(upstream.url), "six")


class TestRedirects:
    async def test_page_is_relative_to_where_it_came_from(
        self, client: Upstream, upstream: FakeUpstream
    ) -> None:
        upstream.add_sdist("new", "1.0")
        upstream.fault("/simple/six/", status=301, headers={"Location": "../new/"})

        answer = await client.fetch_page(source_of(upstream.url), "six")

        assert isinstance(answer, Page)
        assert answer.url == f"{upstream.url}new/"

    @pytest.mark.parametrize(
        "location", ["/simple/six/", "ftp://a.test/", "http://[bad"], ids=["loop", "ftp", "no-url"]
    )
    async def test_useless_redirect_is_an_outage(
        self, client: Upstream, upstream: FakeUpstream, location: str
    ) -> None:
        upstream.fault("/simple/six/", status=302, headers={"Location": location})

        with pytest.raises(UpstreamDown):
            await client.fetch_page(source_of(upstream.url), "six")

    async def test_credentials_stay_with_their_host(self, client: Upstream, upstream: FakeUpstream) -> None:
        upstream.add_sdist("six", "1.0")
        other = upstream.url.replace("127.0.0.1", "localhost")
        upstream.fault("/simple/first/", status=302, headers={"Location": f"{other}six/"})
        source = source_of(upstream.url.replace("//", "//me:secret@"))

        await client.fetch_page(source, "first")

        assert [head.get("Authorization") for head in upstream.heads] == ["Basic bWU6c2VjcmV0", None]


class TestRange:
    async def test_part_comes_with_the_whole_size(self, client: Upstream, upstream: FakeUpstream) -> None:
        file = upstream.add_wheel("six", "1.0")
        url = upstream.base + file.path

        part = await client.fetch_range(source_of(upstream.url), url, "bytes=-10", filename="x", bytes_max=10)

        assert (part.body, part.start, part.total_bytes) == (
            file.content[-10:],
            len(file.content) - 10,
            len(file.content),
        )

    async def test_server_that_ignores_ranges_is_found_out(
        self, client: Upstream, upstream: FakeUpstream
    ) -> None:
        file = upstream.add_wheel("six", "1.0")
        upstream.has_ranges = False

        with pytest.raises(RangeUnsupported) as refused:
            await client.fetch_range(
                source_of(upstream.url), upstream.base + file.path, "bytes=0-9", filename="x", bytes_max=10
            )

        assert refused.value.status == 200


async def test_cancelled_request_stays_cancelled(client: Upstream, upstream: FakeUpstream) -> None:
    upstream.fault("/simple/six/", is_gated=True)
    task = asyncio.create_task(client.fetch_page(source_of(upstream.url), "six"))
    await eventually(lambda: upstream.requests, what="upstream was asked")

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
