"""How fast does a replica reach head?

Three cases, each with a primary of its own. The clock runs from the start of the replica's process, so the start
itself counts.

- ``entries``: an empty replica of a primary whose entries carry no blobs (registered versions).
- ``files``: an empty replica of a primary with small files, until the last file is on the replica's disk.
- ``log``: a replica that was at the primary's beginning, was stopped while the entries were written, and starts
  again: it replays the log and gets no snapshot. devpi's replicas always do that, so it has no such case.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.load import Writes, write
from bench.peers.peer import serial_of
from bench.process import run as run_command
from bench.process import wait_until
from bench.results import Sample
from bench.stage import UPLOADS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.peers.peer import IndexPeer, Node
    from bench.results import Result
    from bench.run import Run
    from bench.settings import Settings
    from bench.stage import Stage

NAME = "catch_up"
CASES = ("entries", "log", "files")


def ask(run: Run) -> list[Result]:
    """Measure all cases.

    Raises:
        BenchError: A peer failed, or a replica did not reach head.

    """
    results: list[Result] = []
    for case in CASES:
        peers = [peer for peer in run.indexes if case != "log" or peer.name != "devpi"]
        stages = [run.new_stage(peer, f"{peer.name}-{case}") for peer in peers]
        measures = {stage.peer.name: _prepared(run, stage, case) for stage in stages}
        if measures:
            counts = {f"{peer.name}_count": count_of(run.settings, peer, case) for peer in peers}
            unit = "files/s" if case == "files" else "entries/s"
            results += run.interleave(NAME, case, measures, unit=unit, parameters=counts)
        for stage in stages:
            stage.node.stop()
    return results


def count_of(settings: Settings, peer: IndexPeer, case: str) -> int:
    """Return how much a replica has to catch up with; less on devpi, which would take minutes."""
    if case == "files":
        return settings.catch_up_files_devpi if peer.name == "devpi" else settings.catch_up_files
    return settings.catch_up_entries_devpi if peer.name == "devpi" else settings.catch_up_entries


def _prepared(run: Run, stage: Stage, case: str) -> Callable[[int], Sample]:
    count = count_of(run.settings, stage.peer, case)
    stopped = _stopped_replica(run, stage) if case == "log" else None
    before = serial_of(stage.node)
    writes = _writes(run.settings, stage, is_upload=case == "files", count=count)
    done = write(writes)
    head = serial_of(stage.node)
    run.say(f"{NAME} {case} {stage.peer.name}: {done.count} written, {done.per_second:,.0f}/s, head {head}")
    # An index may need more than one entry for an operation; what is stated is what was replicated.
    amount = count if case == "files" else head - (before if stopped else 0)

    def once(repeat: int) -> Sample:
        data = run.work / f"{stage.peer.name}-{case}-{repeat}"
        if stopped is None:
            stage.peer.prepare_replica(stage.node, data)
        else:
            run_command("cp", ["cp", "-a", "--sparse=always", stopped, data], log=run.work / "cp.log")
        replica = run.keep(stage.peer.start_replica(stage.node, data, is_awaited=False))
        answered, ended = _times(run, stage, replica, head, files=amount if case == "files" else 0)
        replica.stop()
        seconds = ended - replica.child.started_at
        start_up = answered - replica.child.started_at
        return Sample(
            amount / seconds, details={"amount": amount, "seconds": seconds, "start_up_seconds": start_up}
        )

    return once


def _times(run: Run, stage: Stage, replica: Node, head: int, *, files: int) -> tuple[float, float]:
    """Return when the replica first answered, and when it had all."""
    first_answer: list[float] = []

    def has_all() -> bool:
        serial = serial_of(replica)
        if not first_answer and replica.client.answers("/+status"):
            first_answer.append(time.monotonic())
        if serial < head:
            return False
        return not files or stage.peer.has_files(replica, files)

    wait_until(
        has_all,
        what=lambda: f"{stage.peer.name}: replica at {serial_of(replica)} of {head}",
        within_seconds=run.settings.wait_seconds,
    )
    ended = time.monotonic()
    return (first_answer[0] if first_answer else ended), ended


def _stopped_replica(run: Run, stage: Stage) -> Path:
    data = run.work / f"{stage.peer.name}-stopped"
    stage.peer.prepare_replica(stage.node, data)
    replica = run.keep(stage.peer.start_replica(stage.node, data))
    wait_until(
        lambda: serial_of(replica) >= serial_of(stage.node),
        what=lambda: f"{stage.peer.name}: replica at {serial_of(replica)} of {serial_of(stage.node)}",
        within_seconds=run.settings.wait_seconds,
    )
    replica.stop()
    return data


def _writes(settings: Settings, stage: Stage, *, is_upload: bool, count: int) -> Writes:
    return Writes(
        url=f"{stage.node.url}{UPLOADS}/",
        headers=stage.token.token(),
        action="file_upload" if is_upload else "submit",
        projects="entry",
        count=count,
        seconds=0,
        clients=settings.catch_up_clients if stage.peer.name != "devpi" else 2,
        file_bytes=settings.upload_file_bytes,
        seed=settings.seed,
    )
