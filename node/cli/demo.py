"""``wheelyard demo``: a whole cluster on this machine, for a first look."""

import asyncio
import errno
import os
import secrets
import signal
import socket
import sys
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path

import click

from node.cli.asking import NodeRefused, NodeSilent, fetch
from node.cli.children import READY_SECONDS, Child, ChildFailed, start_node, stop_node
from node.cli.output import described, fail
from node.secrets import SECRET_FILE_NAME

REPLICAS = 2
PORT = 3141
PORT_LOWEST, PORT_HIGHEST = 10_000, 32_000
PORT_TRIES = 100
POLL_SECONDS = 0.05
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.command("demo")
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    default=Path("demo-data"),
    show_default=True,
    help="where the three nodes keep their data; kept from one time to the next",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535 - REPLICAS),
    default=PORT,
    show_default=True,
    help="port of the primary; the replicas take the next two; 0 finds three free ones",
)
def demo_command(directory: Path, port: int) -> None:
    """Run one primary and two replicas on loopback until Ctrl-C."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        sys.exit(asyncio.run(run_demo(directory, port=port)))
    except ChildFailed as error:
        fail(str(error))
    except OSError as error:
        fail(described(error))


async def run_demo(directory: Path, *, port: int) -> int:
    """Run the cluster until told to stop; return the exit status.

    Raises:
        ChildFailed: a node did not start, or ended by itself.
        OSError: a log cannot be written.

    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        working = asyncio.create_task(_start_and_watch(directory, port, stack))
        told = asyncio.create_task(stopping.wait())
        done, _ = await asyncio.wait([working, told], return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if working not in done:
            working.cancel()
            await asyncio.wait([working])
        elif (error := working.exception()) is not None and not stopping.is_set():
            raise error
    click.echo("stopped")
    return 0


async def _start_and_watch(directory: Path, port: int, stack: AsyncExitStack) -> None:
    """Start all nodes, say what to do with them, and wait until one ends."""
    port = port or free_port_before(REPLICAS)
    primary = await _start(stack, directory, "primary", port)
    secret = directory / "primary" / SECRET_FILE_NAME
    follow = ("--primary", primary.url, "--secret-file", str(secret))
    replicas = [
        await _start(stack, directory, f"replica-{number}", port + number, *follow)
        for number in range(1, REPLICAS + 1)
    ]
    nodes = [primary, *replicas]
    for node in nodes:
        await _wait_until_ready(node)
    click.echo(what_to_type(*(node.url for node in nodes), directory=directory))
    waits = {asyncio.create_task(node.process.wait()): node for node in nodes}
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waits:
            task.cancel()
    ended = waits[done.pop()]
    raise ChildFailed(ended.name, f"it ended with status {ended.process.returncode}, see {ended.log}")


def free_port_before(following: int) -> int:
    """Return a port that nobody listens on now, nor on so many that follow it.

    Nodes tell each other theirs, so they must know them before they listen. Ports are taken from below those that
    the system gives to outgoing connections, which would otherwise take one meanwhile.

    Raises:
        OSError: none was found.

    """
    for _ in range(PORT_TRIES):
        base = PORT_LOWEST + secrets.randbelow(PORT_HIGHEST - PORT_LOWEST - following)
        with ExitStack() as stack, suppress(OSError):
            for port in range(base, base + following + 1):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return base
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


async def _start(stack: AsyncExitStack, directory: Path, name: str, port: int, *options: str) -> Child:
    words = ("--data", str(directory / name), "--host", "127.0.0.1", "--port", str(port))
    child = await start_node(name, *words, *options, log=directory / f"{name}.log")
    stack.push_async_callback(stop_node, child)
    return child


async def _wait_until_ready(child: Child) -> None:
    deadline = asyncio.get_running_loop().time() + READY_SECONDS
    while True:
        try:
            await asyncio.to_thread(fetch, child.url, "/+ready")
        except (NodeSilent, NodeRefused) as error:
            if asyncio.get_running_loop().time() > deadline:
                raise ChildFailed(child.name, f"{error}, see {child.log}") from None
            await asyncio.sleep(POLL_SECONDS)
        else:
            return


def what_to_type(primary: str, replica: str, other: str, *, directory: Path) -> str:
    """Return what is shown once the cluster is up."""
    return f"""\
The cluster is up; its data is in {directory}. Ctrl-C stops it.

  primary   {primary}
  replicas  {replica}
            {other}

In another terminal:

  wheelyard status {replica}
  pip install --index-url {replica}/root/pypi/+simple/ requests
  devpi use {primary}
  devpi login root --password=

README.md goes on from there: users, indexes, an upload, a push, an installation from a replica.
"""
