"""The two roles of a node, as types."""

from dataclasses import dataclass

from node.cluster.link import HttpLink
from replication.feeder import Feeder
from replication.follower import Follower
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
