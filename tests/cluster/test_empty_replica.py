"""A replica before its first entry: it knows nothing, and must not say that there is nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.cluster.conftest import OPTIONS
from tests.helpers.nodes import free_port, running_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.helpers.nodes import ClusterProcesses, NodeProcess

LOGIN = {"user": "root", "password": ""}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[ClusterProcesses]:
    with running_cluster(tmp_path, replicas=0, options=OPTIONS) as running:
        yield running


async def ask(node: NodeProcess, method: str, path: str) -> tuple[int, str | None]:
    """Return status and Retry-After."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, node.url + path, json=LOGIN, allow_redirects=False) as answer,
    ):
        return answer.status, answer.headers.get("Retry-After")


@pytest.mark.parametrize("options", [(), ("--require-login",)], ids=["open", "require-login"])
async def test_empty_replica_tells_clients_to_come_back(
    cluster: ClusterProcesses, options: tuple[str, ...]
) -> None:
    """Its primary is not there; then it is, and the same replica answers. Installers would take 404 for an answer."""
    replica = cluster.new_replica(
        "lost", "--offline", *options, primary_url=f"http://127.0.0.1:{free_port()}"
    )
    await asyncio.to_thread(replica.start)
    try:
        asked = [
            ("GET", "/root/dev/+simple/thing/"),
            ("GET", "/root/dev/+f/abc/0123456789abc/thing-1.0-py3-none-any.whl"),
            ("GET", "/root/dev"),
            ("GET", "/"),
            ("GET", "/root/dev/+api"),
            ("POST", "/+login"),
        ]
        answers = [await ask(replica, *each) for each in asked]
        written = await ask(replica, "PUT", "/alice")
        watched = [await ask(replica, "GET", path) for path in ("/+status", "/+live", "/+ready", "/+metrics")]
    finally:
        replica.stop()

    assert answers == [(503, "2")] * len(asked)
    assert written == (503, "2" if options else "5")  # by the replica, or because the primary is away
    assert [status for status, _ in watched] == [200, 200, 503, 200]


async def test_replica_answers_once_it_has_data(cluster: ClusterProcesses) -> None:
    replica = await asyncio.to_thread(cluster.add_replica)
    await asyncio.to_thread(replica.wait_until_at, 1)

    assert await ask(replica, "POST", "/+login") == (200, None)
