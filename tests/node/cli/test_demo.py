from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from node.cli.demo import REPLICAS, free_port_before
from tests.helpers.nodes import fetch_json, wait_until_acquainted
from tests.node.cli.running import refused_with, wheelyard

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def demo(directory: Path, port: int = 0) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A running demo, and the URLs that it shows; killed at the end if it still runs."""
    command = [sys.executable, "-m", "node", "demo", "--dir", str(directory), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            urls = []
            for line in process.stdout:
                if line.startswith(("  primary", "  replicas", "     ")):
                    urls.append(line.split()[-1])
                if line.startswith("README.md"):
                    break
            assert len(urls) == 3, process.stderr and process.stderr.read()
            yield process, urls
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(30)


def children_of(pid: int) -> dict[int, list[str]]:
    """Return the words that each child of a process was started with, by process id."""
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return {child: Path(f"/proc/{child}/cmdline").read_text().split("\0") for child in children}


def is_answering(url: str) -> bool:
    try:
        fetch_json(url + "/+status")
    except OSError:
        return False
    return True


def test_three_nodes_run_until_ctrl_c_and_none_afterwards(tmp_path: Path) -> None:
    with demo(tmp_path / "data") as (process, urls):
        wait_until_acquainted(urls)
        nodes = fetch_json(urls[2] + "/+nodes")["result"]
        assert [node["role"] for node in nodes] == ["primary", "replica", "replica"]
        assert {node["url"] for node in nodes} == set(urls)
        assert all(node["is_healthy"] for node in nodes)

        process.send_signal(signal.SIGINT)
        process.wait(30)

        assert process.returncode == 0
        assert not any(is_answering(url) for url in urls)


def test_data_is_kept_from_one_demo_to_the_next_also_on_other_ports(tmp_path: Path) -> None:
    with demo(tmp_path / "data") as (process, urls):
        before = fetch_json(urls[0] + "/+status")["result"]
        process.terminate()
        assert process.wait(30) == 0
    port = free_port_before(REPLICAS)

    with demo(tmp_path / "data", port) as (_, urls):
        after = fetch_json(urls[0] + "/+status")["result"]

    assert urls == [f"http://127.0.0.1:{port + number}" for number in range(3)]
    assert (after["uuid"], after["serial"], after["chain"]) == (
        before["uuid"],
        before["serial"],
        before["chain"],
    )


def test_killed_node_ends_the_demo_and_the_others(tmp_path: Path) -> None:
    """kill -9 of a replica: the demo says which, and stops the rest instead of leaving half a cluster."""
    with demo(tmp_path / "data") as (process, urls):
        children = children_of(process.pid)
        assert len(children) == 3

        os.kill(
            next(pid for pid, words in children.items() if str(tmp_path / "data" / "replica-1") in words), 9
        )
        process.wait(30)

        assert process.stderr is not None
        assert process.returncode == 1
        assert "replica-1: it ended with status -9" in process.stderr.read()
        assert not any(is_answering(url) for url in urls)


def test_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])

        said = refused_with(wheelyard("demo", "--dir", str(tmp_path / "data"), "--port", port))

    assert said.startswith("primary: ")
    assert "address already in use" in said
