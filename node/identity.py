"""What a data directory says of its node: ``node.json``."""

import json
import os
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from node.config import ConfigError

NODE_FILE_NAME = "node.json"
UNFINISHED_NAME = "node.json.new"
"""What a start that was cut short may leave."""
FORMAT = 1

RoleName = Literal["primary", "replica"]


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """Who a node is, from its first start on."""

    node_id: str
    role: RoleName
    format: int = FORMAT


def read_identity(path: Path) -> NodeIdentity | None:
    """Return the identity of a data directory, None when it is new.

    Raises:
        ConfigError: the file is there and cannot be read.

    """
    file = path / NODE_FILE_NAME
    try:
        return NodeIdentity(**json.loads(file.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError([f"{file} cannot be read: {error}"]) from error


def write_identity(path: Path, identity: NodeIdentity) -> None:
    """Write the identity durably, whole or not at all."""
    file, temporary = path / NODE_FILE_NAME, path / UNFINISHED_NAME
    with temporary.open("w") as stream:
        json.dump(asdict(identity), stream)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.rename(file)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def new_identity(role: RoleName) -> NodeIdentity:
    """Return the identity of a node that starts for the first time."""
    return NodeIdentity(uuid.uuid4().hex, role)
