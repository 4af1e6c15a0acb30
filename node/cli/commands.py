"""The commands of ``wheelyard``."""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

import click

from node.config import Config, ConfigError, load_config
from node.directory import open_directory
from node.logs import configure_logs
from node.secrets import make_secret_file
from node.serve import serve
from node.version import VERSION
from storage.errors import StorageError


def fail(*problems: str) -> NoReturn:
    """Print each problem on one line and exit with status 1."""
    for problem in problems:
        click.echo(f"wheelyard: {problem}", err=True)
    sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="wheelyard")
def cli() -> None:
    """Run a private Python package index as a replicated cluster."""


def config_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each field of ``Config``."""
    for known in reversed(fields(Config)):
        name = f"--{known.name.replace('_', '-')}"
        help_text = known.metadata["help"]
        if known.default is False:
            command = click.option(name, known.name, is_flag=True, default=None, help=help_text)(command)
        else:
            command = click.option(name, known.name, default=None, metavar="VALUE", help=help_text)(command)
    return command


@cli.command("serve")
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    help="TOML file with options",
    envvar="WHEELYARD_CONFIG",
)
@config_options
def serve_command(file: Path | None, **flags: Any) -> None:
    """Run a node: a primary, or with --primary a replica."""
    try:
        config = load_config(flags, file=file)
        configure_logs()
        directory = open_directory(config)
    except ConfigError as error:
        fail(*error.problems)
    except (StorageError, OSError) as error:
        fail(str(error))
    try:
        status = asyncio.run(serve(config, directory))
    except OSError as error:
        fail(str(error))
    finally:
        directory.store.close()
    sys.exit(status)


@cli.command("secret")
@click.argument("file", type=click.Path(path_type=Path))
def secret_command(file: Path) -> None:
    """Make the secret that lets nodes join a cluster."""
    try:
        make_secret_file(file)
    except FileExistsError:
        fail(f"{file} exists; a secret is never overwritten")
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    click.echo(f"wrote a new cluster secret to {file}")
