"""wrk: one run of load, and what it says about it."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.errors import LoadFailed, ToolMissing
from bench.process import clean_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

INSTALL = "apt-get install wrk"
_UNIT_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_UNIT_BYTES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}  # wrk prints powers of 1024
_LATENCY = re.compile(r"^\s+(50|75|90|99)%\s+([\d.]+)(us|ms|s|m|h)\s*$", re.MULTILINE)
_RATE = re.compile(r"^Requests/sec:\s+([\d.]+)", re.MULTILINE)
_TRANSFER = re.compile(r"^Transfer/sec:\s+([\d.]+)([KMGT]?)B", re.MULTILINE)
_REQUESTS = re.compile(r"^\s+(\d+) requests in ", re.MULTILINE)
_SOCKET_ERRORS = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")
_WRONG_STATUS = re.compile(r"Non-2xx or 3xx responses: (\d+)")


@dataclass(frozen=True, slots=True)
class Load:
    """What to ask for, with how much pressure."""

    url: str
    headers: Mapping[str, str]
    threads: int
    connections: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run said."""

    requests: int
    requests_per_second: float
    bytes_per_second: float  # with headers
    latency_seconds: Mapping[str, float]  # p50, p75, p90, p99


def find_wrk() -> str:
    """Return the path of wrk.

    Raises:
        ToolMissing: It is not installed.

    """
    found = shutil.which("wrk")
    if found is None:
        raise ToolMissing(tool="wrk", command=INSTALL)
    return found


def wrk_version() -> str:
    """Return the version that wrk states.

    Raises:
        ToolMissing: It is not installed.

    """
    # `wrk -v` ends with status 1.
    said = subprocess.run([find_wrk(), "-v"], capture_output=True, text=True, check=False, timeout=10)
    words = (said.stdout or said.stderr).split()
    return words[1] if len(words) > 1 else "unknown"


def measure(load: Load, *, warm_up_seconds: int) -> Measured:
    """Warm up apart, then load for the stated time.

    Raises:
        ToolMissing: wrk is not installed.
        LoadFailed: A response had a wrong status, a socket failed, or nothing was answered.

    """
    if warm_up_seconds:
        _run(load, warm_up_seconds)
    return parse(_run(load, load.seconds), what=load.url)


def _run(load: Load, seconds: int) -> str:
    command = [
        find_wrk(),
        f"-t{load.threads}",
        f"-c{load.connections}",
        f"-d{seconds}s",
        "--timeout",
        "20s",
        "--latency",
    ]
    for name, value in load.headers.items():
        command += ["-H", f"{name}: {value}"]
    done = subprocess.run(
        [*command, load.url],
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 60,
        env=clean_environment(),
    )
    if done.returncode != 0:
        raise LoadFailed(what=load.url, problem=done.stderr.strip() or done.stdout.strip())
    return done.stdout


def parse(output: str, *, what: str) -> Measured:
    """Read what wrk printed.

    Raises:
        LoadFailed: The run was not clean, or the output is not wrk's.

    """
    if wrong := _WRONG_STATUS.search(output):
        raise LoadFailed(what=what, problem=f"{wrong[1]} responses had another status than 2xx or 3xx")
    if (errors := _SOCKET_ERRORS.search(output)) and any(int(count) for count in errors.groups()):
        raise LoadFailed(what=what, problem=errors[0])
    requests, rate, transfer = _REQUESTS.search(output), _RATE.search(output), _TRANSFER.search(output)
    if requests is None or rate is None or transfer is None:
        raise LoadFailed(what=what, problem=f"unreadable output of wrk: {output!r}")
    if int(requests[1]) == 0:
        raise LoadFailed(what=what, problem="no request was answered")
    return Measured(
        requests=int(requests[1]),
        requests_per_second=float(rate[1]),
        bytes_per_second=float(transfer[1]) * _UNIT_BYTES[transfer[2]],
        latency_seconds={
            f"p{percent}": round(float(value) * _UNIT_SECONDS[unit], 9)
            for percent, value, unit in _LATENCY.findall(output)
        },
    )
