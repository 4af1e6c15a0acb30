"""How long after the primary's answer is an uploaded file on a replica's simple page?

One client uploads to the primary; from the moment it has the answer it asks the replica for the page, again and
again over one connection, until the file is listed. The shortest time possible is one page.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.errors import ConditionMissed
from bench.peers.peer import serial_of
from bench.probe import Probe
from bench.process import wait_until
from bench.results import Result, Sample
from bench.stage import DEV, JSON, STAGING, page_headers
from bench.summary import percentile, spread

if TYPE_CHECKING:
    from bench.peers.peer import Node
    from bench.run import Run
    from bench.settings import Settings
    from bench.stage import Stage

NAME = "visible"
FILES_PER_PROJECT = 10  # so that the page stays short
CHANGE_SECONDS = 30.0


def ask(run: Run) -> list[Result]:
    """Measure with one replica of each peer.

    Raises:
        BenchError: A peer failed, or a change did not arrive.

    """
    pairs = [(stage, _follow(run, stage)) for stage in run.stages()]
    seconds: dict[str, list[list[float]]] = {stage.peer.name: [] for stage, _ in pairs}
    for repeat in range(run.settings.repeats):
        for stage, replica in pairs:
            taken = _changes(stage, replica, run.settings, repeat)
            seconds[stage.peer.name].append(taken)
            said = ", ".join(f"{name} {value * 1000:.2f} ms" for name, value in spread(taken).items())
            run.say(f"{NAME} {stage.peer.name} #{repeat + 1}: {said}")
    for _, replica in pairs:
        replica.stop()
    return [
        Result(
            question=NAME,
            case=f"p{percent}",
            peer=peer,
            unit="ms",
            better="lower",
            samples=[Sample(percentile(taken, percent) * 1000, spread(taken)) for taken in repeats],
            parameters={"changes": len(repeats[0]), "clients": 1, "seed": run.settings.seed},
        )
        for percent in (50, 99)
        for peer, repeats in seconds.items()
    ]


def _follow(run: Run, stage: Stage) -> Node:
    data = run.work / f"{stage.peer.name}-visible"
    stage.peer.prepare_replica(stage.node, data)
    replica = run.keep(stage.peer.start_replica(stage.node, data))
    wait_until(
        lambda: serial_of(replica) >= serial_of(stage.node),
        what=lambda: f"{stage.peer.name}: replica at {serial_of(replica)} of {serial_of(stage.node)}",
        within_seconds=run.settings.wait_seconds,
    )
    return replica


def _changes(stage: Stage, replica: Node, settings: Settings, repeat: int) -> list[float]:
    taken = []
    for number in range(-FILES_PER_PROJECT, settings.visible_changes):  # the first ones warm up
        group, version = divmod(number, FILES_PER_PROJECT)
        project = f"visible-{repeat}-{group + 1}"
        with Probe(replica.url, f"{DEV}/+simple/{project}/", page_headers(JSON)) as probe:
            name = stage.upload(
                STAGING, project, f"1.{version}", file_bytes=settings.small_file_bytes, seed=settings.seed
            )
            seconds = _until_listed(probe, name.encode())
        if number >= 0:
            taken.append(seconds)
    return taken


def _until_listed(probe: Probe, name: bytes) -> float:
    started = time.monotonic()
    while not probe.shows(name):
        if time.monotonic() - started > CHANGE_SECONDS:
            raise ConditionMissed(what=f"{name.decode()} on the replica", within_seconds=CHANGE_SECONDS)
    return time.monotonic() - started
