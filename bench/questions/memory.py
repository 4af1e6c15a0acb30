"""How much private memory does the primary hold after everything else it was asked?

RssAnon of the process and of all below it; pages of files are the kernel's to take back. Asked last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.machine import private_bytes
from bench.results import Result, Sample

if TYPE_CHECKING:
    from bench.run import Run

NAME = "memory"


def ask(run: Run) -> list[Result]:
    """Read the memory of the long-lived primaries.

    Raises:
        NodeFailed: A primary had to be started, and did not come up.

    """
    return [
        Result(
            question=NAME,
            case="private",
            peer=stage.peer.name,
            unit="MB",
            better="lower",
            samples=[Sample(private_bytes(stage.node.child.pid) / 1e6)],
            parameters={"after_seconds": round(stage.node.child.age_seconds)},
        )
        for stage in run.stages()
    ]
