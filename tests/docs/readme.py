"""The console lines of README.md."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).parent.parent.parent / "README.md"
_BLOCK = re.compile(r"^```console\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


def console_blocks() -> list[list[str]]:
    """Return the lines of each fenced block of console input and output."""
    return [block.splitlines() for block in _BLOCK.findall(README.read_text(encoding="utf-8"))]


def commands_in(block: list[str]) -> list[str]:
    return [line.removeprefix("$ ") for line in block if line.startswith("$ ")]


def output_in(block: list[str]) -> list[str]:
    return [line for line in block if not line.startswith("$ ")]
