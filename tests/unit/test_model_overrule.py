"""What a person may overrule, and what never."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connector.model.invoice import BooksInvoice, MethodKind, PaymentMethod
from connector.model.release import OVERRULABLE, Decision, Held, Release, decide
from tests.unit.nouns import bill, customer, draft, facts, policy, usd

EVERY = frozenset(
    "cap change card_expired stale_data balances_differ unapplied_credit no_method in_flight paused reversed not_opted_in"
    " before_collect_from missing_invoice several_invoices ambiguous_invoice payer_differs currency_differs credit_balance"
    " below_minimum".split()
)
CARD = customer(default_method=PaymentMethod(id="p", kind=MethodKind.CARD, expires=date(2026, 2, 1)))


def books(balance: str) -> BooksInvoice:
    return BooksInvoice(id="9", number="INV900", customer="3", dated=date(2026, 2, 1), total=usd("100"), balance=usd(balance))


def overruled(amount: str = "100.00", *, names: frozenset[str] = EVERY, **changes: Any) -> Decision:
    return decide(facts(released_by_person=dict.fromkeys(names, usd(amount)), **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"policy": policy(cap=usd("99.99"))},
        {"previous": usd("50"), "policy": policy(max_change_percent=Decimal(20), max_change=usd("25"))},
        {"customer": CARD},
        {"data_age": timedelta(hours=25)},
        {"books_bills": (books("60.00"),)},
        {"books_bills": (books("100.00"),), "books_unapplied": usd("5")},
    ],
)
def test_a_guard_about_an_amount_that_is_known_can_be_overruled(changes: dict[str, Any]) -> None:
    assert isinstance(decide(facts(**changes)), Held)
    assert isinstance(overruled(**changes), Release)


@pytest.mark.parametrize(
    "changes",
    [
        {"customer": customer(default_method=None)},
        {"draft": draft(in_flight=True)},
        {"paused": True},
        {"reversed": True},
        {"collect": False},
        {"policy": policy(collect_from=date(2026, 2, 2))},
        {"bills": ()},
        {"bills": (bill("1"), bill("2"))},
        {"unsure": (bill("1"),), "bills": ()},
        {"customer": customer(payer="psa:999")},
        {"bills": (bill(payments=usd("120.00")),)},
    ],
)
def test_who_owes_how_much_whether_and_to_whom_is_never_overruled(changes: dict[str, Any]) -> None:
    assert isinstance(overruled(**changes), Held)


def test_another_amount_is_another_question() -> None:
    over_cap = {"policy": policy(cap=usd("50.00"))}

    assert isinstance(overruled("100.00", **over_cap), Release)
    assert isinstance(overruled("100.00", bills=(bill(total=usd("100.01")),), **over_cap), Held)


def test_overruling_one_hold_leaves_the_others() -> None:
    decision = overruled(names=frozenset({"cap"}), policy=policy(cap=usd("50.00")), customer=CARD)

    assert isinstance(decision, Held)
    assert [reason.name for reason in decision.reasons] == ["card_expired"]


def test_where_psa_and_books_differ_the_lower_amount_is_taken_and_never_nothing() -> None:
    lower = overruled(books_bills=(books("60.00"),))

    assert isinstance(lower, Release)
    assert lower.owed == usd("60.00")
    assert isinstance(overruled(books_bills=(books("0"),)), Held)


def test_a_hold_nobody_thought_of_cannot_be_overruled() -> None:
    assert frozenset({"refused", "invoice_gone", "not_retrying", "paused", "no_method"}).isdisjoint(OVERRULABLE)
