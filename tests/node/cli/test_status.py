from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.helpers.nodes import ClusterProcesses, free_port, running_cluster, wait_until_acquainted
from tests.node.cli.running import refused_with, wheelyard

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDE = {"COLUMNS": "160"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterProcesses]:
    with running_cluster(tmp_path_factory.mktemp("cluster"), options=("--offline",)) as running:
        running.wait_until_equal()
        wait_until_acquainted([node.url for node in running.nodes])
        yield running


@pytest.mark.parametrize("asked", [0, 1], ids=["primary", "replica"])
def test_table_has_a_row_for_every_node(cluster: ClusterProcesses, asked: int) -> None:
    shown = wheelyard("status", cluster.nodes[asked].url, environment=WIDE).stdout

    rows = [line.split() for line in shown.splitlines() if "healthy" in line]
    assert rows[0][:2] == ["primary", cluster.primary.url]
    assert {row[1] for row in rows} == {each.url for each in cluster.nodes}
    assert all(row[3] == "healthy" for row in rows)


def test_replica_says_how_far_its_primary_is(cluster: ClusterProcesses) -> None:
    shown = wheelyard("status", cluster.replicas[0].url, environment=WIDE).stdout

    assert f"its primary {cluster.primary.url} is reachable, 0 serials behind" in shown


def test_json_is_what_the_node_answers(cluster: ClusterProcesses) -> None:
    shown = json.loads(wheelyard("status", cluster.primary.url, "--json").stdout)

    assert shown["status"]["serial"] == cluster.primary.status()["serial"]
    assert len(shown["nodes"]) == len(cluster.nodes)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:{free}", "Connection refused"),
        ("127.0.0.1:3141", "starts with http:// or https://"),
        ("http://127.0.0.1:{primary}/root/pypi", "404"),
    ],
)
def test_silence_is_one_line(cluster: ClusterProcesses, url: str, said: str) -> None:
    asked = url.format(free=free_port(), primary=cluster.primary.port)

    assert said in refused_with(wheelyard("status", asked))
