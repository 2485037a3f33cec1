"""When health is ok, degraded or failing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from connector.model.money import Money
from connector.serve.facts import Facts, gather
from connector.store import Store, charges, freshness, ledger, stuck
from connector.store.stuck import StuckKind
from tests.unit import serve_facts
from tests.unit.serving import NOW
from tests.unit.store_databases import charge, entry


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'connector.db'}")
    opened.upgrade()
    yield opened
    opened.close()


def facts(store: Store, **token_days: int) -> Facts:
    return gather(store, NOW, token_days=token_days)


def test_an_agent_without_history_is_ok(store: Store) -> None:
    assert facts(store).status == "ok"


@pytest.mark.parametrize(
    ("worked_hours_ago", "failed_hours_ago", "down", "status"),
    [
        (0.1, None, False, "ok"),
        (0.5, 0.1, True, "ok"),  # a hiccup is nobody's business
        (1.1, 0.1, True, "degraded"),
        (None, 0.1, True, "degraded"),  # never worked: wrong keys, most likely
        (0.1, 30, False, "ok"),  # it is back
        (30, None, False, "ok"),  # some flows run once a day
    ],
)
def test_a_partner_that_is_down_for_an_hour_degrades(
    store: Store, worked_hours_ago: float | None, failed_hours_ago: float | None, down: bool, status: str
) -> None:
    serve_facts.partner(store, worked_hours_ago=worked_hours_ago, failed_hours_ago=failed_hours_ago)

    seen = facts(store)

    assert [seen.is_down(connection) for connection in seen.connections] == [down]
    assert seen.status == status


@pytest.mark.parametrize(("hours", "status"), [(0.5, "ok"), (2, "degraded"), (49, "failing")])
def test_a_flow_that_moves_money_is_not_silent_unseen(store: Store, hours: float, status: str) -> None:
    with store.begin() as tx:
        freshness.succeeded(tx, "deliver", now=NOW - timedelta(hours=hours))

    assert facts(store).status == status


@pytest.mark.parametrize(("hours", "status"), [(1, "ok"), (47, "ok"), (49, "failing")])
def test_a_payment_that_is_not_written_back_for_two_days_is_failing(store: Store, hours: float, status: str) -> None:
    serve_facts.undelivered(store, hours=hours)

    assert (facts(store).undelivered_s, facts(store).status) == (hours * 3600, status)


@pytest.mark.parametrize(
    ("days", "status"), [(90, "ok"), (14, "ok"), (13, "degraded"), (1, "degraded"), (0, "failing"), (-3, "failing")]
)
def test_a_token_is_asked_for_two_weeks_ahead(store: Store, days: int, status: str) -> None:
    assert facts(store, quickbooks=days).status == status


def test_what_needs_a_person_degrades(store: Store) -> None:
    serve_facts.needs_attention(store, 2)

    assert (facts(store).attention, facts(store).status) == (2, "degraded")


def test_a_delivery_that_needs_a_person_degrades(store: Store) -> None:
    serve_facts.parked(store)

    assert (facts(store).deliveries["parked"], facts(store).status) == (1, "degraded")


def test_a_hold_is_no_fault_of_the_agent(store: Store) -> None:
    serve_facts.lived_in(store)
    serve_facts.partner(store, worked_hours_ago=0, failed_hours_ago=None)
    with store.begin() as tx:
        serve_facts.freshness.succeeded(tx, "connectwise", now=NOW)

    seen = facts(store)

    assert (seen.holds, seen.status) == ({"missing_invoice": 1}, "ok")


def test_planned_charges_are_totalled_by_state_and_currency(store: Store) -> None:
    serve_facts.lived_in(store)

    assert {key: str(amount) for key, amount in facts(store).planned.items()} == {
        "waiting USD": "125.00 USD",
        "held USD": "125.00 USD",
    }


def test_bills_that_are_due_without_an_invoice_are_announced(store: Store) -> None:
    serve_facts.lived_in(store)

    assert facts(store).notices == ("42 billing units due 2026-03-03 have no invoice in the PSA yet.",)


def test_a_clock_that_was_put_back_makes_no_negative_age(store: Store) -> None:
    serve_facts.undelivered(store, hours=-1)
    serve_facts.partner(store, worked_hours_ago=-1, failed_hours_ago=None)

    seen = facts(store)

    assert (seen.undelivered_s, seen.lag_s(seen.connections[0])) == (0.0, 0.0)


def test_what_is_parked_needs_attention_and_is_not_late(store: Store) -> None:
    """A person was told; two days later nothing has become worse by itself."""
    serve_facts.parked(store)
    later = gather(store, NOW + timedelta(days=9))

    assert (later.status, later.undelivered_s) == ("degraded", 0.0)
    assert [(item.number, item.target) for item in later.parked] == [("1", serve_facts.PSA)]


def test_what_waits_behind_a_parked_delivery_is_not_late_either(store: Store) -> None:
    serve_facts.parked(store)
    with store.begin() as tx:
        ledger.append(tx, entry("payment:5", of=charge("cw:4")), targets=(serve_facts.PSA,), now=NOW)

    assert gather(store, NOW + timedelta(days=9)).status == "degraded"


def test_what_failed_each_time_needs_attention(store: Store) -> None:
    for _ in range(stuck.ATTEMPTS):
        with store.begin() as tx:
            stuck.failed(tx, StuckKind.CHARGE, "cw:1/2026-01-01", why="refused", now=NOW)

    assert (facts(store).status, [item.number for item in facts(store).parked]) == ("degraded", ["s1"])


def test_planned_charges_are_counted_by_currency(store: Store) -> None:
    with store.begin() as tx:
        charges.ensure(tx, charge("cw:1"), now=NOW)
        charges.ensure(tx, charge("cw:2"), now=NOW)
        charges.ensure(tx, replace(charge("cw:3"), currency="CAD", computed=Money(700, "CAD")), now=NOW)

    assert facts(store).planned_counts == {"waiting USD": 2, "waiting CAD": 1}
