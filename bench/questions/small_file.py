"""How many small files per second?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.pressure import pages_per_second, parameters_of
from bench.stage import page_headers

if TYPE_CHECKING:
    from bench.results import Result
    from bench.run import Run

NAME = "small_file"
PROJECT = "bench-small"


def ask(run: Run) -> list[Result]:
    """Measure GETs of one file.

    Raises:
        BenchError: A peer failed, or the load was not clean.

    """
    settings = run.settings
    stages = run.stages()
    for stage in stages:
        stage.seed(PROJECT, files=1, file_bytes=settings.small_file_bytes, seed=settings.seed)
    headers = page_headers("*/*")
    body = stages[0].fetch(stages[0].files_of(PROJECT)[0])
    with run.static(NAME, {"/file.whl": body}) as static:
        measures = {
            stage.peer.name: pages_per_second(stage.node, stage.files_of(PROJECT)[0], headers, settings)
            for stage in stages
        }
        for name, node in static.items():
            measures[name] = pages_per_second(node, "/file.whl", headers, settings)
        parameters = parameters_of(
            settings, connections=settings.wrk_connections, seconds=settings.wrk_seconds
        )
        return run.interleave(
            NAME,
            "get",
            measures,
            unit="files/s",
            parameters=parameters | {"file_bytes": settings.small_file_bytes},
        )
