"""The alert rules and the dashboard in config/ speak of metrics that the agent has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from connector.serve import metrics
from connector.serve.facts import gather
from connector.store import Store
from tests.unit import serve_facts
from tests.unit.serving import NOW

CONFIG = Path(__file__).resolve().parents[2] / "config"
USED = re.compile(r"\b(psa_connector_\w+)(?:\{(\w+)=\"(\w+)\"\})?")


@pytest.fixture
def exposed(tmp_path: Path) -> set[tuple[str, str, str]]:
    """Name, label and value of each sample of an agent that has something of everything."""
    store = Store(f"sqlite:///{tmp_path / 'connector.db'}")
    store.upgrade()
    serve_facts.parked(store)
    serve_facts.lived_in(store)
    text = metrics.render(lambda: gather(store, NOW, token_days={"quickbooks": 90}), "1.2.3").decode()
    store.close()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(s.name, label, value) for s in samples for label, value in [*s.labels.items(), ("", "")]}


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((CONFIG / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return list(json.loads((CONFIG / "dashboard.json").read_text())["panels"])


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in alerts())
    yield from (target["expr"] for panel in panels() for target in panel["targets"])


def test_every_expression_names_metrics_that_exist(exposed: set[tuple[str, str, str]]) -> None:
    used = {found for expression in expressions() for found in USED.findall(expression)}

    assert used - exposed == set()
    assert all(USED.search(expression) for expression in expressions())


def test_every_metric_is_on_the_dashboard(exposed: set[tuple[str, str, str]]) -> None:
    shown = {name for panel in panels() for target in panel["targets"] for name, *_ in USED.findall(target["expr"])}

    assert {name for name, *_ in exposed} == shown


def test_an_alert_says_how_bad_it_is_and_what_to_do() -> None:
    rules = alerts()

    assert len({rule["alert"] for rule in rules}) == len(rules)
    assert {rule["labels"]["severity"] for rule in rules} <= {"page", "ticket"}
    assert all(rule["annotations"]["summary"] and rule["annotations"]["description"] and rule["for"] for rule in rules)


def test_labels_in_texts_are_labels_of_the_metric(exposed: set[tuple[str, str, str]]) -> None:
    said = [
        (name, label)
        for rule in alerts()
        for name, *_ in USED.findall(rule["expr"])
        for label in re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])
    ]

    assert set(said) <= {(name, label) for name, label, _ in exposed}


def test_panels_do_not_overlap() -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels())
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
