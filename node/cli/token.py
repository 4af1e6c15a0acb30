"""``wheelyard token``: API tokens, made, listed and revoked on a running cluster."""

import base64
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from node.cli.asking import NodeRefused, NodeSilent, ask
from node.cli.output import described, fail
from node.cli.password_input import read_password

UNIT_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}
_SPAN = re.compile(rf"(\d{{1,9}})([{''.join(UNIT_SECONDS)}])")


@click.group("token")
def token_command() -> None:
    """Make, list and revoke API tokens of USER on the cluster at URL, any of its nodes.

    A token is sent as password, with the user's name or with __token__, or as Bearer.
    """


def _connected(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the words that say where, for whom, and who asks."""
    command = click.option(
        "--password-file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="read the password from a file instead of asking; - is standard input",
    )(command)
    command = click.option("--as", "actor", metavar="NAME", help="log in as NAME (root) instead of USER")(
        command
    )
    return click.argument("url")(click.argument("user")(command))


@token_command.command("create")
@_connected
@click.option(
    "--allow", multiple=True, metavar="NAME", help="read, upload, delete, or devpi's names; else all"
)
@click.option("--index", multiple=True, metavar="USER/INDEX", help="only this index; may be repeated")
@click.option("--project", multiple=True, metavar="NAME", help="only this project; may be repeated")
@click.option("--expires", metavar="SPAN", help="12h, 90d, 1y, Unix seconds, or never; else after a year")
@click.option("--note", default="", metavar="TEXT", help="what it is for, shown in the list")
def create_command(
    url: str,
    user: str,
    *,
    actor: str | None,
    password_file: Path | None,
    allow: tuple[str, ...],
    index: tuple[str, ...],
    project: tuple[str, ...],
    expires: str | None,
    note: str,
) -> None:
    """Make a token and print it; it is shown this once."""
    lists = {"allowed": _split(allow), "indexes": _split(index), "projects": _split(project)}
    given: dict[str, Any] = {key: names for key, names in lists.items() if names}
    if expires is not None:
        given["expires"] = parse_expiry(expires, now_seconds=time.time())
    if note:
        given["note"] = note
    made = _as_user(url, actor or user, password_file, "POST", f"/{quote(user)}/+token-create", given)
    click.echo(made["token"])


@token_command.command("list")
@_connected
def list_command(url: str, user: str, *, actor: str | None, password_file: Path | None) -> None:
    """List a user's tokens: id, when it was made, limits, note."""
    shown = _as_user(url, actor or user, password_file, "GET", f"/{quote(user)}/+tokens")
    for token_id, token in sorted(shown["tokens"].items(), key=lambda item: item[1].get("created", "")):
        words = (token_id, token.get("created", ""), *token["restrictions"], token.get("note", ""))
        click.echo("  ".join(word for word in words if word))


@token_command.command("revoke")
@_connected
@click.argument("token_id")
def revoke_command(
    url: str, user: str, token_id: str, *, actor: str | None, password_file: Path | None
) -> None:
    """End a token; TOKEN_ID is its id as the list shows it, or the token itself."""
    token_id = token_id.removeprefix("wy_").partition("_")[0]
    _as_user(
        url, actor or user, password_file, "DELETE", f"/{quote(user)}/+tokens/{quote(token_id, safe='')}"
    )
    click.echo(f"revoked {token_id}")


def parse_expiry(text: str, *, now_seconds: float) -> int | str:
    """Return a time that ``--expires`` names as Unix seconds, or ``never``; what is neither is left to the node."""
    match = _SPAN.fullmatch(text)
    return text if match is None else int(now_seconds) + int(match[1]) * UNIT_SECONDS[match[2]]


def _split(values: tuple[str, ...]) -> list[str]:
    return [name.strip() for value in values for name in value.split(",")]


def _as_user(
    url: str,
    actor: str,
    password_file: Path | None,
    method: str,
    path: str,
    body: Mapping[str, Any] | None = None,
) -> Any:
    """Return the result of a request that is sent as a user; says in one line why there is none."""
    try:
        password = read_password(password_file, prompt=f"Password of {actor}")
        login = ask(url, "/+login", method="POST", body={"user": actor, "password": password})
        credentials = base64.b64encode(f"{actor}:{login['password']}".encode()).decode()
        return ask(url, path, method=method, body=body, headers={"X-Devpi-Auth": credentials})
    except (NodeSilent, NodeRefused) as error:
        fail(str(error))
    except OSError as error:
        fail(described(error))
