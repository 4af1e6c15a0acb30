"""Real nodes as processes of their own, on loopback."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

READY_SECONDS = 30.0
POLL_SECONDS = 0.01


class NodeFailed(Exception):
    """A node did not start, or ended when it should not have."""


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class NodeProcess:
    """One ``wheelyard serve``; may be killed and started again on its port and data."""

    def __init__(self, data: Path, *options: str, port: int | None = None) -> None:
        self.data = data
        self.port = port or free_port()
        self.options = options
        self.log = data.with_name(data.name + ".log")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The node's URL, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process id of the running node."""
        assert self._process is not None
        return self._process.pid

    def start(self, *, environment: dict[str, str] | None = None) -> "NodeProcess":
        """Start the node and wait for its one line; fails with the end of its log."""
        command = [sys.executable, "-m", "node", "serve", "--data", str(self.data), "--port", str(self.port)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *self.options],
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **(environment or {})},
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if b" ready at " not in line:
            self._process.wait(READY_SECONDS)
            raise NodeFailed(self.log.read_text()[-2000:])
        return self

    def kill(self) -> None:
        """End the node as a power cut would: SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End the node politely; return its exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(number)
        try:
            status = process.wait(30)
        finally:
            process.kill()
            if process.stdout is not None:
                process.stdout.close()
        return status

    def status(self) -> dict[str, Any]:
        """Return the result of ``/+status``."""
        result: dict[str, Any] = fetch_json(self.url + "/+status")["result"]
        return result

    def wait_until_at(self, serial: int, *, within_seconds: float = READY_SECONDS) -> dict[str, Any]:
        """Wait until the node has applied a serial and has all blobs; return its status."""
        deadline = time.monotonic() + within_seconds
        while True:
            status = self.status()
            if status["serial"] >= serial and status["blobs_pending"] == 0:
                return status
            if time.monotonic() > deadline:
                raise NodeFailed(f"{self.url} is not at {serial} after {within_seconds} s: {status}")
            time.sleep(POLL_SECONDS)


class ClusterProcesses:
    """A primary and its replicas."""

    def __init__(self, folder: Path, *, replicas: int, options: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.options = options
        self.primary = NodeProcess(folder / "primary", *options).start()
        self.replicas = [self.add_replica() for _ in range(replicas)]

    @property
    def nodes(self) -> list[NodeProcess]:
        """All nodes, the primary first."""
        return [self.primary, *getattr(self, "replicas", [])]

    def new_replica(self, name: str, *options: str) -> NodeProcess:
        """Return a replica that is not started yet."""
        secret = str(self.primary.data / "secret")
        return NodeProcess(self.folder / name, "--primary", self.primary.url, "--secret-file", secret, *options)

    def add_replica(self) -> NodeProcess:
        """Start one more replica."""
        number = len(list(self.folder.glob("replica*.log")))
        return self.new_replica(f"replica{number}", *(o for o in self.options if o == "--offline")).start()

    def wait_until_equal(self) -> dict[str, Any]:
        """Wait until all nodes are at the primary's serial; they must have equal chain and digest."""
        wanted = self.primary.status()
        for node in self.replicas:
            status = node.wait_until_at(wanted["serial"])
            seen = (status["serial"], status["chain"], status["digest"])
            assert seen == (wanted["serial"], wanted["chain"], wanted["digest"])
        return wanted

    def stop(self) -> None:
        """End all nodes."""
        for node in reversed(self.nodes):
            node.stop()


@contextmanager
def running_cluster(folder: Path, *, replicas: int = 2, options: tuple[str, ...] = ()) -> Iterator[ClusterProcesses]:
    """Yield a cluster of processes, and end them all."""
    cluster = ClusterProcesses(folder, replicas=replicas, options=options)
    try:
        yield cluster
    finally:
        cluster.stop()


def fetch_json(url: str, *, method: str = "GET", body: Any = None, headers: dict[str, str] | None = None) -> Any:
    """Return the JSON that a URL answers; raises ``urllib.error.HTTPError`` for a status above 399."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url,
        data=data,
        method=method,
        headers={"Accept": "application/json", "Content-Type": "application/json", **(headers or {})},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read())
