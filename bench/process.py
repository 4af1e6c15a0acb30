"""Processes of the run: started with a log of their own, awaited, and ended by their own pid."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.errors import ConditionMissed, NodeFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

STOP_SECONDS = 20.0
POLL_SECONDS = 0.01


@dataclass(slots=True)
class Child:
    """A process that this run started."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]
    started_at: float = field(default_factory=time.monotonic)  # seconds, monotonic

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    @property
    def age_seconds(self) -> float:
        """The time since the start."""
        return time.monotonic() - self.started_at

    def has_ended(self) -> bool:
        """Tell whether the process is gone."""
        return self.process.poll() is not None

    def stop(self) -> None:
        """End the process: SIGTERM, and SIGKILL if it does not listen. Twice is the same as once."""
        if self.has_ended():
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(name: str, command: Sequence[str | Path], *, log: Path) -> Child:
    """Start a process whose output goes to ``log``."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=clean_environment(),
        )
    return Child(name=name, log=log, process=process)


def run(name: str, command: Sequence[str | Path], *, log: Path, within_seconds: float = 120.0) -> None:
    """Run a command to its end.

    Raises:
        NodeFailed: It failed, or took too long.

    """
    child = start(name, command, log=log)
    try:
        status = child.process.wait(within_seconds)
    except subprocess.TimeoutExpired:
        child.stop()
        raise NodeFailed(node=name, problem=f"took more than {within_seconds:.0f} s", log=log) from None
    if status != 0:
        raise NodeFailed(node=name, problem=f"ended with status {status}", log=log)


def wait_until_ready(child: Child, is_ready: Callable[[], bool], *, within_seconds: float) -> None:
    """Wait until ``is_ready`` says so.

    Raises:
        NodeFailed: The process ended, or was not ready in time.

    """
    deadline = time.monotonic() + within_seconds
    while not is_ready():
        if child.has_ended():
            problem = f"ended with status {child.process.returncode}"
            raise NodeFailed(node=child.name, problem=problem, log=child.log)
        if time.monotonic() > deadline:
            problem = f"not ready within {within_seconds:.0f} s"
            raise NodeFailed(node=child.name, problem=problem, log=child.log)
        time.sleep(POLL_SECONDS)


def wait_until(
    condition: Callable[[], bool],
    *,
    what: Callable[[], str],
    within_seconds: float,
    poll_seconds: float = POLL_SECONDS,
) -> None:
    """Wait until ``condition`` holds.

    Raises:
        ConditionMissed: It did not in time; the message is the last seen state, ``what()``.

    """
    deadline = time.monotonic() + within_seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ConditionMissed(what=what(), within_seconds=within_seconds)
        time.sleep(poll_seconds)


def free_port() -> int:
    """Return a port of loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def clean_environment() -> dict[str, str]:
    """Return the environment without what would change the programs that are compared.

    All traffic is loopback, so it must not go through a proxy that the environment may name.
    """
    dropped = ("WHEELYARD_", "DEVPISERVER_", "PIP_FIND_LINKS", "PYTHONPATH")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)} | {
        "PIP_CONFIG_FILE": os.devnull,
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }
