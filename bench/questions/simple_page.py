"""How many simple pages per second, with one file and with many, through one base, as JSON and as HTML?

The files are in ``staging``; the page is asked of ``dev``, whose base that is. nginx serves Wheelyard's own bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.pressure import pages_per_second, parameters_of
from bench.stage import HTML, JSON, page_headers

if TYPE_CHECKING:
    from bench.results import Result
    from bench.run import Run

NAME = "simple_page"
FORMATS = {"json": JSON, "html": HTML}
PROJECTS = {"one": "bench-one", "many": "bench-many"}


def ask(run: Run) -> list[Result]:
    """Measure all four cases.

    Raises:
        BenchError: A peer failed, or the load was not clean.

    """
    settings = run.settings
    counts = {"one": 1, "many": settings.page_files}
    stages = run.stages()
    for stage in stages:
        run.say(f"uploading {settings.page_files} files to {stage.peer.name}")
        for size, project in PROJECTS.items():
            stage.seed(project, files=counts[size], file_bytes=settings.page_file_bytes, seed=settings.seed)
            stage.expect_files(project, counts[size])
    source = stages[0]
    cases = {f"{size}-{suffix}": (size, suffix) for size in PROJECTS for suffix in FORMATS}
    answers = {
        f"/{case}": source.fetch(source.page_path(PROJECTS[size]), FORMATS[suffix])
        for case, (size, suffix) in cases.items()
    }
    common = parameters_of(settings, connections=settings.wrk_connections, seconds=settings.wrk_seconds)
    results: list[Result] = []
    with run.static(NAME, answers) as static:
        for case, (size, suffix) in cases.items():
            headers = page_headers(FORMATS[suffix])
            path = source.page_path(PROJECTS[size])
            measures = {
                stage.peer.name: pages_per_second(stage.node, path, headers, settings) for stage in stages
            }
            for name, node in static.items():
                measures[name] = pages_per_second(node, f"/{case}", headers, settings)
            parameters = common | {
                "files": counts[size],
                "accept": FORMATS[suffix],
                "static_bytes_of": source.peer.name,
            }
            results += run.interleave(NAME, case, measures, unit="pages/s", parameters=parameters)
    return results
