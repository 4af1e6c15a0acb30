from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.helpers.distributions import make_wheel, wheel_name
from tests.helpers.load import upload_form
from tests.helpers.nodes import ClusterProcesses, NodeProcess, basic, fetch_json, login, running_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPTIONS = ("--offline", "--no-root-pypi")


@dataclass(frozen=True, slots=True)
class Answer:
    """What an upload was answered."""

    status: int
    headers: Any
    text: str


def make_index(node: NodeProcess, name: str, token: str, **options: Any) -> None:
    body = {"type": "stage", "bases": [], "volatile": False, **options}
    fetch_json(f"{node.url}/root/{name}", method="PUT", body=body, headers=basic("root", token))


async def upload(url: str, token: str, filename: str, content: bytes, *, index: str = "root/dev") -> Answer:
    """Upload a wheel to one node; connection errors are the caller's."""
    project, version = filename.split("-")[:2]
    form = upload_form(project, version, filename, content)
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/{index}/", data=form, headers=basic("root", token)) as answer,
    ):
        return Answer(answer.status, answer.headers, await answer.text())


async def upload_wheel(url: str, token: str, project: str, version: str, **options: Any) -> Answer:
    content = make_wheel(project, version, **options)
    return await upload(url, token, wheel_name(project, version), content)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[ClusterProcesses]:
    """A primary and one replica, with the index root/dev."""
    with running_cluster(tmp_path, replicas=1, options=OPTIONS) as running:
        make_index(running.primary, "dev", login(running.primary.url))
        running.wait_until_equal()
        yield running


@pytest.fixture
def token(cluster: ClusterProcesses) -> str:
    """A login token of root."""
    return login(cluster.primary.url)
