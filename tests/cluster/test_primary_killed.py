from __future__ import annotations

import asyncio
import subprocess
import sys
import urllib.error
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.cluster.conftest import make_index, upload_wheel
from tests.helpers.load import SIMPLE_JSON, Upload, assert_all_there
from tests.helpers.nodes import NodeProcess, basic, fetch_json, login
from tests.helpers.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.helpers.nodes import ClusterProcesses

LARGE_BYTES = 200 * 1024  # travels apart from its entry


@pytest.fixture
async def released(cluster: ClusterProcesses, token: str) -> list[Upload]:
    """Two replicas that have two releases, one of them large; what was uploaded."""
    cluster.add_replica()
    for project, payload_bytes in (("small", 0), ("large", LARGE_BYTES)):
        answer = await upload_wheel(cluster.primary.url, token, project, "1.0", payload_bytes=payload_bytes)
        assert answer.status == 200
    cluster.wait_until_equal()
    page_urls = [f"{cluster.primary.url}/root/dev/+simple/{project}/" for project in ("small", "large")]
    pages = [fetch_json(url, headers={"Accept": SIMPLE_JSON}) for url in page_urls]
    return [
        Upload("root/dev", page["name"], file["filename"], file["hashes"]["sha256"])
        for page in pages
        for file in page["files"]
    ]


async def test_replicas_serve_and_log_in_while_the_primary_is_dead(
    cluster: ClusterProcesses, token: str, released: list[Upload]
) -> None:
    """A dead primary costs nothing but writes: pages, files, logins and tokens go on at the replicas.

    The primary is killed after everything was replicated; a token that it issued and one that a replica issues
    without it are both asked who they are.
    """
    cluster.primary.kill()

    assert len(released) == 2
    for replica in cluster.replicas:
        await assert_all_there(replica.url, released)
        for each in (token, login(replica.url)):
            answer = fetch_json(f"{replica.url}/+api", headers=basic("root", each))
            assert answer["result"]["authstatus"] == ["ok", "root", []]

    cluster.primary.start()
    await _can_write(cluster, token)
    cluster.check()


async def test_writes_get_503_while_the_primary_is_dead_and_work_when_it_is_back(
    cluster: ClusterProcesses, token: str, released: list[Upload]
) -> None:
    """A write without a primary is refused at once and may be repeated later; the status says why.

    The primary is killed; each replica gets an upload and the change of an index. Then the primary is started
    again, and both replicas must follow it to a new head.
    """
    cluster.primary.kill()

    for replica in cluster.replicas:
        answer = await upload_wheel(replica.url, token, "late", "1.0")
        assert (answer.status, answer.headers["Retry-After"].isdecimal()) == (503, True)
        with pytest.raises(urllib.error.HTTPError) as refused:
            make_index(replica, "other", token)
        assert (refused.value.code, refused.value.headers["Retry-After"].isdecimal()) == (503, True)
        refused.value.close()
        await _shows_primary(replica, is_reachable=False)

    cluster.primary.start()
    await _can_write(cluster, token)
    for replica in cluster.replicas:
        await _shows_primary(replica, is_reachable=True)
    assert len(released) == 2
    cluster.check()


async def test_pip_installs_from_a_replica_while_the_primary_is_dead(
    cluster: ClusterProcesses, released: list[Upload], tmp_path: Path
) -> None:
    """Stock pip installs a small and a large wheel from a replica alone."""
    cluster.primary.kill()
    target = tmp_path / "installed"

    page = f"{cluster.replicas[0].url}/root/dev/+simple/"
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--isolated",
        "--no-deps",
        "--no-cache-dir",
        "--no-compile",
    ]
    done = await asyncio.to_thread(
        subprocess.run,
        [
            *command,
            "--disable-pip-version-check",
            "--index-url",
            page,
            "--target",
            str(target),
            "small",
            "large",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert {upload.project for upload in released} == {"small", "large"}
    assert (target / "small" / "__init__.py").read_text() == '__version__ = "1.0"\n'
    assert (target / "large" / "noise.bin").stat().st_size == LARGE_BYTES
    cluster.primary.start()
    cluster.check()


async def test_each_kind_of_write_passes_through_a_replica_after_the_primary_restarted(
    cluster: ClusterProcesses, token: str
) -> None:
    """A replica that met a dead primary keeps nothing from it that would spoil later writes.

    Before each kind of write the replica passes one on, so that it holds a connection, and the primary is killed
    and started again. A write may then be answered 503 once; repeated it gets its plain answer.
    """
    replica = cluster.replicas[0]
    order = {"name": "none", "version": "1", "targetindex": "root/one"}
    async with aiohttp.ClientSession(headers=basic("root", token)) as session:
        for method, path, body, expected in (
            ("PUT", "/root/one", {"type": "stage", "bases": []}, 200),
            ("PATCH", "/root/one", ["title=One"], 200),
            ("PUSH", "/root/dev", order, 400),
            ("DELETE", "/root/one", None, 201),
        ):
            async with session.patch(f"{replica.url}/root/dev", json=["title=Dev"]) as answer:
                assert answer.status == 200
            cluster.primary.kill()
            cluster.primary.start()
            async with session.request(method, replica.url + path, json=body) as answer:
                status = answer.status
            if status == 503:
                async with session.request(method, replica.url + path, json=body) as answer:
                    status = answer.status
            assert (method, status) == (method, expected)
    cluster.check()


async def _can_write(cluster: ClusterProcesses, token: str) -> None:
    answer = await upload_wheel(cluster.primary.url, token, "after", "1.0")
    assert answer.status == 200
    cluster.wait_until_equal()


async def _shows_primary(replica: NodeProcess, *, is_reachable: bool) -> None:
    await eventually(
        lambda: replica.status()["primary_reachable"] is is_reachable,
        what=lambda: str(replica.status()),
        within_seconds=15,
    )
    status = replica.status()
    assert bool(status["last_error"]) or is_reachable
