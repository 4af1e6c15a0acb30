"""Where a node is: one set of numbers behind the status JSON and the metrics."""

import time
from dataclasses import dataclass
from typing import Any

from node.cluster.roles import PrimaryRole, ReplicaRole
from node.services import Services
from replication.members import MemberRow

UNREACHABLE_AFTER_SECONDS = 5.0
"""A primary that was silent for so long (five heartbeats) is shown as unreachable."""


@dataclass(frozen=True, slots=True)
class NodeState:
    """Where this node is, in the vocabulary of the cluster. Times are Unix seconds."""

    role: str  # primary, replica
    phase: str  # a primary: accepting or suspect; a replica: what its follower does
    epoch: int
    serial: int  # applied
    head: int | None  # the primary's, as last heard
    floor: int
    chain: str
    digest: str
    lag_serials: int | None
    lag_bytes: int | None
    lag_seconds: float | None
    blobs_pending: int
    blobs_pending_bytes: int
    primary_url: str | None  # None on the primary itself
    primary_reachable: bool
    last_error: str | None
    last_error_at: float | None


def node_state(services: Services) -> NodeState:
    """Return where this node is now."""
    store = services.store
    position = store.position
    pending, pending_bytes = store.pending_totals()
    common: dict[str, Any] = {
        "epoch": store.epoch,
        "serial": int(position.serial),
        "floor": int(store.floor),
        "chain": position.chain.hex(),
        "digest": store.digest.hex(),
        "blobs_pending": pending,
        "blobs_pending_bytes": pending_bytes,
    }
    if isinstance(services.role, ReplicaRole):
        return _replica_state(services.role, common)
    feeder = services.role.feeder
    return NodeState(
        **common,
        role="primary",
        phase="suspect" if feeder.is_suspect else "accepting",
        head=int(position.serial),
        lag_serials=0,
        lag_bytes=0,
        lag_seconds=0.0,
        primary_url=None,
        primary_reachable=True,
        last_error=feeder.suspect_reason,
        last_error_at=None,
    )


def _replica_state(role: ReplicaRole, common: dict[str, Any]) -> NodeState:
    follower = role.follower.status
    heard_seconds_ago = None if follower.contacted_at is None else time.time() - follower.contacted_at
    is_talking = follower.phase in {"following", "catching-up", "bootstrapping"}
    return NodeState(
        **common,
        role="replica",
        phase=follower.phase,
        head=follower.head_serial,
        lag_serials=follower.lag_serials,
        lag_bytes=follower.lag_bytes,
        lag_seconds=follower.lag_seconds,
        primary_url=role.link.primary_url,
        primary_reachable=is_talking
        and heard_seconds_ago is not None
        and heard_seconds_ago < UNREACHABLE_AFTER_SECONDS,
        last_error=follower.last_error or role.transfer.status.last_error,
        last_error_at=follower.last_error_at,
    )


def members(services: Services) -> tuple[MemberRow, ...]:
    """Return the replicas, as the primary sees them or last told this node."""
    if isinstance(services.role, PrimaryRole):
        return tuple(services.role.members.rows())
    return services.role.follower.status.members
