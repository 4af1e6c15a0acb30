"""Routes for operators: ``/+status``, ``/+nodes``, ``/+live``, ``/+ready``, ``/+metrics``."""

from aiohttp import web

from node.devpi_status import devpi_metrics
from node.http.keys import SERVICES
from node.http.outside import outside_url
from node.http.respond import envelope
from node.metrics import METRICS_TYPE, metrics_list, render_metrics
from node.state import node_state
from node.status import nodes_json, status_json

READY_LAG_SECONDS_MAX = 60.0
_NOT_KEPT = {"Cache-Control": "no-store"}


async def get_status(request: web.Request) -> web.Response:
    """``GET /+status``: devpi's fields and ours."""
    services = request.app[SERVICES]
    result = status_json(
        services,
        outside_url=outside_url(request, services.config.public_url),
        metrics=devpi_metrics(services, node_state(services)) + metrics_list(services, request.app),
    )
    response = envelope(kind="status", result=result)
    response.headers.update(_NOT_KEPT)
    return response


async def get_nodes(request: web.Request) -> web.Response:
    """``GET /+nodes``: every node with URL, region, health and lag."""
    response = envelope(kind="list:node", result=nodes_json(request.app[SERVICES]))
    response.headers.update(_NOT_KEPT)
    return response


async def get_live(_request: web.Request) -> web.Response:
    """``GET /+live``: the process answers."""
    return web.Response(text="live\n", headers=_NOT_KEPT)


async def get_ready(request: web.Request) -> web.Response:
    """``GET /+ready``: 200 when this node may be sent clients, 503 with the reason when not.

    A replica is ready once it has been current, and stays so without its primary: reads go on.
    """
    state = node_state(request.app[SERVICES])
    reason = None
    if state.phase in {"suspect", "halted", "bootstrapping"}:
        reason = state.phase
    elif state.role == "replica" and state.serial == 0:
        reason = "this replica has no data yet"
    elif state.primary_reachable and (state.lag_seconds or 0.0) > READY_LAG_SECONDS_MAX:
        reason = f"this replica is {state.lag_seconds:.0f} s behind"
    if reason is not None:
        return web.Response(status=503, text=reason + "\n", headers={**_NOT_KEPT, "Retry-After": "1"})
    return web.Response(text="ready\n", headers=_NOT_KEPT)


async def get_metrics(request: web.Request) -> web.Response:
    """``GET /+metrics``: Prometheus' text format."""
    headers = {"Content-Type": METRICS_TYPE, **_NOT_KEPT}
    return web.Response(body=render_metrics(request.app[SERVICES], request.app), headers=headers)
