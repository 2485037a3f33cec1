"""Three-way check of one row: which differences there are, and which of them go away by themselves."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from connector.model.charge import ChargeState
from connector.model.drift import Drift, Row, compare
from connector.model.period import Period
from tests.unit.nouns import usd

ZERO = usd("0")


def row(**changes: Any) -> Row:
    """A period that was billed with 500.00, collected and written back everywhere."""
    fields: dict[str, Any] = {
        "unit": "psa:17",
        "name": "Contoso Dental: Managed Services",
        "period": Period(date(2026, 2, 1), date(2026, 3, 1)),
        "state": ChargeState.PAID,
        "due": True,
        "psa_number": "10401",
        "psa_total": usd("500"),
        "psa_paid": usd("500"),
        "psa_open": ZERO,
        "psa_recorded": usd("500"),
        "gateway_collected": usd("500"),
        "ledger": usd("500"),
        "went_back": ZERO,
        "books_open": ZERO,
        "books_ours": usd("500"),
        "books_unapplied": ZERO,
        "pending_psa": False,
        "pending_books": False,
        "parked_psa": "",
        "parked_books": "",
        "writes_psa": True,
        "writes_books": True,
    }
    return Row(**{**fields, **changes})


def unpaid(state: ChargeState | None, **changes: Any) -> Row:
    fields: dict[str, Any] = {
        "state": state,
        "psa_paid": ZERO,
        "psa_open": usd("500"),
        "psa_recorded": None,
        "gateway_collected": ZERO,
        "ledger": ZERO,
        "books_open": usd("500"),
        "books_ours": ZERO,
    }
    return row(**{**fields, **changes})


def kinds(given: Row) -> set[str]:
    return {drift.kind for drift in compare(given)}


def only(given: Row) -> Drift:
    (drift,) = compare(given)
    return drift


def test_what_was_billed_collected_and_written_back_ties() -> None:
    assert compare(row()) == ()


@pytest.mark.parametrize("state", [ChargeState.WAITING, ChargeState.HELD, ChargeState.RELEASED])
def test_an_open_bill_with_a_charge_on_its_way_is_no_mismatch(state: ChargeState) -> None:
    assert compare(unpaid(state)) == ()


def test_a_bill_written_off_because_nothing_was_owed_is_no_mismatch() -> None:
    assert compare(unpaid(ChargeState.WRITTEN_OFF, psa_paid=usd("500"), psa_open=ZERO, books_open=ZERO)) == ()


@pytest.mark.parametrize("state", [None, ChargeState.ENDED, ChargeState.WRITTEN_OFF])
def test_an_open_bill_that_nothing_collects_shows_when_it_is_due(state: ChargeState | None) -> None:
    assert kinds(unpaid(state)) == {"not_collected"}
    assert compare(unpaid(state, due=False)) == ()


@pytest.mark.parametrize("ledger", ["400", "600"])
def test_a_ledger_that_differs_from_the_gateway_is_brought_up_by_a_sync(ledger: str) -> None:
    drifts = {drift.kind: drift for drift in compare(row(ledger=usd(ledger)))}

    assert drifts["ledger_behind"].repair == "connector sync --once"


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"psa_paid": ZERO, "psa_open": usd("500"), "psa_recorded": None}, "psa_payment_missing"),
        ({"books_ours": ZERO}, "books_payment_missing"),
        ({"books_ours": usd("600")}, "books_payment_extra"),
        ({"books_unapplied": usd("20")}, "books_unapplied"),
    ],
)
def test_what_a_target_lacks_is_on_its_way_or_parked_or_for_a_person(changes: dict[str, Any], kind: str) -> None:
    target = "psa" if kind.startswith("psa") else "books"
    pending = only(row(**changes, **{f"pending_{target}": True}))
    parked = only(row(**changes, **{f"parked_{target}": "the books are closed"}))
    lost = only(row(**changes))

    assert {drift.kind for drift in (pending, parked, lost)} == {kind}
    assert [drift.waiting for drift in (pending, parked, lost)] == [True, False, False]
    assert "the books are closed" in parked.message
    assert "connector retry" in parked.repair
    assert lost.repair != pending.repair


def test_a_collected_bill_that_is_gone_shows_until_it_is_made_again() -> None:
    gone = row(psa_number="", psa_total=None, psa_paid=None, psa_open=None, psa_recorded=None, books_open=None)

    assert kinds(gone) == {"psa_invoice_missing"}
    assert kinds(unpaid(ChargeState.HELD, psa_total=None, psa_paid=None, psa_open=None)) == set()


def test_money_that_went_back_leaves_an_open_bill_that_says_so() -> None:
    back = unpaid(ChargeState.PAID, went_back=usd("500"), psa_recorded=ZERO)

    assert kinds(back) == {"went_back"}
    assert not only(back).waiting


def test_money_that_went_back_and_still_stands_in_the_psa_shows_only_while_it_is_ours_to_take_back() -> None:
    changes = {"ledger": ZERO, "gateway_collected": ZERO, "went_back": usd("500"), "books_ours": ZERO, "books_open": usd("500")}

    assert only(row(**changes, pending_psa=True)).waiting
    assert "posted" in only(row(**changes, parked_psa="it is posted")).message


def test_a_bill_that_a_credit_settled_after_the_refund_ties() -> None:
    assert compare(unpaid(ChargeState.PAID, went_back=usd("500"), psa_open=ZERO, psa_recorded=ZERO, books_open=ZERO)) == ()


def test_more_collected_than_billed_is_to_be_refunded() -> None:
    assert kinds(row(psa_total=usd("400"), psa_paid=usd("400"), psa_recorded=usd("400"))) == {"collected_too_much"}


def test_a_bill_that_somebody_else_paid_too_is_to_be_refunded() -> None:
    assert kinds(row(psa_recorded=usd("300"))) == {"paid_twice"}
    assert compare(row(psa_recorded=usd("300"), pending_psa=True)) == ()


def test_an_overpaid_bill_is_told_once_and_not_again_as_a_difference_of_balances() -> None:
    assert kinds(row(psa_paid=usd("510"), psa_open=usd("-10"))) == {"overpaid_in_psa"}


def test_balances_that_differ_for_a_reason_of_their_own_are_named() -> None:
    assert kinds(row(books_open=usd("30"))) == {"balances_differ"}
    assert compare(row(books_open=None)) == ()


def test_what_the_accounting_sync_brings_goes_away_by_itself() -> None:
    changes = {"writes_psa": False, "psa_paid": ZERO, "psa_open": usd("500"), "psa_recorded": None}

    assert (only(row(**changes)).kind, only(row(**changes)).waiting) == ("psa_payment_awaited", True)
    assert "500.00 USD of invoice 10401 to the PSA within 5 days" in only(row(**changes, overdue=5)).message
    assert not only(row(**changes, overdue=5)).waiting


def test_what_the_accounting_sync_does_not_take_back_is_told_too() -> None:
    back = {"writes_psa": False, "ledger": ZERO, "gateway_collected": ZERO, "went_back": usd("500"), "books_ours": ZERO}

    late = only(row(**back, books_open=usd("500"), overdue=5))
    assert (late.kind, late.waiting) == ("psa_payment_awaited", False)
    assert "not taken back 500.00 USD" in late.message


def test_what_the_psa_sync_does_not_bring_to_the_books_is_told_after_its_days() -> None:
    watched = {"writes_books": False, "sync_to_books": True, "books_ours": None, "books_unapplied": None}

    early, late = only(row(**watched, books_open=usd("500"))), only(row(**watched, books_open=usd("200"), overdue=5))
    assert (early.kind, early.waiting, late.waiting) == ("books_payment_awaited", True, False)
    assert "has not brought 200.00 USD of invoice 10401 to the books within 5 days" in late.message
    assert only(row(**watched, books_open=None)).kind == "books_payment_awaited"
    assert compare(row(**watched)) == ()


def test_a_line_added_after_the_charge_shows_as_billed_more() -> None:
    assert kinds(row(psa_total=usd("590"), psa_open=usd("90"), books_open=usd("90"))) == {"billed_more"}


def test_a_charge_marked_as_paid_outside_is_to_be_entered_by_hand() -> None:
    assert kinds(unpaid(ChargeState.PAID)) == {"paid_outside"}


def test_a_second_bill_of_a_period_shows() -> None:
    assert kinds(row(further_numbers="10409", further_open=usd("90"))) == {"further_invoice"}


def test_a_target_that_we_do_not_write_to_lacks_nothing() -> None:
    assert compare(row(writes_books=False, books_ours=None, books_unapplied=None, books_open=None)) == ()
