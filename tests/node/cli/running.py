"""Running the command as people do: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys


def wheelyard(
    *words: str, given: str = "", environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WHEELYARD_")}
    return subprocess.run(
        [sys.executable, "-m", "node", *words],
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**clean, **(environment or {})},
    )


def refused_with(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line that a refused command says."""
    lines = done.stderr.splitlines()
    assert done.returncode == 1, done
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("wheelyard: "), lines
    return lines[0].removeprefix("wheelyard: ")
