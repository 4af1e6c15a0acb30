"""Writers: so many clients that post forms over connections that stay open; run as a process of its own.

`python -m bench.load` prints one JSON object: how many were answered, how fast, with which latencies. Wheels and
forms are made before the clock starts, so the time measured is the server's and the wire's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from bench.errors import LoadFailed
from bench.process import clean_environment
from bench.summary import spread
from bench.wheels import content_type, make_wheel, submit_form, upload_form

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
FILES_PER_PROJECT = 10


@dataclass(frozen=True, slots=True)
class Writes:
    """What is written to one index."""

    url: str  # of the index, with the slash at its end
    headers: dict[str, str]  # who writes
    action: str  # "file_upload" or "submit"
    projects: str  # prefix of the project names; the one project's name when `is_one_project`
    count: int  # at most
    seconds: float  # at most; 0 for no bound
    clients: int
    file_bytes: int
    seed: int
    is_one_project: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """What became of it."""

    count: int
    seconds: float
    latency_seconds: dict[str, float]

    @property
    def per_second(self) -> float:
        """Writes that were answered, per second."""
        return self.count / self.seconds


def write(writes: Writes) -> Written:
    """Write from another process, and wait for its end.

    Raises:
        LoadFailed: A write was refused, or the process failed.

    """
    bound = (writes.seconds or 600.0) + 120.0
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bench.load"],
            input=json.dumps(asdict(writes)),
            capture_output=True,
            text=True,
            check=False,
            timeout=bound,
            env=clean_environment() | {"PYTHONPATH": str(ROOT)},
        )
    except subprocess.TimeoutExpired as error:
        raise LoadFailed(what=writes.url, problem=f"not done within {bound:.0f} s") from error
    if done.returncode != 0:
        raise LoadFailed(
            what=writes.url, problem=done.stderr.strip().splitlines()[-1] if done.stderr else "no output"
        )
    return Written(**json.loads(done.stdout))


def forms(writes: Writes) -> Iterator[bytes]:
    """Yield the bodies, the same ones for the same arguments."""
    for number in range(writes.count):
        project = (
            writes.projects if writes.is_one_project else f"{writes.projects}-{number // FILES_PER_PROJECT}"
        )
        version = f"1.{number}"
        if writes.action == "submit":
            yield submit_form(project, version)
        else:
            yield upload_form(make_wheel(project, version, size_bytes=writes.file_bytes, seed=writes.seed))


async def post_all(writes: Writes) -> Written:
    """Post the forms with so many clients until they or the time are used up.

    Raises:
        LoadFailed: A write was not answered 200.

    """
    bodies = iter(list(forms(writes)))
    headers = writes.headers | {"Content-Type": content_type()}
    latencies: list[float] = []
    timeout = aiohttp.ClientTimeout(total=60)
    connector = aiohttp.TCPConnector(limit=writes.clients)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session:
        started = time.monotonic()
        deadline = started + writes.seconds if writes.seconds else None

        async def one_client() -> None:
            for body in bodies:
                before = time.monotonic()
                async with session.post(writes.url, data=body) as response:
                    said = await response.read()
                    if response.status != 200:
                        problem = f"{response.status} {response.reason}: {said[:200]!r}"
                        raise LoadFailed(what=writes.url, problem=problem)
                now = time.monotonic()
                latencies.append(now - before)
                if deadline is not None and now > deadline:
                    return

        async with asyncio.TaskGroup() as clients:
            for _ in range(writes.clients):
                clients.create_task(one_client())
        seconds = time.monotonic() - started
    return Written(count=len(latencies), seconds=seconds, latency_seconds=spread(latencies))


def main() -> int:
    """Read what to write from standard input, and print what became of it."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    wanted: dict[str, Any] = json.load(sys.stdin)
    problems: list[BaseException] = []
    try:
        written = asyncio.run(post_all(Writes(**wanted)))
        print(json.dumps(asdict(written)))
    except* (LoadFailed, aiohttp.ClientError, TimeoutError) as group:
        problems.extend(group.exceptions)
    if problems:
        print(f"{type(problems[0]).__name__}: {problems[0]}", file=sys.stderr)
        return os.EX_SOFTWARE
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
