"""Health answers as its published document says, whatever is sent and whatever state the agent is in (schemathesis)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error

from connector.errors import ConfigError
from tests.unit import serve_facts
from tests.unit.serving import NOW, Dials, served

DOCUMENT = json.loads((Path(__file__).parents[2] / "config" / "schema" / "health.openapi.json").read_text())
STATES = {
    "working": Dials(token_days={"quickbooks": 90}),
    "starting": Dials(rounds=0),
    "stuck": Dials(silent_s=3600.0),
    "late": Dials(now=NOW + timedelta(days=3), token_days={"quickbooks": 3}),
    "broken": Dials(broken=ConfigError("the store does not answer")),
}
schema = schemathesis.openapi.from_dict(DOCUMENT)
quick = settings(max_examples=5, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module", params=STATES, ids=str)
def url(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("document"), STATES[request.param]) as running:
        serve_facts.lived_in(running.store)
        yield running.url


@schema.parametrize()
@quick
def test_health_is_as_documented(url: str, case: Any) -> None:
    """503 is an answer."""
    case.call_and_validate(base_url=url, excluded_checks=[not_a_server_error])


def test_every_health_address_is_in_the_document() -> None:
    assert set(DOCUMENT["paths"]) == {"/livez", "/readyz", "/healthz"}
