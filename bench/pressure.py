"""The same GET on every peer, by wrk."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.machine import cpu_seconds
from bench.results import Sample
from bench.wrk import Load, measure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench.peers.peer import Node
    from bench.settings import Settings


def pages_per_second(
    node: Node, path: str, headers: Mapping[str, str], settings: Settings
) -> Callable[[int], Sample]:
    """Return a measure of responses per second."""
    load = Load(
        url=node.url + path,
        headers=headers,
        threads=settings.wrk_threads,
        connections=settings.wrk_connections,
        seconds=settings.wrk_seconds,
    )
    return _measured(node, load, settings, "requests_per_second", 1.0)


def megabytes_per_second(
    node: Node, path: str, headers: Mapping[str, str], settings: Settings
) -> Callable[[int], Sample]:
    """Return a measure of bytes per second, in units of 1,000,000."""
    load = Load(
        url=node.url + path,
        headers=headers,
        threads=settings.wrk_threads,
        connections=settings.large_file_connections,
        seconds=settings.large_file_seconds,
    )
    return _measured(node, load, settings, "bytes_per_second", 1e6)


def parameters_of(settings: Settings, *, connections: int, seconds: int) -> dict[str, str | float]:
    """Return what the result lines say about the load."""
    return {
        "load": "wrk",
        "threads": settings.wrk_threads,
        "connections": connections,
        "seconds": seconds,
        "warm_up_seconds": settings.wrk_warm_up_seconds,
        "nginx_workers": settings.nginx_workers,
    }


def _measured(
    node: Node, load: Load, settings: Settings, field: str, divisor: float
) -> Callable[[int], Sample]:
    def once(_repeat: int) -> Sample:
        cpu_before, clock_before = cpu_seconds(node.child.pid), time.monotonic()
        measured = measure(load, warm_up_seconds=settings.wrk_warm_up_seconds)
        # Below 1 the load, and not the server, was what could not go faster. With the warm-up and wrk's start.
        busy = (cpu_seconds(node.child.pid) - cpu_before) / (time.monotonic() - clock_before)
        value: float = getattr(measured, field) / divisor
        return Sample(
            value, measured.latency_seconds, {"requests": measured.requests, "server_cores_busy": busy}
        )

    return once
