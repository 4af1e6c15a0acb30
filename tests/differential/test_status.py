"""``/+status`` beside stock devpi-server's, on a primary and on a replica that follows it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from bench.peers.devpi import DevpiPeer
from bench.peers.peer import ROOT_PASSWORD
from tests.differential.test_against_devpi import ENVIRONMENT
from tests.helpers.nodes import basic, fetch_json, login, running_cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [
    pytest.mark.network,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("devpi"),
]

SECONDS_MAX = 60.0
Status = dict[str, Any]
KINDS: dict[type, str] = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "text",
    list: "list",
    dict: "map",
}


def in_sync(url: str) -> Callable[[], Status | None]:
    def look() -> Status | None:
        status: Status = fetch_json(url + "/+status")["result"]
        is_complete = all(status[name] is not None for name in status if name.startswith("replica-"))
        has_event = status["event-serial"] == status["serial"] >= 1
        return status if is_complete and has_event and status["event-serial-timestamp"] else None

    return look


def followed(url: str) -> Callable[[], Status | None]:
    def look() -> Status | None:
        status = in_sync(url)()
        return status if status and status["polling_replicas"] else None

    return look


def wait_for(look: Callable[[], Status | None]) -> Status:
    deadline = time.monotonic() + SECONDS_MAX
    while (seen := look()) is None:
        assert time.monotonic() < deadline, "the status never showed a replica in sync"
        time.sleep(0.05)
    return seen


def write_something(url: str, password: str) -> None:
    headers = basic("root", login(url, password=password))
    fetch_json(url + "/root/dev", method="PUT", body={}, headers=headers)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Status]]:
    work = tmp_path_factory.mktemp("devpi")
    peer = DevpiPeer(ENVIRONMENT, work)
    assert peer.version().startswith("6.20.")
    with ExitStack() as stack:
        primary = peer.start_primary(work / "primary")
        stack.callback(primary.stop)
        replica = peer.start_replica(primary, work / "replica")
        stack.callback(replica.stop)
        write_something(primary.url, ROOT_PASSWORD)
        yield {"primary": wait_for(followed(primary.url)), "replica": wait_for(in_sync(replica.url))}


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Status]]:
    with running_cluster(tmp_path_factory.mktemp("cluster"), replicas=1, options=("--offline",)) as cluster:
        write_something(cluster.primary.url, "")
        primary = wait_for(followed(cluster.primary.url))
        yield {"primary": primary, "replica": wait_for(in_sync(cluster.replicas[0].url))}


def kind_of(value: object) -> str:
    return "nothing" if value is None else KINDS[type(value)]


@pytest.mark.parametrize("role", ["primary", "replica"])
def test_every_field_of_devpi_is_there_and_of_its_kind(
    theirs: dict[str, Status], ours: dict[str, Status], role: str
) -> None:
    """``outside-url`` alone differs: where devpi was told of none it says nothing, and ours what the client used."""
    wanted = {name: kind_of(value) for name, value in theirs[role].items()} | {"outside-url": "text"}

    assert {name: kind_of(ours[role][name]) for name in wanted if name in ours[role]} == wanted
    assert ours[role]["role"] == theirs[role]["role"]


@pytest.mark.parametrize("role", ["primary", "replica"])
def test_every_metric_of_devpi_is_there_and_of_its_kind(
    theirs: dict[str, Status], ours: dict[str, Status], role: str
) -> None:
    wanted = {(name, kind) for name, kind, _ in theirs[role]["metrics"]}

    assert wanted
    assert wanted <= {(name, kind) for name, kind, _ in ours[role]["metrics"]}


def test_row_of_a_replica_has_devpis_fields(theirs: dict[str, Status], ours: dict[str, Status]) -> None:
    """devpi was told of no outside URL here, so its row has none; streaming is what each of them does."""
    wanted, row = (next(iter(each["primary"]["polling_replicas"].values())) for each in (theirs, ours))
    differing = {"outside-url", "is-streaming", "in-request"}

    assert row.keys() == wanted.keys()
    assert {name: kind_of(row[name]) for name in row.keys() - differing} == {
        name: kind_of(wanted[name]) for name in wanted.keys() - differing
    }
    assert row["remote-ip"] == wanted["remote-ip"] == "127.0.0.1"
    assert theirs["replica"]["polling_replicas"] == ours["replica"]["polling_replicas"] == {}
