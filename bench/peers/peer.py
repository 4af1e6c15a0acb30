"""What every program that is compared can do here."""

from __future__ import annotations

import http.client
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from bench.client import Client

if TYPE_CHECKING:
    from pathlib import Path

    from bench.client import Answer
    from bench.process import Child

ROOT_PASSWORD = "root-of-the-bench"


@dataclass(slots=True)
class Node:
    """One running process of a peer."""

    url: str
    child: Child
    data: Path
    is_primary: bool = True
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = Client(self.url)

    def stop(self) -> None:
        """End the process."""
        self.client.close()
        self.child.stop()


class Peer(Protocol):
    """A program that is compared."""

    @property
    def name(self) -> str:
        """The word that results carry."""

    def version(self) -> str:
        """Return the version of the program.

        Raises:
            ToolMissing: The program is not installed and cannot be.

        """


class IndexPeer(Peer, Protocol):
    """A package index with primary and replicas that speaks devpi's HTTP API."""

    def start_primary(self, data: Path) -> Node:
        """Start an empty primary, and wait until it answers.

        Raises:
            NodeFailed: It did not come up.

        """

    def start_replica(self, primary: Node, data: Path, *, is_awaited: bool = True) -> Node:
        """Start a replica, empty if ``data`` does not exist; wait until it answers if asked to.

        Raises:
            NodeFailed: It did not come up.

        """

    def prepare_replica(self, primary: Node, data: Path) -> None:
        """Do what must happen before the first start and is no part of it."""

    def has_files(self, replica: Node, count: int) -> bool:
        """Tell whether a replica that is at head has the bytes of all ``count`` uploaded files."""


class FilePeer(Peer, Protocol):
    """A server of static files."""

    def start(self, data: Path, answers: dict[str, Answer]) -> Node:
        """Serve these bodies, with their content types, under these paths.

        Raises:
            NodeFailed: It did not come up.

        """


def serial_of(node: Node) -> int:
    """Return the serial up to which a node has applied; -1 while it does not answer."""
    try:
        answer = node.client.request("GET", "/+status", headers={"Accept": "application/json"})
    except (OSError, http.client.HTTPException):
        return -1
    return int(answer.json()["result"]["serial"]) if answer.status == 200 else -1
