"""What an operator or a client can rely on is written down: routes, options, metrics, status fields, commands."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from node.cli.commands import cli
from node.config import Config
from node.http.app import ROUTES
from node.mirror.counters import MirrorCounters
from tests.helpers.nodes import ClusterProcesses, running_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent
DESIGN = (ROOT / "node" / "DESIGN.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE_LINES_MAX = 200
MIRROR_PREFIX = "wheelyard_mirror_"
_DYNAMIC = re.compile(r"\{(\w+)(?::((?:[^{}]|\{\d+\})*))?\}")
_ROW = re.compile(r"^\| ([A-Z, ]+) \| `(/[^`]*)` \|", flags=re.MULTILINE)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterProcesses]:
    with running_cluster(tmp_path_factory.mktemp("cluster"), replicas=1, options=("--offline",)) as running:
        running.wait_until_equal()
        yield running


def shown(path: str) -> str:
    """Return a route's path as the documentation writes it."""

    def part(match: re.Match[str]) -> str:
        name, pattern = match.groups()
        if name == "slash":
            return "[/]"
        return pattern.replace("\\", "") if name == "simple" else "{" + name + "}"

    return _DYNAMIC.sub(part, path)


def documented_routes() -> set[tuple[str, str]]:
    return {(method, path) for methods, path in _ROW.findall(DESIGN) for method in methods.split(", ")}


def test_routes_in_the_table_are_those_that_exist() -> None:
    assert documented_routes() == {(method, shown(path)) for method, path, _ in ROUTES}


@pytest.mark.parametrize("name", [known.name for known in fields(Config)])
def test_every_option_is_documented(name: str) -> None:
    assert f"`{name}`" in DESIGN


@pytest.mark.parametrize("name", list(cli.commands))
def test_every_command_is_documented(name: str) -> None:
    assert f"`wheelyard {name}" in README


@pytest.mark.parametrize("name", [known.name for known in fields(MirrorCounters)])
def test_every_counter_of_the_mirror_is_documented(name: str) -> None:
    assert f"`{name}`" in DESIGN


def test_metrics_in_the_table_are_those_that_exist(cluster: ClusterProcesses) -> None:
    with urlopen(cluster.primary.url + "/+metrics") as answer:
        families = set(re.findall(r"^# TYPE (\S+)", answer.read().decode(), flags=re.MULTILINE))

    own = {name for name in families if not name.startswith(MIRROR_PREFIX)}
    documented = set(re.findall(r"`(wheelyard_[a-z_]+)`", DESIGN))

    assert documented == own


@pytest.mark.parametrize("number", [0, 1], ids=["primary", "replica"])
def test_every_field_of_the_status_is_documented(cluster: ClusterProcesses, number: int) -> None:
    named = {name for name in cluster.nodes[number].status() if not name.startswith(("master-", "primary-"))}

    assert not [name for name in named if f"`{name}`" not in DESIGN]


def test_architecture_is_short_and_names_files_that_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:node|replication|storage|tests)/[a-z_/]+(?:\.py|/))`", text)

    assert len(text.splitlines()) <= ARCHITECTURE_LINES_MAX
    assert named
    assert not [name for name in named if not (ROOT / name).exists()]


@pytest.mark.parametrize(
    "path", [*sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("*.md")), "deploy/README.md"]
)
def test_links_between_documents_lead_somewhere(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?://)([^)#]+)", text)

    assert not [target for target in targets if not ((ROOT / path).parent / target).exists()]
