"""What every command says when it cannot do its work: one line per problem, exit status 1."""

import sys
from typing import NoReturn

import click


def fail(*problems: str) -> NoReturn:
    """Print each problem on one line and exit with status 1."""
    for problem in problems:
        click.echo(f"wheelyard: {' '.join(problem.split())}", err=True)
    sys.exit(1)


def described(error: OSError) -> str:
    """Return an operating system's error as people write it: what it is about, then what is wrong."""
    if error.strerror is None:
        return str(error)
    return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
