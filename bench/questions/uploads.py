"""How many uploads per second, durable before they are answered?

Small wheels by a few clients whose connections stay open, with Basic authentication on every request, ten versions
to a project.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.load import Writes, write
from bench.results import Sample
from bench.stage import UPLOADS

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.results import Result
    from bench.run import Run
    from bench.settings import Settings
    from bench.stage import Stage

NAME = "uploads"


def ask(run: Run) -> list[Result]:
    """Measure uploads to an index of their own.

    Raises:
        BenchError: A peer failed, or an upload was refused.

    """
    settings = run.settings
    measures = {stage.peer.name: _uploads(stage, settings) for stage in run.stages()}
    parameters: dict[str, str | float] = {
        "load": "python -m bench.load",
        "clients": settings.upload_clients,
        "seconds": settings.upload_seconds,
        "file_bytes": settings.upload_file_bytes,
    }
    return run.interleave(NAME, "basic-auth", measures, unit="uploads/s", parameters=parameters)


def _uploads(stage: Stage, settings: Settings) -> Callable[[int], Sample]:
    def once(repeat: int) -> Sample:
        write(_writes(stage, settings, projects=f"warm-{repeat}", count=2 * settings.upload_clients))
        done = write(_writes(stage, settings, projects=f"up-{repeat}", count=settings.upload_count_max))
        return Sample(done.per_second, done.latency_seconds, {"uploads": done.count, "seconds": done.seconds})

    return once


def _writes(stage: Stage, settings: Settings, *, projects: str, count: int) -> Writes:
    return Writes(
        url=f"{stage.node.url}{UPLOADS}/",
        headers=stage.basic,
        action="file_upload",
        projects=projects,
        count=count,
        seconds=settings.upload_seconds,
        clients=settings.upload_clients,
        file_bytes=settings.upload_file_bytes,
        seed=settings.seed,
    )
