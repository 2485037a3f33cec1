"""Stripe's balance transactions, payouts, refunds and disputes, read into our nouns."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from adapters.stripe import checks, translate_balance, translate_reversals, wire, wire_balance
from connector.model.ledger import ReversalStage
from connector.model.money import Money
from connector.model.payout import BalanceKind, BalanceLine, PayoutState, sums

SHARED = Path(os.environ.get("CONNECTOR_SHARED") or Path(__file__).resolve().parents[2].parent / "shared")
FIXTURES = SHARED / "samples" / "stripe" / "official_fixtures"
sampled = pytest.mark.skipif(not FIXTURES.is_dir(), reason=f"Stripe's published bodies are not at {FIXTURES} (CONNECTOR_SHARED)")


def line(**changes: Any) -> BalanceLine:
    body = {
        "id": "txn_1", "amount": 100_00, "fee": 3_20, "net": 96_80, "currency": "usd", "created": 1_781_000_000,
        "type": "charge", "reporting_category": "charge", "description": None, "source": None,
    }  # fmt: skip
    return translate_balance.line(wire_balance.BalanceTransaction.model_validate({**body, **changes}))


def charge(**fields: Any) -> dict[str, Any]:
    return {"id": "ch_1", "object": "charge", "payment_intent": "pi_1", **fields}


@sampled
def test_the_published_bodies_are_read() -> None:
    moved = json.loads((FIXTURES / "balance_transaction.json").read_text())
    paid = json.loads((FIXTURES / "payout.json").read_text())

    read = translate_balance.line(wire_balance.BalanceTransaction.model_validate(moved))
    payout = translate_balance.payout(wire_balance.Payout.model_validate(paid))

    assert read.net == read.amount - read.fee
    assert payout.amount.minor == paid["amount"]


@sampled
def test_the_story_s_payout_is_explained_by_its_lines() -> None:
    bodies = json.loads((FIXTURES.parent / "story" / "lists" / "balance_transactions_by_payout.json").read_text())["data"]
    lines = [translate_balance.line(wire_balance.BalanceTransaction.model_validate(body)) for body in bodies]
    own = [line for line in lines if line.kind is BalanceKind.PAYOUT]

    assert len(own) == 1
    assert sums([line for line in lines if line not in own], "USD").net == -own[0].net


@pytest.mark.parametrize(
    ("type", "category", "kind"),
    [
        ("charge", "charge", BalanceKind.CHARGE),
        ("payment", "charge", BalanceKind.CHARGE),
        ("payment_refund", "refund", BalanceKind.REFUND),
        ("adjustment", "refund_failure", BalanceKind.REFUND_FAILURE),
        ("adjustment", "dispute", BalanceKind.DISPUTE),
        ("adjustment", "dispute_reversal", BalanceKind.DISPUTE_REVERSAL),
        ("adjustment", "other_adjustment", BalanceKind.ADJUSTMENT),
        ("adjustment", "fee", BalanceKind.FEE),
        ("stripe_fee", "fee", BalanceKind.FEE),
        ("stripe_fee", "network_cost", BalanceKind.FEE),
        ("tax_fee", "tax", BalanceKind.FEE),
        ("reserved_funds", "risk_reserved_funds", BalanceKind.RESERVE),
        ("payout_minimum_balance_hold", "payout_minimum_balance_hold", BalanceKind.RESERVE),
        ("payout", "payout", BalanceKind.PAYOUT),
        ("payout_failure", "payout_reversal", BalanceKind.PAYOUT_FAILURE),
        ("payout_cancel", "payout_reversal", BalanceKind.PAYOUT_FAILURE),
        ("topup", "topup", BalanceKind.TRANSFER),
        ("issuing_transaction", "issuing_transaction", BalanceKind.OTHER),
        ("something_new", "something_new", BalanceKind.OTHER),
    ],
)
def test_every_category_has_its_kind_and_a_new_one_is_not_guessed(type: str, category: str, kind: BalanceKind) -> None:
    assert line(type=type, reporting_category=category).kind is kind


def test_a_line_is_named_by_the_payment_behind_it() -> None:
    refund = {"id": "re_1", "object": "refund", "charge": "ch_1", "payment_intent": "pi_1"}

    assert [line(source=source).payment for source in (charge(), refund, charge(payment_intent=None), None)] == [
        "pi_1",
        "pi_1",
        "ch_1",
        "",
    ]
    assert line(source="po_1").source == "po_1"


def test_a_payout_in_a_state_that_is_new_to_us_is_not_over_yet() -> None:
    body = {
        "id": "po_1", "amount": -500, "currency": "usd", "status": "on_hold", "arrival_date": 1_781_000_000,
        "created": 1_780_900_000, "automatic": True, "reconciliation_status": "in_progress",
    }  # fmt: skip

    payout = translate_balance.payout(wire_balance.Payout.model_validate(body))

    assert (payout.state, payout.reconciled, payout.amount) == (PayoutState.PENDING, False, Money(-500, "USD"))


@pytest.mark.parametrize(
    ("said", "meant"),
    [("credit", "credit"), (" Overpayment ", "overpayment"), ("cancel_payment", "cancel_payment"), ("goodwill", ""), ("", "")],
)
def test_what_a_refund_is_for_is_one_of_three_words_or_not_said(said: str, meant: str) -> None:
    assert translate_reversals.intent({"psa_connector_intent": said}) == meant


@pytest.mark.parametrize(
    ("status", "stage"),
    [
        ("warning_needs_response", ReversalStage.INQUIRY),
        ("needs_response", ReversalStage.OPENED),
        ("under_review", ReversalStage.UNDER_REVIEW),
        ("won", ReversalStage.WON),
        ("lost", ReversalStage.LOST),
        ("appeal_in_a_later_version", ReversalStage.UNDER_REVIEW),
    ],
)
def test_a_dispute_has_the_stage_that_its_status_says(status: str, stage: ReversalStage) -> None:
    body = {"id": "du_1", "amount": 500, "currency": "usd", "created": 1, "status": status, "reason": "fraudulent"}

    assert translate_reversals.dispute(wire.Dispute.model_validate(body), "pi_1", None).stage is stage


def test_what_an_account_does_not_tell_is_not_taken_for_right() -> None:
    """A restricted key may see no more of its account than the id."""
    silent = wire_balance.Account.model_validate({"id": "acct_1", "object": "account"})

    found = [*checks.switches(silent), checks.schedule(silent), checks.currency(silent, "USD"), checks.after_retries([])]

    assert {check.right for check in found} == {None}
    assert all(check.message.endswith(".") for check in found)
