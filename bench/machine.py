"""What the numbers were measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine, as far as it explains a number."""

    cpu: str
    cores: int
    memory_gib: float
    kernel: str
    python: str

    def __str__(self) -> str:
        """Return one line for the head of the results."""
        return (
            f"{self.cores} cores of {self.cpu}, {self.memory_gib} GiB memory, "
            f"Linux {self.kernel}, CPython {self.python}"
        )

    def as_json(self) -> dict[str, str | int | float]:
        """Return the fields as JSON has them."""
        return asdict(self)


def this_machine() -> Machine:
    """Look at the machine the bench runs on."""
    return Machine(
        cpu=_first_value(Path("/proc/cpuinfo"), "model name") or platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        kernel=platform.release(),
        python=platform.python_version(),
    )


def private_bytes(pid: int) -> int:
    """Return the RssAnon of a process and of all below it.

    Pages of files (LMDB's map, code) are not counted: they are cache that the kernel takes back.
    """
    total = _status_kib(pid, "RssAnon") * 1024
    return total + sum(private_bytes(child) for child in children_of(pid))


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process and all below it have used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime, proc(5)
    return own + sum(cpu_seconds(child) for child in children_of(pid))


def children_of(pid: int) -> list[int]:
    """Return the processes that any thread of this one started and that still live."""
    found: list[int] = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found.extend(int(word) for word in listing.read_text(encoding="ascii").split())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _status_kib(pid: int, field: str) -> int:
    value = _first_value(Path(f"/proc/{pid}/status"), field)
    return int(value.split()[0]) if value else 0


def _first_value(path: Path, field: str) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == field:
            return value.strip()
    return ""
