"""What a node says of itself and its cluster: one set of numbers behind the status JSON and the metrics."""

import time
from dataclasses import asdict, dataclass
from typing import Any

from node.cluster.roles import PrimaryRole, ReplicaRole, primary_id
from node.services import Services
from node.version import VERSION
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


def status_json(services: Services, *, outside_url: str) -> dict[str, Any]:
    """Return the result of ``/+status``: devpi's fields, then ours."""
    state = node_state(services)
    statistics = services.store.statistics()
    committed_at = statistics.last_commit_at_ms / 1000 or None
    result: dict[str, Any] = {
        "serverdir": str(services.store.path),
        "uuid": services.card.node_id,
        "versioninfo": {"wheelyard": VERSION},
        "server-code": "wheelyard",
        "host": services.config.host,
        "port": services.config.port,
        "outside-url": outside_url,
        "serial": state.serial,
        "last-commit-timestamp": committed_at,
        "event-serial": state.serial,
        "event-serial-timestamp": committed_at,
        "event-serial-in-sync-at": time.time(),
        "metrics": [],
        "role": "MASTER" if state.role == "primary" else "REPLICA",
        "polling_replicas": {row.card.node_id: _polling_row(row) for row in members(services)},
    }
    if isinstance(services.role, ReplicaRole):
        result |= _devpi_replica_fields(services, services.role, state)
    ours = {name: value for name, value in asdict(state).items() if name != "role"}
    return {
        **result,
        **ours,
        "region": services.card.region,
        "set_aside": [path.name for path in services.store.set_aside()],
        "replicas": [_row(row) for row in members(services)],
    }


def _polling_row(row: MemberRow) -> dict[str, Any]:
    return {
        "remote-ip": None,
        "serial": int(row.applied),
        "in-request": row.is_streaming,
        "is-streaming": row.is_streaming,
        "last-request": row.last_seen,
        "outside-url": row.card.url,
    }


def _row(row: MemberRow) -> dict[str, Any]:
    return {
        "node_id": row.card.node_id,
        "url": row.card.url,
        "region": row.card.region,
        "version": row.card.version,
        "serial": int(row.applied),
        "lag_serials": row.lag_serials,
        "blobs_pending": row.blobs_pending,
        "blobs_pending_bytes": row.blobs_pending_bytes,
        "is_streaming": row.is_streaming,
        "last_seen": row.last_seen,
    }


def _devpi_replica_fields(services: Services, role: ReplicaRole, state: NodeState) -> dict[str, Any]:
    follower = role.follower.status
    shared = {
        "url": state.primary_url,
        "uuid": primary_id(role, services.card),
        "serial": state.head,
        "serial-timestamp": follower.updated_at,
        "contacted-at": follower.contacted_at,
    }
    fields: dict[str, Any] = {}
    for name in ("master", "primary"):
        fields |= {f"{name}-{key}": value for key, value in shared.items()}
        fields[f"update-from-{name}-at"] = follower.updated_at
    files_at = follower.in_sync_at if state.blobs_pending == 0 else None
    errors = {
        failure.sha256.hex(): {
            "url": state.primary_url,
            "message": failure.error,
            "relpath": failure.sha256.hex(),
        }
        for failure in role.transfer.status.failures
    }
    return fields | {
        "replica-started-at": services.started_at,
        "replica-metadata-in-sync-at": follower.in_sync_at,
        "replica-init-queue-finished-at": files_at,
        "replica-files-in-sync-at": files_at,
        "replica-in-sync-at": files_at,
        "replication-errors": errors,
    }


def nodes_json(services: Services) -> list[dict[str, Any]]:
    """Return every node that this one knows of, with where it is and how far: ``/+nodes``."""
    state = node_state(services)
    rows = []
    if isinstance(services.role, ReplicaRole):
        primary = services.role.follower.status.primary
        if primary is not None:
            rows.append(
                {
                    "node_id": primary.node_id,
                    "url": primary.url,
                    "region": primary.region,
                    "role": "primary",
                    "is_healthy": state.primary_reachable,
                    "lag_serials": 0,
                }
            )
    else:
        card = services.card
        rows.append(
            {
                "node_id": card.node_id,
                "url": card.url,
                "region": card.region,
                "role": "primary",
                "is_healthy": state.phase == "accepting",
                "lag_serials": 0,
            }
        )
    rows.extend(
        {
            "node_id": row.card.node_id,
            "url": row.card.url,
            "region": row.card.region,
            "role": "replica",
            "is_healthy": row.is_streaming,
            "lag_serials": row.lag_serials,
        }
        for row in members(services)
    )
    return rows
