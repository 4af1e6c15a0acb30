"""``wheelyard status``: the cluster at a glance."""

import json
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from node.cli.asking import NodeRefused, NodeSilent, ask
from node.cli.output import fail

DEFAULT_URL = "http://127.0.0.1:3141"


@click.command("status")
@click.argument("url", default=DEFAULT_URL)
@click.option("--json", "as_json", is_flag=True, help="print what /+status and /+nodes answer")
def status_command(url: str, *, as_json: bool) -> None:
    """Show the cluster as the node at URL sees it (http://127.0.0.1:3141 when none is given)."""
    try:
        status, nodes = ask(url, "/+status"), ask(url, "/+nodes")
    except NodeSilent as error:
        fail(str(error))
    except NodeRefused as error:
        fail(f"{url} answers {error.status}: {error.message}")
    if as_json:
        click.echo(json.dumps({"status": status, "nodes": nodes}, indent=2))
        return
    try:
        lines, rows = headlines(status), table(status, nodes)
    except (KeyError, TypeError):
        fail(f"{url} answers, and is no Wheelyard node of this version")
    console = Console()
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(rows)


def headlines(status: dict[str, Any]) -> list[str]:
    """Return what the asked node says of itself."""
    role = "primary" if status["primary_url"] is None else "replica"
    lines = [
        f"{role} {status['outside-url']}: {status['phase']}, serial {status['serial']} of epoch {status['epoch']}"
    ]
    if role == "replica":
        heard = "reachable" if status["primary_reachable"] else "UNREACHABLE"
        lines.append(f"its primary {status['primary_url']} is {heard}, {_lag(status)}")
    if status["blobs_pending"]:
        lines.append(
            f"{status['blobs_pending']} blobs ({status['blobs_pending_bytes']} bytes) are not here yet"
        )
    if status["last_error"]:
        lines.append(f"last error: {status['last_error']}")
    return lines


def _lag(status: dict[str, Any]) -> str:
    serials, seconds = status["lag_serials"], status["lag_seconds"]
    if serials is None:
        return "how far this replica is behind is not known yet"
    age = "" if seconds is None else f", {seconds:.1f} s since it was known to be current"
    return f"{serials} serials behind{age}"


def table(status: dict[str, Any], nodes: list[dict[str, Any]]) -> Table:
    """Return a row for every node, the primary first."""
    pending = {row["node_id"]: row["blobs_pending"] for row in status["replicas"]}
    serials = {row["node_id"]: row["serial"] for row in status["replicas"]}
    shown = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in ("role", "url", "region", "health", "serial", "lag", "blobs pending", "node"):
        shown.add_column(heading, no_wrap=heading == "url")
    for node in nodes:
        node_id = node["node_id"]
        is_primary = node["role"] == "primary"
        shown.add_row(
            node["role"],
            escape(node["url"]),
            escape(node["region"] or "-"),
            "[green]healthy[/]" if node["is_healthy"] else "[red]unhealthy[/]",
            _number(status["head"] if is_primary else serials.get(node_id)),
            _number(node["lag_serials"]),
            "0" if is_primary else _number(pending.get(node_id)),
            escape(node_id[:8]),
        )
    return shown


def _number(number: int | None) -> str:
    return "-" if number is None else str(number)
