"""Where a command gets a password from: a file, standard input, or whoever sits there."""

import sys
from pathlib import Path

import click


def read_password(file: Path | None, *, prompt: str, is_new: bool = False) -> str:
    """Return a password from ``file``; without one from standard input, asked for where that is a terminal.

    Args:
        file: the file to read; ``-`` is standard input.
        prompt: what is asked, on a terminal.
        is_new: ask twice, since nobody could tell that it was mistyped.

    Raises:
        OSError: the file cannot be read.
        click.Abort: nothing was typed.

    """
    if file is not None and str(file) != "-":
        return file.read_text().rstrip("\r\n")
    if file is not None or not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    default = None if is_new else ""
    password: str = click.prompt(
        prompt, hide_input=True, confirmation_prompt=is_new, default=default, show_default=False
    )
    return password
