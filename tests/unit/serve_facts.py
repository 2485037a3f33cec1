"""Fills a store with what a status can tell of, under names that must never be told."""

from __future__ import annotations

from datetime import date, timedelta

from connector.model.charge import ChargeState, Hold
from connector.store import Store, charges, freshness, holds, ledger, outbox, payers, settings, units
from connector.store.payers import PayerRow
from connector.store.units import UnitRow
from tests.unit.serving import NOW
from tests.unit.store_databases import charge, entry

SECRET_NAME = "Zebra Orthodontics"
SECRET_ERROR = f"the agreement of {SECRET_NAME} could not be read: token=tok_canary"
STRIPE_WORKED = NOW - timedelta(minutes=5)
PSA = "psa:connectwise"
# What identifies a customer or its money, as it stands in the store.
PRIVATE = (SECRET_NAME, "zebra", "cus_canary", "4242", "tok_canary", "cw:1", "125.00", "12500", "in_1", "pi_1")


def lived_in(store: Store) -> None:
    """A store of some weeks: two charges, a hold, a delivery that waits, a partner that is down."""
    with store.begin() as tx:
        payers.save(tx, _payer(), now=NOW)
        units.save(tx, _unit(), now=NOW)
        charges.ensure(tx, charge("cw:1"), now=NOW)
        charges.ensure(tx, charge("cw:2", state=ChargeState.HELD), now=NOW)
        holds.replace(tx, charge("cw:2").id, [_hold()], now=NOW)
        ledger.append(tx, entry("payment:1", of=charge("cw:1")), targets=(PSA,), now=NOW - timedelta(minutes=30))
        freshness.succeeded(tx, "stripe", now=STRIPE_WORKED)
        freshness.failed(tx, "connectwise", now=NOW - timedelta(minutes=1), error=SECRET_ERROR)
        settings.set(tx, "due_without_invoice", {"units": 42, "day": "2026-03-03"}, now=NOW)


def undelivered(store: Store, *, hours: float) -> None:
    with store.begin() as tx:
        charges.ensure(tx, charge("cw:3"), now=NOW)
        ledger.append(tx, entry("payment:3", of=charge("cw:3")), targets=(PSA,), now=NOW - timedelta(hours=hours))


def parked(store: Store) -> None:
    with store.begin() as tx:
        charges.ensure(tx, charge("cw:4"), now=NOW)
        ledger.append(tx, entry("payment:4", of=charge("cw:4")), targets=(PSA,), now=NOW)
    with store.begin() as tx:
        (taken,) = outbox.claim(tx, now=NOW, lease_s=60, limit=1, worker="w")
        outbox.park(tx, taken, why=SECRET_ERROR, now=NOW)


def partner(store: Store, *, worked_hours_ago: float | None, failed_hours_ago: float | None) -> None:
    with store.begin() as tx:
        if worked_hours_ago is not None:
            freshness.succeeded(tx, "stripe", now=NOW - timedelta(hours=worked_hours_ago))
        if failed_hours_ago is not None:
            freshness.failed(tx, "stripe", now=NOW - timedelta(hours=failed_hours_ago), error=SECRET_ERROR)


def needs_attention(store: Store, count: int) -> None:
    with store.begin() as tx:
        settings.set(tx, "needs_attention", [SECRET_ERROR] * count, now=NOW)


def _hold() -> Hold:
    return Hold(charge=charge("cw:2").id, name="missing_invoice", message=SECRET_ERROR, way_on="wait", since=NOW)


def _payer() -> PayerRow:
    return PayerRow(
        key="cw:7",
        name=SECRET_NAME,
        email="ap@zebra.example",
        customer="cus_canary",
        method="card",
        method_last4="4242",
        method_expires=None,
        state="enrolled",
        link="",
        link_expires=None,
        books_customer="",
        detail={},
    )


def _unit() -> UnitRow:
    return UnitRow(
        key="cw:1",
        payer="cw:7",
        payer_name=SECRET_NAME,
        name="Managed Services",
        state="active",
        members=["1"],
        currency="USD",
        cycle="monthly",
        timing="advance",
        anchor=date(2026, 1, 1),
        ends=None,
        detail={},
    )
