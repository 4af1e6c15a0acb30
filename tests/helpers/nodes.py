"""Real nodes as processes of their own, on loopback."""

import base64
import json
import os
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from storage.check import check

PORT_LOWEST, PORT_HIGHEST = 10_000, 32_000
READY_SECONDS = 30.0
POLL_SECONDS = 0.01
POSITION = ("serial", "chain", "digest")
"""What two nodes of equal history and state have in common."""


class NodeFailed(Exception):
    """A node did not start, or ended when it should not have."""


def free_port() -> int:
    """Return a port that nobody listens on now, and that the system gives to no outgoing connection."""
    while True:
        port = PORT_LOWEST + secrets.randbelow(PORT_HIGHEST - PORT_LOWEST)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
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

    @property
    def command(self) -> list[str]:
        """The command line that starts the node."""
        arguments = ["serve", "--data", str(self.data), "--port", str(self.port), *self.options]
        return [sys.executable, "-m", "node", *arguments]

    def launch(self, *, environment: dict[str, str] | None = None) -> None:
        """Start the node without waiting for it."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, stdout=subprocess.PIPE, stderr=log, env={**os.environ, **(environment or {})}
            )

    def start(self, *, environment: dict[str, str] | None = None) -> "NodeProcess":
        """Start the node and wait for its one line; fails with the end of its log."""
        self.launch(environment=environment)
        return self.wait_until_ready()

    def wait_until_ready(self) -> "NodeProcess":
        """Wait for the line that the node prints when it listens; fails with the end of its log."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            line = process.stdout.readline() if selector.select(READY_SECONDS) else b"nothing in time"
        if b" ready at " not in line:
            self._end(signal.SIGKILL)
            raise NodeFailed(f"{line!r}: {self.log.read_text()[-2000:]}")
        return self

    def refuse_to_start(self) -> tuple[int, list[str]]:
        """Run a node that must not start; return its exit status and the lines it says to its operator.

        Lines of the log, which are JSON, are not among them.
        """
        done = subprocess.run(
            self.command, capture_output=True, text=True, timeout=READY_SECONDS, check=False
        )
        return done.returncode, [line for line in done.stderr.splitlines() if not line.startswith("{")]

    def kill(self) -> None:
        """End the node as a power cut would: SIGKILL."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Stop the process where it is; ``resume``, ``kill`` or ``stop`` go on."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on."""
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> int:
        """End the node politely; return its exit status."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
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

    def metric(self, name: str) -> float:
        """Return a metric without labels."""
        with urllib.request.urlopen(self.url + "/+metrics", timeout=30) as response:
            lines = response.read().decode().splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(name + " "))

    def private_memory_bytes(self) -> int:
        """Return the memory that is the process's own: ``RssAnon``."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return the log's records of one event, also those of earlier processes."""
        records = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [record for record in records if record.get("event") == event]

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
        self.replicas: list[NodeProcess] = []
        self.primary = NodeProcess(folder / "primary", *options)
        try:
            self.primary.start()
            for _ in range(replicas):
                self.replicas.append(
                    self.new_replica(f"replica{len(self.replicas)}", *self._replica_options())
                )
                self.replicas[-1].launch()
            for replica in self.replicas:
                replica.wait_until_ready()
        except BaseException:
            self.stop()
            raise

    @property
    def nodes(self) -> list[NodeProcess]:
        """All nodes, the primary first."""
        return [self.primary, *self.replicas]

    def new_replica(self, name: str, *options: str, primary_url: str | None = None) -> NodeProcess:
        """Return a replica that is not started yet; ``primary_url`` may lead through a proxy."""
        url, secret = primary_url or self.primary.url, str(self.primary.data / "secret")
        return NodeProcess(self.folder / name, "--primary", url, "--secret-file", secret, *options)

    def add_replica(self, *, primary_url: str | None = None) -> NodeProcess:
        """Start one more replica, which belongs to the cluster from now on."""
        name = f"replica{len(self.replicas)}"
        replica = self.new_replica(name, *self._replica_options(), primary_url=primary_url)
        self.replicas.append(replica.start())
        return replica

    def _replica_options(self) -> list[str]:
        return [option for option in self.options if option == "--offline"]

    def wait_until_equal(self) -> dict[str, Any]:
        """Wait until all nodes are at one serial; they must have equal chain and digest there.

        The primary may still be writing: a replica that is past what was seen is compared anew.
        """
        deadline = time.monotonic() + READY_SECONDS
        while True:
            wanted = self.primary.status()
            seen = [node.wait_until_at(wanted["serial"]) for node in self.replicas]
            if all(status["serial"] == wanted["serial"] for status in seen):
                break
            assert time.monotonic() < deadline, "the nodes never stood at one serial"
        for status in seen:
            assert {name: status[name] for name in POSITION} == {name: wanted[name] for name in POSITION}
        return wanted

    def check(self) -> None:
        """The last step of a test: all nodes are equal, stop when told, and leave sound directories."""
        self.wait_until_equal()
        statuses = [node.stop() for node in reversed(self.nodes)]
        assert statuses == [0] * len(self.nodes)
        check_directories(node.data for node in self.nodes)

    def stop(self) -> None:
        """End all nodes."""
        for node in reversed(self.nodes):
            node.stop()


def check_directories(paths: Iterable[Path]) -> None:
    """Verify stopped data directories: nothing is damaged, no blob is still to come."""
    for path in paths:
        report = check(path)
        assert report.is_clean, [str(finding) for finding in report.findings]
        assert report.pending_blobs == 0


@contextmanager
def running_cluster(
    folder: Path, *, replicas: int = 2, options: tuple[str, ...] = ()
) -> Iterator[ClusterProcesses]:
    """Yield a cluster of processes, and end them all."""
    cluster = ClusterProcesses(folder, replicas=replicas, options=options)
    try:
        yield cluster
    finally:
        cluster.stop()


def wait_until_acquainted(urls: Collection[str]) -> None:
    """Wait until every node knows of all: replicas hear of each other from the primary, with its heartbeat."""
    deadline = time.monotonic() + READY_SECONDS
    for url in urls:
        while (known := {row["url"] for row in fetch_json(url + "/+nodes")["result"]}) != set(urls):
            assert time.monotonic() < deadline, f"{url} knows {known}, not {urls}"
            time.sleep(POLL_SECONDS)


def basic(user: str, password: str) -> dict[str, str]:
    """Return the header of Basic authentication; a login token serves as password."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def login(url: str, user: str = "root", password: str = "") -> str:
    """Return a login token."""
    answer = fetch_json(f"{url}/+login", method="POST", body={"user": user, "password": password})
    token: str = answer["result"]["password"]
    return token


def fetch_json(
    url: str, *, method: str = "GET", body: Any = None, headers: dict[str, str] | None = None
) -> Any:
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
