"""devpi's fields of ``/+status``, for dashboards that were made for devpi (devpi: ``/+status``, its ``StatusView``).

devpi calls the primary both ``master`` and ``primary``. Times are Unix seconds, None where it never was. An event is what
devpi does after a commit; nothing waits for one here, so events are always in sync.
"""

import time
from typing import Any

from node.cluster.roles import ReplicaRole, primary_id
from node.services import Services
from node.state import NodeState, members
from node.version import VERSION
from replication.members import MemberRow

CACHES = ("storage", "changelog", "relpath")
REPLICA_CACHES = ("replica_deleted", "replica_indextypes")
"""Caches of devpi that nothing here needs: the database is mapped into memory. Their counters stand at 0."""
_CACHE_COUNTERS = ("evictions", "hits", "lookups", "misses")


def devpi_fields(services: Services, state: NodeState, *, outside_url: str) -> dict[str, Any]:
    """Return all fields that devpi has, but for the metrics, in its words."""
    committed_at = _committed_at(services)
    fields: dict[str, Any] = {
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
        "role": "MASTER" if state.role == "primary" else "REPLICA",
        "polling_replicas": {},
    }
    if isinstance(services.role, ReplicaRole):
        return fields | _replica_fields(services, services.role, state)
    fields["polling_replicas"] = {row.card.node_id: _polling_row(row) for row in members(services)}
    return fields


def devpi_metrics(services: Services, state: NodeState) -> list[list[Any]]:
    """Return devpi's metrics: name, kind, value."""
    replica = services.role if isinstance(services.role, ReplicaRole) else None
    caches = CACHES if replica is None else CACHES + REPLICA_CACHES
    listed: list[list[Any]] = []
    for cache in caches:
        listed += [[f"devpi_server_{cache}_cache_{counter}", "counter", 0] for counter in _CACHE_COUNTERS]
        sizes = ("size",) if cache == "storage" else ("size", "items")
        listed += [[f"devpi_server_{cache}_cache_{size}", "gauge", 0] for size in sizes]
    if replica is not None:
        transfer = replica.transfer.status
        queue = "devpi_server_replica_file_download"
        listed += [
            [f"{queue}_queue_size", "gauge", state.blobs_pending],
            [f"{queue}_error_queue_size", "gauge", len(transfer.failures)],
            ["devpi_server_replica_initial_files_processed", "counter", transfer.fetched],
        ]
    return listed


def _committed_at(services: Services) -> float | None:
    """Return when the newest entry was written; where none is kept, when this process last committed anything."""
    time_ms = services.store.head_time_ms() or services.store.statistics().last_commit_at_ms
    return time_ms / 1000 or None


def _polling_row(row: MemberRow) -> dict[str, Any]:
    return {
        "remote-ip": row.address or None,
        "serial": int(row.applied),
        "in-request": row.is_streaming,
        "is-streaming": row.is_streaming,
        "last-request": row.last_seen,
        "outside-url": row.card.url,
    }


def _replica_fields(services: Services, role: ReplicaRole, state: NodeState) -> dict[str, Any]:
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
    in_sync = (follower.in_sync_at, follower.files_first_complete_at, follower.files_complete_at)
    known = [moment for moment in in_sync if moment is not None]
    failures = {failure.sha256.hex(): failure.error for failure in role.transfer.status.failures}
    return fields | {
        "replica-started-at": services.started_at,
        "replica-metadata-in-sync-at": follower.in_sync_at,
        "replica-init-queue-finished-at": follower.files_first_complete_at,
        "replica-files-in-sync-at": follower.files_complete_at,
        "replica-in-sync-at": max(known) if len(known) == len(in_sync) else None,
        "replication-errors": {
            name: {"url": state.primary_url, "message": error, "relpath": name}
            for name, error in failures.items()
        },
    }
