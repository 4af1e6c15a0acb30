"""Running the clients that people use, each with a home of its own: no configuration, no cache, no keyring."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS_MAX = 60.0
BIN = Path(sys.executable).parent
FOREIGN = (
    "DEVPI",
    "HATCH_",
    "NETRC",
    "PDM_",
    "PIP_",
    "POETRY_",
    "PYTHON",
    "TWINE_",
    "UV_",
    "VIRTUAL_ENV",
    "WHEELYARD_",
    "XDG_",
)
"""Variables with which whoever runs the tests has set up clients of their own."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended, and its two outputs as one text."""

    status: int
    output: str


def client_environment(home: Path) -> dict[str, str]:
    """Return an environment in which clients find nothing of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    # Where connections to the outside are inspected, these say which certificates to believe.
    kept |= {name: os.environ[name] for name in ("PIP_CERT", "PIP_DEFAULT_TIMEOUT") if name in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "XDG_CONFIG_DIRS": str(home / "no-configuration-of-this-machine"),
        "DEVPI_CLIENTDIR": str(home / "devpi"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "UV_NO_CONFIG": "1",
        "VIRTUALENV_NO_PERIODIC_UPDATE": "1",
        "UV_CACHE_DIR": str(home / "uv-cache"),
        "NO_COLOR": "1",
    }


async def run_client(
    *command: str,
    home: Path,
    cwd: Path | None = None,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    within_seconds: float = SECONDS_MAX,
) -> Outcome:
    """Run a command to its end, by default in its home; ``environment`` overrides what it starts with.

    It has no terminal, so what it would ask a person comes from ``stdin``. The event loop goes on, and with it
    the servers of this process.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd or home,
        env={**client_environment(home), **(environment or {})},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(stdin.encode()), within_seconds)
    except BaseException:
        process.kill()
        await process.wait()
        raise
    return Outcome(process.returncode or 0, output.decode(errors="replace"))
