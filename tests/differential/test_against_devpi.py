"""The request script, replayed against stock devpi-server, against a primary, and through a replica.

devpi-server comes from PyPI into an environment of its own that later runs find again, and runs offline.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.peers.devpi import DevpiPeer
from bench.peers.peer import ROOT_PASSWORD
from tests.differential.differences import DIFFERENCES
from tests.differential.replay import Answer, Replayer
from tests.differential.script import all_steps
from tests.helpers.nodes import running_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.helpers.nodes import ClusterProcesses, NodeProcess

ENVIRONMENT = Path(__file__).parents[2] / ".bench" / "devpi-venv"
REQUESTS_MIN = 300
STEPS = all_steps()

pytestmark = [
    pytest.mark.network,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("devpi"),
]


@pytest.fixture(scope="module")
def devpi_answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    work = tmp_path_factory.mktemp("devpi")
    peer = DevpiPeer(ENVIRONMENT, work)
    assert peer.version().startswith("6.20.")
    node = peer.start_primary(work / "data")
    try:
        return Replayer(node.url).replay(STEPS)
    finally:
        node.stop()


@pytest.fixture
def cluster(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ClusterProcesses]:
    password = tmp_path / "root-password"
    password.write_text(ROOT_PASSWORD)
    options = ("--no-root-pypi", "--offline", "--root-password-file", str(password))
    with running_cluster(tmp_path / "cluster", replicas=request.param, options=options) as cluster:
        yield cluster


@pytest.mark.parametrize("cluster", [0, 1], indirect=True, ids=["primary", "replica"])
def test_answers_are_devpis_or_differ_as_listed(
    cluster: ClusterProcesses, devpi_answers: dict[str, Answer]
) -> None:
    """Replay everything in order through the last node; compare status, reason phrase and JSON."""
    node: NodeProcess = cluster.nodes[-1]

    answers = Replayer(node.url).replay(STEPS)

    seen = {
        name: (answer.status, " ".join(devpi_answers[name].differing(answer)))
        for name, answer in answers.items()
        if devpi_answers[name].differing(answer)
    }
    listed = {name: (difference.status, difference.parts) for name, difference in DIFFERENCES.items()}
    wrong = {name for name in seen.keys() | listed.keys() if seen.get(name) != listed.get(name)}
    assert not wrong, "\n".join(
        f"{name}: listed {listed.get(name)}\n  devpi {devpi_answers[name]}\n  ours  {answers[name]}"
        for name in sorted(wrong)
    )


def test_rejected_requests_change_nothing(tmp_path: Path) -> None:
    """The serial after a refusal is the one before it: nothing was written, not even beside the answer."""
    with running_cluster(tmp_path / "cluster", replicas=0, options=_options(tmp_path)) as cluster:
        replayer = Replayer(cluster.primary.url)
        answers = replayer.replay(STEPS)

    # The reaper's entries follow the deletion of an index, between any two requests.
    before, moved = 0, []
    for step in STEPS:
        serial = replayer.serials[step.name]
        if answers[step.name].status >= 400 and serial > before and not _is_after_deletion(step.name):
            moved.append(step.name)
        before = max(before, serial)
    assert moved == []


def test_script_has_enough_requests() -> None:
    assert len(STEPS) >= REQUESTS_MIN


def _options(folder: Path) -> tuple[str, ...]:
    password = folder / "root-password"
    password.write_text(ROOT_PASSWORD)
    return ("--no-root-pypi", "--offline", "--root-password-file", str(password))


def _is_after_deletion(name: str) -> bool:
    before = STEPS[: [step.name for step in STEPS].index(name)]
    return any(step.method == "DELETE" and step.path.count("/") <= 3 for step in before[-3:])
