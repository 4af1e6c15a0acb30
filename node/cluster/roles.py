"""The two roles of a node, as types."""

from dataclasses import dataclass

from node.cluster.link import HttpLink
from replication.feeder import Feeder
from replication.follower import Follower
from replication.hello import NodeCard
from replication.members import Members
from replication.transfer import BlobTransfer


@dataclass(frozen=True, slots=True)
class PrimaryRole:
    """Accepts writes and feeds replicas."""

    feeder: Feeder
    members: Members


@dataclass(frozen=True, slots=True)
class ReplicaRole:
    """Follows a primary, and passes writes on to it."""

    follower: Follower
    transfer: BlobTransfer
    link: HttpLink


Role = PrimaryRole | ReplicaRole


def primary_id(role: Role, card: NodeCard) -> str:
    """Return the node id of the primary; ``card`` is this node's own. Empty while a replica has not met it."""
    if isinstance(role, PrimaryRole):
        return card.node_id
    primary = role.follower.status.primary
    return "" if primary is None else primary.node_id
