"""README's own lines, run as they stand: only the ports are others, so that tests can run beside a demo."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from node.cli.demo import PORT, REPLICAS
from tests.docs.readme import commands_in, console_blocks, output_in
from tests.helpers.clients import client_environment
from tests.helpers.nodes import fetch_json

if TYPE_CHECKING:
    from collections.abc import Iterator

DEMO = "make demo"
WALKTHROUGH_SECONDS = 240


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[list[int]]:
    """The ports of a demo that runs in a folder of its own."""
    options = ["--dir", str(tmp_path / "demo-data"), "--port", "0"]
    command = [sys.executable, "-m", "node", "demo", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            urls = []
            for line in process.stdout:
                urls += re.findall(r"^  (?:primary  |replicas|        ) +http://127.0.0.1:(\d+)$", line)
                if line.startswith("README.md"):
                    break
            yield [int(port) for port in urls]
        finally:
            process.terminate()
            process.wait(30)


def script(ports: list[int]) -> str:
    blocks = console_blocks()
    assert commands_in(blocks[0]) == [DEMO]
    text = "\n".join(line for block in blocks[1:] for line in commands_in(block))
    for number in range(1 + REPLICAS):
        text = text.replace(f":{PORT + number}", f":{ports[number]}")
    return text


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_walkthrough_runs_line_by_line_with_the_stock_clients(tmp_path: Path, ports: list[int]) -> None:
    """A cluster runs as `make demo` runs it; the lines after it are typed into one shell, which stops at an error."""
    assert len(ports) == 1 + REPLICAS
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "home").mkdir()

    done = subprocess.run(
        ["bash", "-eux", "-c", script(ports)],
        cwd=tmp_path,
        env=client_environment(tmp_path / "home"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=WALKTHROUGH_SECONDS,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    shown = [line for block in console_blocks() for line in output_in(block)]
    said = done.stdout.splitlines()
    assert shown
    assert all(said.count(line) == shown.count(line) for line in shown), done.stdout
    staged = fetch_json(f"http://127.0.0.1:{ports[2]}/team/staging/thing")["result"]["1.0"]["+links"]
    assert sorted(Path(link["href"]).name for link in staged) == [
        "thing-1.0-py3-none-any.whl",
        "thing-1.0.tar.gz",
    ]
