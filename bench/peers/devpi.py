"""Stock devpi-server from PyPI, in an environment of its own, without its web plugin."""

from __future__ import annotations

import fcntl
import subprocess
import venv
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.errors import NodeFailed, ToolMissing
from bench.peers.peer import ROOT_PASSWORD, Node
from bench.process import free_port, run, start, wait_until_ready

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REQUIREMENT = "devpi-server==6.20.*"
START_SECONDS = 60.0
# Hidden options: they spare 22 s and 512 MiB at each start, which derive keys and serve no request.
CHEAP_KEYS = ("--argon2-memory-cost", "8", "--argon2-parallelism", "1", "--argon2-time-cost", "1")


@contextmanager
def _alone(environment: Path) -> Iterator[None]:
    """Have one process at a time look for an environment and make it; tests of two files may need it at once."""
    environment.parent.mkdir(parents=True, exist_ok=True)
    with environment.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class DevpiPeer:
    """devpi-server, installed when first asked for."""

    name = "devpi"

    def __init__(self, environment: Path, work: Path) -> None:
        self._bin = environment / "bin"
        self._environment = environment
        self._secret = work / "devpi-secret"
        self._log = work / "devpi-tools.log"

    def version(self) -> str:
        """Return the version, and install devpi-server first if it is not there.

        Raises:
            ToolMissing: It cannot be installed.

        """
        with _alone(self._environment):
            if not (self._bin / "devpi-server").exists():
                self._install()
        said = subprocess.run(
            [self._bin / "devpi-server", "--version"], capture_output=True, text=True, check=True, timeout=60
        )
        return said.stdout.strip()

    def _install(self) -> None:
        venv.create(self._environment, with_pip=True)
        pip = self._bin / "python"
        try:
            run("pip", [pip, "-m", "pip", "install", "-q", REQUIREMENT], log=self._log, within_seconds=300)
        except NodeFailed as error:
            command = f"{pip} -m pip install '{REQUIREMENT}'"
            raise ToolMissing(tool=f"devpi-server ({error.problem})", command=command) from error

    def start_primary(self, data: Path) -> Node:
        """Start an empty primary, and wait until it answers.

        Raises:
            NodeFailed: It did not come up.

        """
        if not self._secret.exists():
            run(
                "devpi-gen-secret",
                [self._bin / "devpi-gen-secret", "--secretfile", self._secret],
                log=self._log,
            )
        words = ("--no-root-pypi", "--role", "primary", "--root-passwd", ROOT_PASSWORD)
        run("devpi-init", [self._bin / "devpi-init", "--serverdir", data, *words], log=self._log)
        # Offline: the bench has no mirror. Not on a replica, whose whole HTTP client would be off.
        node = self._serve(data, "--role", "primary", "--offline-mode", is_primary=True)
        self._wait(node)
        return node

    def prepare_replica(self, primary: Node, data: Path) -> None:
        """Run ``devpi-init``, which asks the primary nothing but takes its time.

        Raises:
            NodeFailed: It failed.

        """
        words = ("--no-root-pypi", "--role", "replica", "--primary-url", primary.url)
        run("devpi-init", [self._bin / "devpi-init", "--serverdir", data, *words], log=self._log)

    def start_replica(self, primary: Node, data: Path, *, is_awaited: bool = True) -> Node:
        """Start a replica that ``prepare_replica`` made.

        Raises:
            NodeFailed: It did not come up.

        """
        if not data.exists():
            self.prepare_replica(primary, data)
        node = self._serve(data, "--primary-url", primary.url, is_primary=False)
        if is_awaited:
            self._wait(node)
        return node

    def has_files(self, replica: Node, count: int) -> bool:
        """Count the files on disk: devpi's status calls them in sync two seconds late."""
        return sum(1 for _ in replica.data.glob("+files/**/*.whl")) >= count

    def _serve(self, data: Path, *words: str, is_primary: bool) -> Node:
        port = free_port()
        fixed = ("--serverdir", data, "--host", "127.0.0.1", "--port", port, "--secretfile", self._secret)
        command: list[str | Path] = [
            self._bin / "devpi-server",
            *(str(word) for word in fixed),
            *CHEAP_KEYS,
            *words,
        ]
        child = start(f"devpi {data.name}", command, log=data.with_suffix(".log"))
        return Node(f"http://127.0.0.1:{port}", child, data, is_primary)

    def _wait(self, node: Node) -> None:
        wait_until_ready(node.child, lambda: node.client.answers("/+api"), within_seconds=START_SECONDS)
