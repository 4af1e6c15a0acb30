"""What can stop a bench.

BenchError
├── ToolMissing       a program that is compared or that loads is not installed
├── NodeFailed        a node that was started ended, or was not ready in time
├── RequestRefused    a node answered a request of the set-up with another status than expected
├── LoadFailed        the load did not run cleanly: socket errors, wrong statuses, unreadable output
└── ConditionMissed   something that should come true within a bound did not
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003


class BenchError(Exception):
    """The bench cannot go on; the message is one line for the person who started it."""


class ToolMissing(BenchError):
    """A program is not installed."""

    def __init__(self, *, tool: str, command: str) -> None:
        super().__init__(f"{tool} is missing: install it with `{command}`")
        self.tool = tool
        self.command = command


class NodeFailed(BenchError):
    """A node ended, or was not ready in time."""

    def __init__(self, *, node: str, problem: str, log: Path) -> None:
        tail = log.read_text(encoding="utf-8", errors="replace")[-2000:] if log.exists() else ""
        super().__init__(f"{node}: {problem}; the end of its log:\n{tail}")
        self.node = node
        self.problem = problem


class RequestRefused(BenchError):
    """A request of the set-up was not answered as it must be."""

    def __init__(self, *, method: str, url: str, status: int, body: bytes) -> None:
        super().__init__(f"{method} {url} was answered {status}: {body[:300]!r}")
        self.status = status


class LoadFailed(BenchError):
    """The load did not run cleanly, so its numbers would mean nothing."""

    def __init__(self, *, what: str, problem: str) -> None:
        super().__init__(f"load on {what} failed: {problem}")
        self.problem = problem


class ConditionMissed(BenchError):
    """A condition did not come true within its bound."""

    def __init__(self, *, what: str, within_seconds: float) -> None:
        super().__init__(f"not within {within_seconds:.0f} s: {what}")
        self.what = what
        self.within_seconds = within_seconds
