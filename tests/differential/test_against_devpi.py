"""The request script, replayed against stock devpi-server, against a primary, and through a replica.

devpi-server comes from PyPI into an environment of its own that later runs find again, and runs offline.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.peers.devpi import DevpiPeer
from bench.peers.peer import ROOT_PASSWORD
from storage.entry import decode_entry
from storage.position import Serial
from storage.store import Store
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
    """Replay everything in order through the last node; compare status, reason phrase and JSON.

    A refusal must also leave the serial where it was: nothing was written, not even beside the answer.
    """
    node: NodeProcess = cluster.nodes[-1]
    replayer = Replayer(node.url)

    answers = replayer.replay(STEPS)

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
    cluster.stop()
    reaped = _serials_of_the_reaper(cluster.primary.data)
    assert reaped
    assert _refusals_that_wrote(replayer.serials, answers, reaped) == []


def test_script_has_enough_requests() -> None:
    assert len(STEPS) >= REQUESTS_MIN


def _refusals_that_wrote(
    serials: dict[str, int], answers: dict[str, Answer], reaped: frozenset[int]
) -> list[str]:
    wrote, before = [], 0
    for step in STEPS:
        written = set(range(before + 1, serials[step.name] + 1)) - reaped
        if answers[step.name].status >= 400 and written:
            wrote.append(step.name)
        before = max(before, serials[step.name])
    return wrote


def _serials_of_the_reaper(data: Path) -> frozenset[int]:
    """Return the entries that follow the deletion of an index, between any two requests."""
    store = Store.open(data, map_bytes=1 << 30)
    try:
        entries = map(decode_entry, store.entries_after(Serial(0), max_entries=10_000, max_bytes=1 << 30))
        return frozenset(entry.serial for entry in entries if entry.actor == "reaper")
    finally:
        store.close()
