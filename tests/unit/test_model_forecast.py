"""What is to come of one billing unit, and what keeps it back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model.bills import match_bills
from connector.model.charge import Charge, ChargeState, Hold, charge_id
from connector.model.forecast import Coming, Outlook, coming, next_of, totals
from connector.model.money import total
from connector.model.period import Period
from tests.unit.nouns import NOON, agreement, bill, line, policy, unit, usd

JANUARY = Period(date(2026, 1, 1), date(2026, 2, 1))
FEBRUARY = Period(date(2026, 2, 1), date(2026, 3, 1))
TODAY = date(2026, 2, 3)


def charge(period: Period = JANUARY, state: ChargeState = ChargeState.PAID, owed: str | None = "108.00") -> Charge:
    return Charge(
        id=charge_id("psa:17", period),
        unit="psa:17",
        period=period,
        number=0,
        state=state,
        currency="USD",
        computed=usd("100.00"),
        owed=usd(owed) if owed else None,
    )


def outlook(*invoices: Any, **changes: Any) -> Outlook:
    one = changes.pop("unit", unit(agreement(lines=(line(quantity="10", price="10.00"),)), today=TODAY))
    fields: dict[str, Any] = {
        "unit": one,
        "policy": policy(),
        "today": TODAY,
        "bills": match_bills(one, invoices, early_days=25),
        "charges": (charge(),),
        "holds": {},
        "enrolled": True,
        "card_expires": None,
        "collect_since": date(2026, 1, 1),
        "paused": False,
    }
    return Outlook(**{**fields, **changes})


def only(outlook: Outlook, until: date = date(2026, 2, 28)) -> Coming:
    (one,) = coming(outlook, until)
    return one


def names(one: Coming) -> list[str]:
    return [reason.name for reason in one.reasons]


def test_a_billed_charge_is_its_invoices_open_balance_on_its_due_date() -> None:
    one = only(outlook(bill(total=usd("118.00"), payments=usd("5.00"))))

    assert (one.on, one.amount, one.billed, one.guessed_date) == (date(2026, 2, 16), usd("113.00"), True, False)
    assert (one.change, one.invoice, names(one)) == (usd("5.00"), "INV900", [])


def test_a_period_to_come_is_computed_before_tax_and_due_as_the_last_invoice_was() -> None:
    rows = coming(outlook(bill()), date(2026, 3, 20))

    assert [(row.on, row.amount, row.billed, row.guessed_date) for row in rows] == [
        (date(2026, 2, 16), usd("100.00"), True, False),
        (date(2026, 3, 16), usd("100.00"), False, True),
    ]
    assert rows[1].change == usd("0")


def test_before_tax_is_compared_with_before_tax() -> None:
    more = unit(agreement(lines=(line(quantity="13", price="10.00"),)), today=TODAY)
    rows = coming(outlook(unit=more, today=date(2026, 1, 20)), date(2026, 2, 10))

    assert [(row.amount, row.change) for row in rows] == [(usd("130.00"), usd("30.00"))]


def test_what_was_paid_elsewhere_is_not_to_come() -> None:
    assert coming(outlook(bill(payments=usd("100.00"))), date(2026, 2, 28)) == ()


def test_what_was_released_is_not_to_come_again() -> None:
    done = (charge(), charge(FEBRUARY, ChargeState.RELEASED))

    assert coming(outlook(bill(), charges=done), date(2026, 2, 28)) == ()


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("awaiting_enrolment", {"enrolled": False}),
        ("paused", {"paused": True}),
        ("card_expires", {"card_expires": date(2026, 2, 16)}),
        ("before_collect_from", {"policy": policy(collect_from=date(2026, 2, 2))}),
        ("cap", {"policy": policy(cap=usd("99.00"))}),
        ("change", {"policy": policy(max_change_percent=Decimal(5), max_change=usd("5"))}),
    ],
)
def test_each_exclusion_has_its_name(name: str, changes: dict[str, Any]) -> None:
    assert names(only(outlook(bill(), **changes))) == [name]


def test_a_payer_who_is_not_opted_in_is_listed_and_excluded() -> None:
    alone = unit(agreement(collect=False, lines=(line(quantity="10", price="10.00"),)), today=TODAY)

    assert [names(row) for row in coming(outlook(unit=alone, charges=()), date(2026, 3, 5))] == [["not_opted_in"]]


def test_a_period_that_should_have_been_billed_is_missing_its_invoice() -> None:
    waiting = (charge(), charge(FEBRUARY, ChargeState.WAITING, None))

    assert names(only(outlook(charges=waiting))) == ["missing_invoice"]


def test_a_hold_is_told_under_its_name_once() -> None:
    held = charge(FEBRUARY, ChargeState.HELD, "100.00")
    hold = Hold(charge=held.id, name="cap", message="too much", way_on="look", since=NOON)
    one = only(outlook(bill(), charges=(charge(), held), holds={held.id: (hold,)}, policy=policy(cap=usd("50"))))

    assert names(one) == ["cap"]


def test_a_cap_that_a_person_overruled_no_longer_excludes() -> None:
    held = charge(FEBRUARY, ChargeState.HELD, "100.00")
    given = {"charges": (charge(), held), "policy": policy(cap=usd("50"))}

    assert names(only(outlook(bill(), overruled={held.id: {"cap": usd("100")}}, **given))) == []
    assert names(only(outlook(bill(), overruled={held.id: {"cap": usd("99")}}, **given))) == ["cap"]


def test_an_agreement_that_ends_is_told_once_and_not_computed_further() -> None:
    ending = unit(agreement(ends=date(2026, 3, 1)), today=TODAY)
    rows = coming(outlook(bill(), unit=ending), date(2026, 5, 20))

    assert [(row.period.start, names(row)) for row in rows] == [(date(2026, 2, 1), []), (date(2026, 3, 1), ["ended"])]


def test_the_next_charge_is_the_held_one_and_never_one_that_is_not_charged() -> None:
    old = bill("800", dated=date(2026, 1, 1), due_date=date(2026, 1, 16))
    rows = coming(outlook(old, bill(), charges=(), policy=policy(collect_from=date(2026, 2, 1), cap=usd("1"))), date(2026, 2, 28))
    chosen = next_of(rows)

    assert [row.period for row in rows] == [JANUARY, FEBRUARY]
    assert chosen is not None
    assert chosen.period == FEBRUARY


@given(excluded=st.lists(st.booleans(), max_size=8), days=st.lists(st.integers(1, 3), min_size=8, max_size=8))
def test_the_totals_are_the_sum_of_what_is_not_excluded(excluded: list[bool], days: list[int]) -> None:
    one = only(outlook(bill()))
    reason = only(outlook(bill(), paused=True)).reasons
    rows = [replace(one, on=date(2026, 2, day), reasons=reason if out else ()) for out, day in zip(excluded, days, strict=False)]

    assert total((t.amount for t in totals(rows)), "USD") == total((r.amount for r in rows if not r.reasons), "USD")
    assert sum(t.charges for t in totals(rows)) == excluded.count(False)
