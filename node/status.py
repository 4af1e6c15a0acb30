"""``/+status`` and ``/+nodes``: what a node says of itself and its cluster, as JSON."""

from dataclasses import asdict
from typing import Any

from node.cluster.roles import ReplicaRole
from node.devpi_status import devpi_fields
from node.services import Services
from node.state import members, node_state
from replication.members import MemberRow


def status_json(services: Services, *, outside_url: str, metrics: list[list[Any]]) -> dict[str, Any]:
    """Return the result of ``/+status``: devpi's fields, then ours.

    Args:
        services: the node.
        outside_url: where the client believes the node to be.
        metrics: name, kind and value of each metric, as devpi lists them.

    """
    state = node_state(services)
    rows = members(services)
    ours = {name: value for name, value in asdict(state).items() if name != "role"}
    return {
        **devpi_fields(services, state, outside_url=outside_url),
        "metrics": metrics,
        **ours,
        "region": services.card.region,
        "set_aside": [path.name for path in services.store.set_aside()],
        "replicas": [_row(row) for row in rows],
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
