"""The HTTP side over a real port, with a real store behind it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from connector.errors import RetryLater
from connector.logs import setup
from connector.serve.app import LOOP_STALLED_S, Server
from connector.store import Store
from tests.unit import serve_facts
from tests.unit.serving import Dials, Served, served, sources

ENDPOINTS = ("/", "/livez", "/readyz", "/healthz", "/metrics")


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path) as running:
        yield running


def get(agent: Served, path: str) -> requests.Response:
    return requests.get(agent.url + path, timeout=10, allow_redirects=False)


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_fresh_agent_answers_everywhere(agent: Served, path: str) -> None:
    assert get(agent, path).status_code == 200


def test_health_tells_counts_ages_and_days(agent: Served) -> None:
    serve_facts.lived_in(agent.store)
    agent.dials.token_days = {"quickbooks": 90}

    health = get(agent, "/healthz").json()

    assert health == {
        "status": "degraded",
        "mode": "live",
        "version": "1.2.3",
        "connections": {
            "connectwise": {"last_success": None, "lag_s": None, "down": True},
            "stripe": {"last_success": "2026-03-02T11:55:00+00:00", "lag_s": 300.0, "down": False},
        },
        "oldest_undelivered_s": 1800.0,
        "deliveries": {"ready": 1, "running": 0, "done": 0, "parked": 0},
        "charges": {"waiting": 1, "held": 1, "released": 0},
        "holds": {"missing_invoice": 1},
        "needs_attention": 0,
        "token_days_left": {"quickbooks": 90},
    }


@pytest.mark.parametrize("path", ENDPOINTS)
def test_no_name_number_or_secret_is_served(agent: Served, path: str) -> None:
    serve_facts.lived_in(agent.store)
    serve_facts.needs_attention(agent.store, 1)

    said = get(agent, path).text.lower()

    # The page's totals are the one place where money is shown, and they are of all payers together.
    assert [word for word in serve_facts.PRIVATE if word.lower() in said and not (path == "/" and word == "125.00")] == []


def test_life_ends_when_the_loop_stands_still(agent: Served) -> None:
    agent.dials.silent_s = LOOP_STALLED_S - 60
    alive = get(agent, "/livez")
    agent.dials.silent_s = LOOP_STALLED_S + 1
    stuck = get(agent, "/livez")

    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    assert (stuck.status_code, stuck.json()) == (503, {"status": "stuck"})


def test_an_agent_is_ready_after_its_first_round(agent: Served) -> None:
    agent.dials.rounds = 0
    starting = get(agent, "/readyz")
    agent.dials.rounds = 1

    assert (starting.status_code, starting.json()) == (503, {"status": "starting", "rounds": 0})
    assert (get(agent, "/readyz").status_code, get(agent, "/healthz").status_code) == (200, 200)


def test_life_goes_on_while_the_store_is_away(agent: Served, capsys: pytest.CaptureFixture[str]) -> None:
    agent.dials.broken = RetryLater("the database is locked by tok_canary", after_s=1)

    answers = {path: get(agent, path).status_code for path in ENDPOINTS}
    body = get(agent, "/healthz").json()

    assert answers == {"/": 503, "/livez": 200, "/readyz": 503, "/healthz": 503, "/metrics": 503}
    assert body == {"status": "failing", "error": "RetryLater"}
    assert capsys.readouterr().out == ""


def test_failing_is_the_only_health_that_is_no_200(agent: Served) -> None:
    serve_facts.parked(agent.store)
    degraded = get(agent, "/healthz")
    serve_facts.undelivered(agent.store, hours=49)
    failing = get(agent, "/healthz")

    assert (degraded.status_code, degraded.json()["status"]) == (200, "degraded")
    assert (failing.status_code, failing.json()["status"]) == (503, "failing")


@pytest.mark.parametrize("path", [*ENDPOINTS, "/enrol/unknown", "/nothing-here"])
def test_every_answer_forbids_what_a_page_does_not_need(agent: Served, path: str) -> None:
    headers = get(agent, path).headers

    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


@pytest.mark.parametrize("path", ENDPOINTS)
def test_only_reading_is_possible(agent: Served, path: str) -> None:
    refused = {method: requests.request(method, agent.url + path, timeout=10) for method in ("POST", "PUT", "DELETE", "PATCH")}
    head = requests.head(agent.url + path, timeout=10)

    assert {answer.status_code for answer in refused.values()} == {405}
    assert all("default-src 'none'" in answer.headers["content-security-policy"] for answer in refused.values())
    assert (head.status_code, head.content) == (200, b"")


def test_a_known_link_leads_to_the_gateways_page(agent: Served) -> None:
    agent.dials.enrol = {"abc": "https://pay.example/session"}.get

    answer = get(agent, "/enrol/abc")

    assert (answer.status_code, answer.headers["location"]) == (303, "https://pay.example/session")


def test_an_unknown_link_is_a_page_that_says_so(agent: Served) -> None:
    answer = get(agent, "/enrol/xyz")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "This link is not known" in answer.text
    assert "xyz" not in answer.text


@pytest.mark.parametrize(
    "path", ["/enrol", "/enrol/", "/enrol/a/b", "/enrol/..%2f..%2fetc", "/../etc/passwd", "/docs", "/openapi.json"]
)
def test_there_is_nothing_else(agent: Served, path: str) -> None:
    assert get(agent, path).status_code == 404


def test_a_link_that_cannot_be_opened_now_says_to_come_back(agent: Served) -> None:
    def away(_: str) -> str | None:
        raise RetryLater("Stripe does not answer: sk_live_canary", after_s=60)

    agent.dials.enrol = away

    answer = get(agent, "/enrol/abc")

    assert answer.status_code == 503
    assert "try again in a few minutes" in answer.text
    assert "canary" not in answer.text


def test_a_link_stays_out_of_the_log(agent: Served, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(_: str) -> str | None:
        raise LookupError("no such payer")

    setup(list, json=True)
    agent.dials.enrol = broken

    answer = get(agent, "/enrol/link-canary")

    logged = json.loads(capsys.readouterr().err.splitlines()[0])
    assert answer.status_code == 503
    assert (logged["event"], logged["path"]) == ("could not answer", "/enrol/{token}")
    assert "link-canary" not in json.dumps(logged)


def test_metrics_are_what_prometheus_reads(agent: Served) -> None:
    serve_facts.lived_in(agent.store)
    agent.dials.rounds = 7

    answer = get(agent, "/metrics")

    values = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert answer.headers["content-type"].startswith("text/plain")
    assert values[("psa_connector_build_info", "1.2.3")] == 1
    assert values[("psa_connector_healthy",)] == 0
    assert values[("psa_connector_rounds_total",)] == 7
    assert values[("psa_connector_down", "connectwise")] == 1
    assert values[("psa_connector_last_success_timestamp_seconds", "stripe")] == serve_facts.STRIPE_WORKED.timestamp()
    assert values[("psa_connector_charges", "held")] == 1
    assert values[("psa_connector_holds", "missing_invoice")] == 1
    assert values[("psa_connector_oldest_undelivered_seconds",)] == 1800
    assert all(name.startswith("psa_connector_") for name, *_ in values)


def test_a_taken_port_is_told_with_the_setting_to_change(agent: Served) -> None:
    port = int(agent.url.rsplit(":", 1)[1])
    second = Server(sources(agent.store, Dials()), host="127.0.0.1", port=port)

    with pytest.raises(OSError, match=rf"cannot serve on 127\.0\.0\.1:{port}: is the port taken\? \(serve\.port"):
        second.start()


def test_an_address_of_another_machine_is_told_too(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'unused.db'}")
    elsewhere = Server(sources(store, Dials()), host="192.0.2.1", port=0)

    with pytest.raises(OSError, match=r"cannot serve on 192\.0\.2\.1"):
        elsewhere.start()


def test_a_slow_answer_holds_up_no_other(agent: Served) -> None:
    opened, asked = threading.Event(), threading.Event()

    def slow(_: str) -> str | None:
        asked.set()
        opened.wait(10)
        return "https://pay.example/session"

    agent.dials.enrol = slow
    waiting = threading.Thread(target=get, args=(agent, "/enrol/abc"))
    waiting.start()
    asked.wait(10)

    alive = get(agent, "/livez")
    opened.set()
    waiting.join(10)

    assert alive.status_code == 200


def test_a_stopped_server_frees_its_port(tmp_path: Path) -> None:
    with served(tmp_path) as first:
        port = int(first.url.rsplit(":", 1)[1])
        assert get(first, "/livez").status_code == 200
    store = Store(f"sqlite:///{tmp_path / 'connector.db'}")
    second = Server(sources(store, Dials()), host="127.0.0.1", port=port)

    second.start()
    answer = requests.get(f"{second.url}/livez", timeout=10)
    second.stop()

    assert answer.status_code == 200
