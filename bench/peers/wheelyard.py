"""Wheelyard itself, as its users start it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import ToolMissing
from bench.peers.peer import ROOT_PASSWORD, Node
from bench.process import free_port, run, start, wait_until_ready

if TYPE_CHECKING:
    from bench.process import Child

START_SECONDS = 30.0
INSTALL = "python -m pip install -e ."


class WheelyardPeer:
    """`wheelyard serve` from the environment that the bench runs in."""

    name = "wheelyard"

    def __init__(self, work: Path) -> None:
        self._secret = work / "wheelyard-secret"
        self._password = work / "wheelyard-root-password"
        self._log = work / "wheelyard-tools.log"

    def version(self) -> str:
        """Return the version.

        Raises:
            ToolMissing: It is not installed.

        """
        said = subprocess.run(
            [_find_wheelyard(), "--version"], capture_output=True, text=True, check=False, timeout=30
        )
        found = re.search(r"\d\S*", said.stdout)
        return found[0] if found else "unknown"

    def start_primary(self, data: Path) -> Node:
        """Start an empty primary, and wait until it is ready.

        Raises:
            ToolMissing: Wheelyard is not installed.
            NodeFailed: It did not come up.

        """
        if not self._secret.exists():
            run("wheelyard secret", [_find_wheelyard(), "secret", self._secret], log=self._log)
            self._password.write_text(f"{ROOT_PASSWORD}\n", encoding="utf-8")
            self._password.chmod(0o600)
        node = self._serve(data, "--root-password-file", str(self._password), is_primary=True)
        self._wait(node)
        return node

    def prepare_replica(self, primary: Node, data: Path) -> None:
        """Do nothing: `serve` initialises an empty directory itself."""

    def start_replica(self, primary: Node, data: Path, *, is_awaited: bool = True) -> Node:
        """Start a replica; its first start bootstraps.

        Raises:
            NodeFailed: It did not come up.

        """
        node = self._serve(data, "--primary", primary.url, is_primary=False)
        if is_awaited:
            self._wait(node)
        return node

    def has_files(self, replica: Node, count: int) -> bool:  # noqa: ARG002
        """Ask the status: an entry at head names its blobs, and each is pending until it is on disk."""
        result: dict[str, Any] = replica.client.json("GET", "/+status")["result"]
        pending = result.get("blobs_pending", result.get("blobs-pending"))
        return pending is not None and int(pending) == 0

    def _serve(self, data: Path, *words: str, is_primary: bool) -> Node:
        port = free_port()
        fixed = ("--data", data, "--port", port, "--no-root-pypi", "--secret-file", self._secret)
        command = [_find_wheelyard(), "serve", *(str(word) for word in fixed), *words]
        child: Child = start(f"wheelyard {data.name}", command, log=data.with_suffix(".log"))
        return Node(f"http://127.0.0.1:{port}", child, data, is_primary)

    def _wait(self, node: Node) -> None:
        wait_until_ready(node.child, lambda: node.client.answers("/+ready"), within_seconds=START_SECONDS)


def _find_wheelyard() -> str:
    beside = Path(sys.executable).with_name("wheelyard")
    found = str(beside) if beside.exists() else shutil.which("wheelyard")
    if found is None:
        raise ToolMissing(tool="wheelyard", command=INSTALL)
    return found
