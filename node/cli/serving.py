"""``wheelyard serve``."""

import asyncio
import resource
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import structlog

from node.cli.output import described, fail
from node.config import Config, ConfigError, load_config
from node.directory import open_directory
from node.logs import configure_logs
from node.serve import serve
from storage.errors import StorageError

FILES_BESIDE_CONNECTIONS = 1024
"""Open files a node may need beside its connections: blobs being read and written, LMDB, upstream."""
_log = structlog.get_logger()


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


@click.command("serve")
@click.option(
    "--config",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="TOML file with options",
    envvar="WHEELYARD_CONFIG",
)
@config_options
def serve_command(file: Path | None, **flags: Any) -> None:
    """Run a node: a primary, or with --primary a replica.

    Every option is also an environment variable (--max-upload-bytes: WHEELYARD_MAX_UPLOAD_BYTES) and a key of the
    TOML file (max_upload_bytes). A flag wins over the environment, and that over the file.
    """
    try:
        config = load_config(flags, file=file)
        configure_logs()
        raise_open_files(connections_max=config.connections_max)
        directory = open_directory(config)
    except ConfigError as error:
        fail(*error.problems)
    except StorageError as error:
        fail(str(error))
    except OSError as error:
        fail(described(error))
    try:
        status = asyncio.run(serve(config, directory))
    except OSError as error:
        fail(described(error))
    finally:
        directory.store.close()
    sys.exit(status)


def raise_open_files(*, connections_max: int) -> None:
    """Raise the soft limit of open files to what the connections may need, as far as the hard limit allows."""
    wanted = connections_max + FILES_BESIDE_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    reached = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (reached, hard))
    if reached < wanted:
        _log.warning("open files limited", limit=reached, wanted=wanted, connections_max=connections_max)
