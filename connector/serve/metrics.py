"""Prometheus metrics, computed from the store when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from connector.serve.facts import Facts

CONTENT_TYPE = CONTENT_TYPE_LATEST
PREFIX = "psa_connector"


def render(facts: Callable[[], Facts], version: str) -> bytes:
    """The exposition text. A registry of its own: nothing of the process or of other libraries."""
    registry = CollectorRegistry()
    registry.register(_FromFacts(facts(), version))
    return generate_latest(registry)


class _FromFacts(Collector):
    def __init__(self, facts: Facts, version: str) -> None:
        self._facts = facts
        self._version = version

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
        facts = self._facts
        yield _gauge("build_info", "Version of the agent.", ["version"], {(self._version,): 1})
        yield _gauge("healthy", "1 when health is ok, 0 when it is degraded or failing.", [], {(): float(facts.status == "ok")})
        yield CounterMetricFamily(f"{PREFIX}_rounds", "Finished rounds of all flows since the agent started.", value=facts.rounds)
        yield from self._connections()
        yield _counts("billing_units", "Billing units by state.", "state", facts.units)
        yield _counts("payers", "Payers by state.", "state", facts.payers)
        yield _counts("charges", "Charges that are not finished, by state.", "state", facts.charges)
        yield _counts("holds", "Holds in force, by name.", "name", facts.holds)
        yield _counts("deliveries", "Deliveries by state; parked ones need a person.", "state", facts.deliveries)
        yield _counts("token_days_left", "Days until a partner's token ends.", "connection", facts.token_days or {})
        yield _gauge(
            "oldest_undelivered_seconds", "Age of the oldest entry that was not written back.", [], {(): facts.undelivered_s}
        )
        yield _gauge("needs_attention", "Agreements that cannot be mirrored, and refused plans.", [], {(): facts.attention})

    def _connections(self) -> Iterator[GaugeMetricFamily]:
        seen = {(c.name,): c.last_success.timestamp() for c in self._facts.connections if c.last_success}
        yield _gauge("last_success_timestamp_seconds", "When the connection or flow last worked.", ["connection"], seen)
        down = {(c.name,): float(self._facts.is_down(c)) for c in self._facts.connections}
        yield _gauge("down", "1 when the latest attempt of the connection or flow failed.", ["connection"], down)


def _gauge(name: str, meaning: str, labels: list[str], values: Mapping[Any, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", meaning, labels=labels)
    for label, value in values.items():
        family.add_metric(list(label), value)
    return family


def _counts(name: str, meaning: str, label: str, values: dict[str, int]) -> GaugeMetricFamily:
    return _gauge(name, meaning, [label], {(key,): float(number) for key, number in values.items()})
