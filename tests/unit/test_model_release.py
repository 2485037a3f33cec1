from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model.agreement import AgreementRef
from connector.model.charge import BreakdownLine
from connector.model.invoice import BooksInvoice, GatewayInvoiceState, InvoiceLine, MethodKind, PaymentMethod
from connector.model.money import Money, total
from connector.model.release import COMPUTED, Held, NotYetDue, Release, WriteOff, adjustments, charge_date, decide
from connector.model.watch import Keep, Reduce, Stop, Void, watch
from tests.unit.nouns import NOON, bill, customer, draft, facts, policy, usd


def hold_names(**changes: Any) -> list[str]:
    decision = decide(facts(**changes))
    assert isinstance(decision, Held)
    return [reason.name for reason in decision.reasons]


def books(balance: str) -> BooksInvoice:
    return BooksInvoice(id="9", number="INV900", customer="3", dated=date(2026, 2, 1), total=usd("100"), balance=usd(balance))


def test_before_its_due_date_a_charge_is_not_yet_due_and_not_held() -> None:
    assert decide(facts(today=date(2026, 2, 15))) == NotYetDue(on=date(2026, 2, 16), bill=bill())


def test_a_computed_amount_below_zero_never_becomes_credit_at_the_gateway() -> None:
    """The gateway would take it off the next charge, which then collects less than the PSA says is owed."""
    computed_only = policy(computed_when_missing=True)

    assert hold_names(bills=(), computed=usd("-12.00"), policy=computed_only) == ["credit_balance"]
    assert isinstance(decide(facts(bills=(), computed=usd("0.00"), policy=computed_only)), Release)


def test_on_its_due_date_it_is_released_at_the_open_balance() -> None:
    decision = decide(facts())

    assert isinstance(decision, Release)
    assert (decision.owed, decision.adjustments) == (usd("100.00"), ())


def test_an_invoice_raised_late_is_released_as_soon_as_it_is_seen() -> None:
    late = bill(dated=date(2026, 2, 10), due_date=date(2026, 2, 10))

    assert isinstance(decide(facts(bills=(late,))), Release)


@pytest.mark.parametrize(
    ("rule", "day", "expected"),
    [
        ("due_date", 1, date(2026, 2, 16)),
        ("invoice_date", 1, date(2026, 2, 1)),
        ("day_of_month", 15, date(2026, 2, 15)),
        ("day_of_month", 31, date(2026, 2, 28)),
    ],
)
def test_the_charge_date_follows_the_rule(rule: str, day: int, expected: date) -> None:
    assert charge_date(policy(charge_date=rule, day=day), bill(), date(2026, 2, 1)) == expected


def test_a_day_of_month_before_the_invoice_is_next_months() -> None:
    dated = bill(dated=date(2026, 1, 20))

    assert charge_date(policy(charge_date="day_of_month", day=15), dated, date(2026, 2, 1)) == date(2026, 2, 15)


def test_tax_true_up_and_payments_elsewhere_each_have_their_line() -> None:
    invoice = bill(total=usd("118.00"), tax=usd("8.00"), payments=usd("20.00"))
    decision = decide(facts(bills=(invoice,)))

    assert isinstance(decision, Release)
    assert {a.slot: a.amount for a in decision.adjustments} == {"tax": usd("8"), "true_up": usd("10"), "elsewhere": usd("-20")}
    assert decision.owed == usd("98.00")


def test_a_bill_paid_elsewhere_is_written_off_even_before_its_due_date() -> None:
    paid = bill(payments=usd("100.00"))

    assert isinstance(decide(facts(bills=(paid,), today=date(2026, 2, 2))), WriteOff)


def test_less_than_nothing_owed_is_a_hold() -> None:
    assert hold_names(bills=(bill(payments=usd("120.00")),)) == ["credit_balance"]


def test_without_an_invoice_it_is_held() -> None:
    assert hold_names(bills=()) == ["missing_invoice"]


def test_without_an_invoice_the_computed_amount_is_charged_where_that_is_configured() -> None:
    decision = decide(facts(bills=(), policy=policy(computed_when_missing=True)))

    assert isinstance(decision, Release)
    assert (decision.owed, decision.bill) == (usd("100.00"), None)


def test_two_invoices_of_one_period_are_a_hold() -> None:
    assert hold_names(bills=(bill("1"), bill("2"))) == ["several_invoices"]


def test_an_invoice_that_two_billing_units_share_is_charged_by_neither() -> None:
    shared = replace(bill(), agreements=(AgreementRef(psa="autotask", id="1"), AgreementRef(psa="autotask", id="2")))
    apart, together = {"1": "autotask:1", "2": "autotask:2"}, {"1": "autotask:1", "2": "autotask:1"}

    assert hold_names(bills=(shared,), unit="autotask:1", owners=apart) == ["shared_invoice"]
    assert hold_names(bills=(shared,), unit="autotask:2", owners=apart) == ["shared_invoice"]
    assert isinstance(decide(facts(bills=(shared,), unit="autotask:1", owners=together)), Release)
    assert isinstance(decide(facts(bills=(shared,), unit="autotask:1", owners={"1": "autotask:1"})), Release)


def test_a_difference_between_psa_and_books_is_a_hold() -> None:
    assert hold_names(books_bills=(books("60.00"),)) == ["balances_differ"]


def test_unapplied_credit_in_the_books_is_a_hold() -> None:
    assert hold_names(books_bills=(books("100.00"),), books_unapplied=usd("5")) == ["unapplied_credit"]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("not_opted_in", {"collect": False}),
        ("paused", {"paused": True}),
        ("reversed", {"reversed": True}),
        ("gateway_balance", {"customer": customer(balance=usd("70.00"))}),
        ("no_method", {"customer": customer(default_method=None)}),
        (
            "card_expired",
            {"customer": customer(default_method=PaymentMethod(id="p", kind=MethodKind.CARD, expires=date(2026, 2, 1)))},
        ),
        ("in_flight", {"draft": draft(in_flight=True)}),
        ("before_collect_from", {"policy": policy(collect_from=date(2026, 2, 2))}),
        ("stale_data", {"data_age": timedelta(hours=25)}),
        ("payer_differs", {"customer": customer(payer="psa:999")}),
        ("below_minimum", {"bills": (bill(total=usd("0.49")),)}),
        ("cap", {"policy": policy(cap=usd("99.99"))}),
        ("change", {"previous": usd("50"), "policy": policy(max_change_percent=Decimal(20), max_change=usd("25"))}),
    ],
)
def test_each_guard_holds_under_its_own_name(name: str, changes: dict[str, Any]) -> None:
    assert hold_names(**changes) == [name]


def test_a_change_is_held_only_when_percent_and_amount_are_both_exceeded() -> None:
    strict = policy(max_change_percent=Decimal(20), max_change=usd("60"))

    assert isinstance(decide(facts(previous=usd("50"), policy=strict)), Release)


def test_a_draft_made_by_hand_keeps_its_computed_line() -> None:
    own = InvoiceLine(id="il", item="ii", slot=COMPUTED, description="Managed Services", amount=usd("90.00"))

    made = adjustments(draft("90.00", lines=(own,)), bill(), usd("100.00"))

    assert [(a.slot, a.amount) for a in made] == [(COMPUTED, usd("90")), ("true_up", usd("10"))]


@given(
    own=st.integers(0, 10**7),
    tax=st.integers(0, 10**6),
    total_=st.integers(1, 10**7),
    paid=st.integers(0, 10**7),
    lines=st.lists(st.integers(-(10**5), 10**6), max_size=5),
)
def test_a_released_draft_comes_to_what_is_owed_and_its_breakdown_too(
    own: int, tax: int, total_: int, paid: int, lines: list[int]
) -> None:
    invoice = bill(total=Money(total_, "USD"), tax=Money(min(tax, total_), "USD"), payments=Money(paid, "USD"))
    computed_lines = tuple(BreakdownLine(kind="line", description="x", amount=Money(n, "USD")) for n in lines)
    start = draft(str(Money(own, "USD").major))
    decision = decide(facts(bills=(invoice,), draft=start, computed_lines=computed_lines))

    if total_ - paid in range(1, 50):
        assert isinstance(decision, Held)
    elif isinstance(decision, Release):
        assert 0 < decision.owed.minor <= total_
        assert start.total + total((a.amount for a in decision.adjustments), "USD") == decision.owed
        assert total((row.amount for row in decision.breakdown), "USD") == decision.owed
    else:
        assert paid >= total_


def open_invoice(remaining: str = "100.00", **changes: Any) -> Any:
    fields = {"state": GatewayInvoiceState.OPEN, "auto_advance": True, "attempts": 1, "next_attempt": NOON}
    return replace(draft(remaining), **{**fields, **changes})


def seen(invoice: Any, open_now: str | None, *, paused: bool = False) -> Any:
    return watch(invoice, open_now=None if open_now is None else usd(open_now), paused=paused)


def test_an_open_invoice_that_is_still_owed_is_left_alone() -> None:
    assert seen(open_invoice(), "100.00") == Keep()


def test_a_cheque_while_the_gateway_retries_makes_the_invoice_smaller() -> None:
    assert seen(open_invoice(), "40.00") == Reduce(by=usd("60.00"))


def test_an_invoice_paid_elsewhere_is_voided() -> None:
    assert seen(open_invoice(), "0") == Void()


def test_more_owed_later_never_raises_a_released_charge() -> None:
    assert seen(open_invoice(), "150.00") == Keep()


def test_of_a_half_paid_invoice_only_the_rest_is_compared() -> None:
    partly = open_invoice(amount_paid=usd("30.00"), amount_remaining=usd("70.00"))

    assert seen(partly, "70.00") == Keep()
    assert seen(partly, "20.00") == Reduce(by=usd("50.00"))


def test_a_debit_under_way_is_never_voided_but_told() -> None:
    decision = seen(open_invoice(in_flight=True), "0")

    assert isinstance(decision, Keep)
    assert decision.note is not None
    assert decision.note.name == "in_flight"


def test_a_bill_that_was_deleted_stops_collection() -> None:
    decision = seen(open_invoice(), None)

    assert isinstance(decision, Stop)
    assert decision.reason.name == "invoice_gone"


def test_a_pause_stops_what_is_already_open() -> None:
    assert isinstance(seen(open_invoice(), "100.00", paused=True), Stop)


def test_a_gateway_that_gave_up_is_a_hold_with_a_name_and_not_silence() -> None:
    decision = seen(open_invoice(next_attempt=None, failure="insufficient_funds"), "100.00")

    assert decision.note.name == "not_retrying"
    assert "insufficient_funds" in decision.note.message
