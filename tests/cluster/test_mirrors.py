"""Mirrors on a replica: lists and core metadata by way of the primary, and without it when it is gone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.cluster.conftest import make_index
from tests.helpers.app import JSON
from tests.helpers.distributions import metadata_text
from tests.helpers.nodes import ClusterProcesses, NodeProcess, basic, fetch_json, login, running_cluster
from tests.helpers.upstream import FakeUpstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWN, OVER = "/root/pypi/+simple/", "/root/dev/+simple/"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


async def get(node: NodeProcess, path: str) -> Answer:
    async with (
        aiohttp.ClientSession(headers={"Accept": JSON}) as session,
        session.get(node.url + path, allow_redirects=False) as answer,
    ):
        lowered = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status, lowered, await answer.read())


@pytest.fixture
def online(tmp_path: Path) -> Iterator[ClusterProcesses]:
    """A primary and a replica that may ask upstreams, of which there is none yet."""
    with running_cluster(tmp_path, replicas=1, options=("--no-root-pypi",)) as running:
        yield running


async def test_replica_asks_the_primary_and_helps_itself_when_it_is_gone(online: ClusterProcesses) -> None:
    """Ask the replica first; the primary asks upstream for it, once. Then kill the primary, and ask anew.

    The fake upstream lives in this process, so what blocks runs in threads.
    """
    primary, replica = online.nodes
    token = await asyncio.to_thread(login, primary.url)
    async with FakeUpstream() as upstream:
        file = upstream.add_wheel("six", "1.16", payload_bytes=300_000)
        options = {"mirror_url": upstream.url, "mirror_use_external_urls": True}
        await asyncio.to_thread(fetch_json, f"{primary.url}/root/pypi", method="PUT",
                                body={"type": "mirror", **options}, headers=basic("root", token))  # fmt: skip
        await asyncio.to_thread(make_index, primary, "dev", token, bases=["root/pypi"])
        await asyncio.to_thread(online.wait_until_equal)

        lists = {path: [await get(node, path) for node in (replica, primary)] for path in (OWN, OVER)}
        asked_for_lists = upstream.requests["/simple/"]
        page = await get(replica, "/root/pypi/+simple/six/")
        path = f"/root/pypi/+f/{file.sha256[:3]}/{file.sha256[3:16]}/{file.filename}"
        redirects = [await get(node, path) for node in (replica, primary)]
        metadata = await get(replica, f"{path}.metadata")

        for path, answers in lists.items():
            assert [answer.status for answer in answers] == [200, 200], path
            assert len({answer.body for answer in answers}) == 1
            assert len({answer.headers["etag"] for answer in answers}) == 1
            assert b'"six"' in answers[0].body
        assert asked_for_lists == 1
        assert page.status == 200
        assert [(answer.status, answer.headers["location"]) for answer in redirects] == [
            (302, upstream.base + file.path)
        ] * 2
        assert metadata.body == metadata_text("six", "1.16")
        assert upstream.sent_bytes[file.path] < len(file.content)

        await asyncio.to_thread(fetch_json, f"{primary.url}/root/pypi", method="PATCH",
                                body={"mirror_cache_expiry": 0}, headers=basic("root", token))  # fmt: skip
        await asyncio.to_thread(online.wait_until_equal)
        await asyncio.to_thread(primary.kill)
        upstream.serials["newer"] = 900
        alone = await get(replica, OWN)
        await upstream.stop()
        stale = await get(replica, OWN)

        assert (alone.status, "warning" in alone.headers, b'"newer"' in alone.body) == (200, False, True)
        assert (stale.status, stale.headers["warning"][:3], stale.body) == (200, "110", alone.body)
        assert upstream.requests["/simple/"] == 2
    await asyncio.to_thread(primary.start)
    await asyncio.to_thread(online.check)
