"""Charges, holds, billing units and payers."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from connector.model.charge import BreakdownLine, ChargeState, Hold
from connector.model.money import MixedCurrency, Money
from connector.model.period import Period
from connector.store import Store, charges, holds, payers, schema, units
from connector.store.payers import PayerRow
from connector.store.units import UnitRow
from tests.unit.store_databases import MARCH, NOW, charge, later, processes, with_charge

pytest_plugins = ("tests.unit.store_fixtures",)


def test_a_charge_is_made_once_for_a_period(store: Store) -> None:
    with store.begin() as tx:
        first, new = charges.ensure(tx, charge(), now=NOW)
        shorter = replace(charge(), id="another id", period=Period(MARCH.start, date(2026, 3, 15)))
        second, again = charges.ensure(tx, shorter, now=NOW)

    assert (new, again) == (True, False)
    assert second == first == charge()


def test_a_supplementary_charge_stands_beside_the_regular_one(store: Store) -> None:
    with store.begin() as tx:
        charges.ensure(tx, charge(), now=NOW)
        charges.ensure(tx, charge(number=1), now=NOW)
        charges.ensure(tx, charge("cw:2"), now=NOW)

        assert [c.id for c in charges.of_unit(tx, "cw:1")] == ["cw:1/2026-03-01", "cw:1/2026-03-01/1"]
        assert len(charges.every(tx)) == 3


def test_processes_that_make_the_same_charge_make_one(store: Store, address: str) -> None:
    outputs = processes(4, _ENSURE, address)

    assert sorted(outputs) == ["False\n", "False\n", "False\n", "True\n"]
    with store.read() as tx:
        assert len(charges.every(tx)) == 1


_ENSURE = """
    import sys
    from connector.store import Store, charges
    from tests.unit.store_databases import NOW, charge
    with Store(sys.argv[1]).begin() as tx:
        print(charges.ensure(tx, charge(), now=NOW)[1])
"""


def test_everything_about_a_charge_comes_back_as_it_went_in(store: Store) -> None:
    with_charge(store)
    lines = (
        BreakdownLine(kind="base", description="Managed Services – März", amount=Money(100_00, "USD"), source="17"),
        BreakdownLine(kind="true_up", description="rounded by the PSA", amount=Money(-1, "USD")),
    )
    fields = {
        "state": ChargeState.RELEASED,
        "gateway_invoice": "in_1",
        "psa_invoice": "900",
        "psa_number": "INV-900",
        "charge_date": date(2026, 3, 15),
        "owed": Money(2**40, "USD"),
        "collected": Money(0, "USD"),
        "released_at": later(5.5),
        "breakdown": lines,
    }
    with store.begin() as tx:
        changed = charges.update(tx, "cw:1/2026-03-01", now=NOW, **fields)

    with store.read() as tx:
        assert charges.get(tx, "cw:1/2026-03-01") == changed == replace(charge(), **fields)
        assert charges.by_gateway_invoice(tx, "in_1") == changed
        assert charges.by_psa_invoice(tx, "900") == [changed]
        assert charges.every(tx, [ChargeState.RELEASED, ChargeState.PAID]) == [changed]
        assert charges.every(tx, {ChargeState.WAITING}) == []


def test_no_invoice_is_nobodys_invoice(store: Store) -> None:
    with_charge(store)
    with_charge(store, "cw:2")

    with store.read() as tx:
        assert charges.by_gateway_invoice(tx, "") is None
        assert charges.by_psa_invoice(tx, "") == []
        assert charges.get(tx, "unknown") is None


def test_two_charges_cannot_have_one_gateway_invoice(store: Store) -> None:
    with_charge(store)
    with_charge(store, "cw:2")
    with store.begin() as tx:
        charges.update(tx, "cw:1/2026-03-01", now=NOW, gateway_invoice="in_1")

    with pytest.raises(IntegrityError), store.begin() as tx:
        charges.update(tx, "cw:2/2026-03-01", now=NOW, gateway_invoice="in_1")
    taken = replace(charge("cw:3"), gateway_invoice="in_1")
    with pytest.raises(ValueError, match="belongs to another charge"), store.begin() as tx:
        charges.ensure(tx, taken, now=NOW)


def test_what_identifies_a_charge_cannot_be_changed(store: Store) -> None:
    with_charge(store)

    with pytest.raises(ValueError, match="number of charge cw:1/2026-03-01"), store.begin() as tx:
        charges.update(tx, "cw:1/2026-03-01", now=NOW, number=2)
    with pytest.raises(LookupError, match="no charge cw:9"), store.begin() as tx:
        charges.update(tx, "cw:9", now=NOW, state=ChargeState.PAID)


def test_a_charge_has_one_currency(store: Store) -> None:
    with_charge(store)

    with pytest.raises(MixedCurrency), store.begin() as tx:
        charges.update(tx, "cw:1/2026-03-01", now=NOW, owed=Money(1, "CAD"))


def _hold(name: str, *, minutes: float = 0, message: str = "why") -> Hold:
    return Hold(charge="cw:1/2026-03-01", name=name, message=message, way_on="what to do", since=later(minutes))


def test_holds_become_exactly_the_wanted_ones_and_those_that_stay_keep_their_beginning(store: Store) -> None:
    with_charge(store)
    with store.begin() as tx:
        holds.replace(tx, "cw:1/2026-03-01", [_hold("cap"), _hold("no_method")], now=NOW)
    with store.begin() as tx:
        wanted = [_hold("cap", minutes=60, message="higher now"), _hold("paused", minutes=60)]
        holds.replace(tx, "cw:1/2026-03-01", wanted, now=later(60))

    with store.read() as tx:
        active = holds.active(tx, "cw:1/2026-03-01")
        assert active == [_hold("cap", message="higher now"), _hold("paused", minutes=60)]
        assert holds.active(tx) == active


def test_a_lifted_hold_stays_in_the_history(store: Store) -> None:
    with_charge(store)
    with store.begin() as tx:
        holds.replace(tx, "cw:1/2026-03-01", [_hold("cap")], now=NOW)
        holds.replace(tx, "cw:1/2026-03-01", [], now=later(1))
        holds.replace(tx, "cw:1/2026-03-01", [_hold("cap", minutes=2)], now=later(2))
        assert holds.lift(tx, "cw:1/2026-03-01", "cap", by="anna", why="agreed by phone", now=later(3))
        assert not holds.lift(tx, "cw:1/2026-03-01", "cap", by="anna", why="again", now=later(4))

    with store.read() as tx:
        rows = tx.execute(select(schema.hold).order_by(schema.hold.c.id)).all()
        assert [(row.lifted_at, row.lifted_by, row.why) for row in rows] == [
            (later(1), "agent", "the reason is gone"),
            (later(3), "anna", "agreed by phone"),
        ]
        assert holds.active(tx) == []


def test_a_hold_needs_its_charge(store: Store) -> None:
    with pytest.raises(IntegrityError), store.begin() as tx:
        holds.replace(tx, "cw:9", [_hold("cap")], now=NOW)


def _unit(key: str, *, state: str = "active", members: tuple[str, ...] = ("17",)) -> UnitRow:
    return UnitRow(
        key=key,
        payer="cw:7",
        payer_name="Contoso Dental",
        name="Contoso Dental: Managed Services",
        state=state,
        members=list(members),
        currency="USD",
        cycle="monthly",
        timing="advance",
        anchor=date(2026, 1, 1),
        ends=None,
        detail={"note": ["ä", 1]},
    )


def test_a_unit_is_kept_and_overwritten(store: Store) -> None:
    with store.begin() as tx:
        units.save(tx, _unit("cw:17"), now=NOW)
        units.save(tx, replace(_unit("cw:17"), ends=date(2026, 12, 31)), now=later(1))

        assert units.get(tx, "cw:17") == replace(_unit("cw:17"), ends=date(2026, 12, 31))
        assert units.every(tx) == [units.get(tx, "cw:17")]
        assert units.get(tx, "cw:18") is None


def test_an_agreement_belongs_to_the_unit_that_goes_on(store: Store) -> None:
    with store.begin() as tx:
        units.save(tx, _unit("cw:17", members=("17", "18")), now=NOW)
        units.save(tx, _unit("cw:19", state="ended", members=("18", "19")), now=NOW)

        assert units.by_member(tx) == {"17": "cw:17", "18": "cw:17", "19": "cw:19"}


def test_a_payer_is_kept_and_overwritten(store: Store) -> None:
    row = PayerRow(
        key="cw:7",
        name="Contoso Dental",
        email="ap@contoso.example",
        customer="cus_1",
        method="card",
        method_last4="4242",
        method_expires=date(2027, 1, 1),
        state="enrolled",
        link="https://pay.example/x",
        link_expires=NOW + timedelta(days=1),
        books_customer="58",
        detail={},
    )
    with store.begin() as tx:
        payers.save(tx, replace(row, method="", link_expires=None), now=NOW)
        payers.save(tx, row, now=later(1))

        assert payers.get(tx, "cw:7") == row
        assert payers.every(tx) == [row]
        assert payers.get(tx, "cw:8") is None
