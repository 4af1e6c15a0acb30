"""The commands of ``wheelyard``, in one group."""

from pathlib import Path

import click

from node.cli.checking import check_command
from node.cli.demo import demo_command
from node.cli.output import described, fail
from node.cli.passwd import passwd_command
from node.cli.serving import serve_command
from node.cli.status import status_command
from node.cli.token import token_command
from node.secrets import make_secret_file
from node.version import VERSION


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="wheelyard")
def cli() -> None:
    """Run a private Python package index as a replicated cluster."""


@click.command("secret")
@click.argument("file", type=click.Path(path_type=Path))
def secret_command(file: Path) -> None:
    """Make the secret that lets nodes join a cluster."""
    try:
        make_secret_file(file)
    except FileExistsError:
        fail(f"{file} exists; a secret is never overwritten")
    except OSError as error:
        fail(described(error))
    click.echo(f"wrote a new cluster secret to {file}")


for command in (
    serve_command,
    demo_command,
    status_command,
    secret_command,
    passwd_command,
    token_command,
    check_command,
):
    cli.add_command(command)


def run() -> None:
    """Run the command that the arguments name; what click refuses is one line too."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = "" if context is None else f" (see {context.command_path} --help)"
        fail(error.format_message().rstrip(".") + hint)
    except click.Abort:
        fail("interrupted")
