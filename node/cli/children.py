"""Nodes as child processes of a command, ended by their process ids."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from node.config import ENVIRONMENT_PREFIX

READY_SECONDS = 60.0
STOP_SECONDS = 20.0
LOG_TAIL_CHARACTERS = 2000
_READY = " ready at "


class ChildFailed(Exception):
    """A child did not start, or ended by itself."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"{name}: {detail}")
        self.name = name
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Child:
    """A running node."""

    name: str
    url: str
    process: Process
    log: Path


async def start_node(name: str, *options: str, log: Path) -> Child:
    """Start a node and wait until it says that it is ready.

    Raises:
        ChildFailed: it ended, or said nothing for ``READY_SECONDS``; it runs no more.

    """
    with log.open("ab") as errors:
        begin = errors.tell()
        # -P: a folder called node where the command is typed must not be taken for ours.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "node", "serve", *options),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            stderr=errors,
            env=_environment(),
        )
    child = Child(name, "", process, log)
    try:
        line = await asyncio.wait_for(_first_line(process), READY_SECONDS)
    except BaseException as error:
        await stop_node(child)
        if isinstance(error, TimeoutError):
            raise ChildFailed(name, f"not ready after {READY_SECONDS:.0f} s, see {log}") from None
        raise
    if _READY not in line:
        await stop_node(child)
        raise ChildFailed(name, _last_problem(log, begin))
    url = line.partition(_READY)[2].split()[0].rstrip("/")
    return Child(name, url, process, log)


async def stop_node(child: Child) -> None:
    """End a node politely, and when it does not listen, at once."""
    _signal(child.process, signal.SIGTERM)
    try:
        await asyncio.wait_for(child.process.wait(), STOP_SECONDS)
    except TimeoutError:
        _signal(child.process, signal.SIGKILL)
        await child.process.wait()


def _signal(process: Process, number: signal.Signals) -> None:
    # Not process.terminate(): it collects the status of a child that has just ended, and asyncio, which waits for
    # that status in a thread, then finds none and complains.
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


async def _first_line(process: Process) -> str:
    assert process.stdout is not None  # noqa: S101 - made with a pipe
    return (await process.stdout.readline()).decode(errors="replace")


def _environment() -> dict[str, str]:
    """Return the environment without options for one node: here each has its own."""
    return {name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT_PREFIX)}


def _last_problem(log: Path, begin: int) -> str:
    text = log.read_bytes()[begin:].decode(errors="replace")
    problems = [
        line.removeprefix("wheelyard: ") for line in text.splitlines() if line.startswith("wheelyard: ")
    ]
    return "; ".join(problems) or f"it ended, see {log}"
