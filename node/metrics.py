"""Prometheus metrics, read from the same numbers as the status when they are asked for."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from node.http.keys import CONNECTIONS
from node.services import Services
from node.state import members, node_state

METRICS_TYPE = CONTENT_TYPE_LATEST
MIRROR_GAUGES = frozenset({"downloads_now"})
"""Of the mirror's numbers those that fall as well."""


class NodeCollector(Collector):
    """Reads the numbers of a node."""

    def __init__(self, services: Services, app: web.Application) -> None:
        self._services = services
        self._app = app

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of the node."""
        yield from self._position_metrics()
        yield from self._store_metrics()
        yield from self._member_metrics()
        yield from self._http_metrics()
        yield from self._mirror_metrics()

    def _position_metrics(self) -> Iterator[Metric]:
        state = node_state(self._services)
        info = GaugeMetricFamily(
            "wheelyard_node", "Constant 1, with role and phase.", labels=["role", "phase"]
        )
        info.add_metric([state.role, state.phase], 1)
        yield info
        yield _gauge(
            "wheelyard_changelog_head_serial", "Newest serial of the cluster, as known here.", state.head
        )
        yield _gauge(
            "wheelyard_changelog_applied_serial", "Serial up to which the state is applied.", state.serial
        )
        yield _gauge("wheelyard_changelog_floor_serial", "Oldest serial kept.", state.floor)
        yield _gauge("wheelyard_epoch", "Number of the primary's reign.", state.epoch)
        yield _gauge("wheelyard_replica_lag_serials", "Serials not applied here yet.", state.lag_serials)
        yield _gauge("wheelyard_replica_lag_bytes", "Bytes not here yet, entries and blobs.", state.lag_bytes)
        yield _gauge(
            "wheelyard_replica_lag_seconds", "Age of the last proof of being current.", state.lag_seconds
        )
        yield _gauge("wheelyard_blobs_pending", "Blobs that are not here yet.", state.blobs_pending)
        yield _gauge(
            "wheelyard_primary_reachable", "1 while the primary is heard.", int(state.primary_reachable)
        )

    def _store_metrics(self) -> Iterator[Metric]:
        statistics = self._services.store.statistics()
        yield _gauge("wheelyard_lmdb_map_bytes", "Address space of the database.", statistics.map_bytes)
        yield _gauge("wheelyard_lmdb_used_bytes", "Bytes of it in use.", statistics.map_used_bytes)
        yield _gauge("wheelyard_changelog_entries", "Entries kept.", statistics.log_entries)
        yield _counter("wheelyard_commits", "Transactions committed.", statistics.commits)
        yield _counter("wheelyard_entries_committed", "Entries committed.", statistics.entries_committed)
        yield _gauge(
            "wheelyard_lmdb_last_commit_seconds",
            "Duration of the last commit.",
            statistics.last_commit_seconds,
        )

    def _member_metrics(self) -> Iterator[Metric]:
        labels = ["replica", "url"]
        lag = GaugeMetricFamily("wheelyard_member_lag_serials", "Serials a replica is behind.", labels=labels)
        streaming = GaugeMetricFamily(
            "wheelyard_member_streaming", "1 while a replica streams.", labels=labels
        )
        for row in members(self._services):
            lag.add_metric([row.card.node_id, row.card.url], row.lag_serials)
            streaming.add_metric([row.card.node_id, row.card.url], int(row.is_streaming))
        yield lag
        yield streaming

    def _http_metrics(self) -> Iterator[Metric]:
        statistics = self._app[CONNECTIONS]()
        if statistics is None:
            return
        yield _gauge("wheelyard_connections_open", "Open connections.", statistics.open)
        yield _counter(
            "wheelyard_fast_answers", "Requests answered in front of the parser.", statistics.fast_answers
        )
        yield _counter(
            "wheelyard_requests_passed_on", "Requests that handlers answered.", statistics.passed_on
        )
        cut = CounterMetricFamily(
            "wheelyard_connections_cut", "Connections ended by a timer.", labels=["reason"]
        )
        for reason, count in statistics.cut.items():
            cut.add_metric([reason], count)
        yield cut
        yield _gauge(
            "wheelyard_finished_answers_bytes", "Memory of kept answers.", self._services.finished.size_bytes
        )

    def _mirror_metrics(self) -> Iterator[Metric]:
        for name, value in asdict(self._services.mirror.counters).items():
            make = _gauge if name in MIRROR_GAUGES else _counter
            yield make(f"wheelyard_mirror_{name}", f"Mirror: {name.replace('_', ' ')}.", value)


def render_metrics(services: Services, app: web.Application) -> bytes:
    """Return all metrics in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(NodeCollector(services, app))
    return generate_latest(registry)


def metrics_list(services: Services, app: web.Application) -> list[list[Any]]:
    """Return name, kind and value of every metric without labels, as devpi's status lists its own."""
    return [
        [sample.name, metric.type, sample.value]
        for metric in NodeCollector(services, app).collect()
        for sample in metric.samples
        if not sample.labels
    ]


def _gauge(name: str, help_text: str, value: float | None) -> Metric:
    family = GaugeMetricFamily(name, help_text)
    if value is not None:
        family.add_metric([], value)
    return family


def _counter(name: str, help_text: str, value: float) -> Metric:
    family = CounterMetricFamily(name, help_text)
    family.add_metric([], value)
    return family
