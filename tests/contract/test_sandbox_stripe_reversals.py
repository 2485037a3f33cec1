"""The sandbox's Stripe: money that goes back, the balance, and payouts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from tests.contract.stripe_story import Scene, at, scene


@pytest.fixture
def stage() -> Iterator[Scene]:
    with scene() as opened:
        yield opened


def paid(stage: Scene, method: str = "card", behaviour: str = "ok") -> Any:
    """The payment intent of February, succeeded."""
    invoice = stage.released(method, behaviour)
    stage.to(2026, 2, 6, 12)
    return stage.intent(invoice.id)


def test_a_partial_refund_shows_on_the_charge_and_costs_no_fee(stage: Scene) -> None:
    intent = paid(stage)
    refund = stage.v1.refunds.create({"payment_intent": intent.id, "amount": 5_000})
    charge = stage.v1.charges.retrieve(intent.latest_charge)
    moved = stage.v1.balance_transactions.retrieve(refund.balance_transaction)

    assert (charge.amount_refunded, charge.refunded, refund.status) == (5_000, False, "succeeded")
    assert (moved.amount, moved.fee, moved.reporting_category) == (-5_000, 0, "refund")
    assert [r.id for r in stage.v1.refunds.list({"payment_intent": intent.id}).data] == [refund.id]


def test_no_more_is_refunded_than_was_paid(stage: Scene) -> None:
    intent = paid(stage)
    stage.act("refund", payment_intent=intent.id)

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        stage.v1.refunds.create({"payment_intent": intent.id})

    assert refusal.value.code == "charge_already_refunded"


def test_a_refund_to_a_bank_account_takes_days(stage: Scene) -> None:
    refund = stage.act("refund", payment_intent=paid(stage, "us_bank_account").id, amount=700)
    before = stage.v1.refunds.retrieve(refund["id"]).status
    stage.world.advance_days(5)

    assert (before, stage.v1.refunds.retrieve(refund["id"]).status) == ("pending", "succeeded")


def test_a_failed_refund_gives_the_money_back(stage: Scene) -> None:
    intent = paid(stage)
    refund = stage.act("refund", payment_intent=intent.id, amount=700)
    stage.act("fail_refund", refund=refund["id"])

    assert stage.v1.refunds.retrieve(refund["id"]).status == "failed"
    assert stage.v1.charges.retrieve(intent.latest_charge).amount_refunded == 0


def test_a_card_dispute_takes_the_money_and_a_fee_and_gives_it_back_when_won(stage: Scene) -> None:
    intent = paid(stage)
    dispute = stage.act("dispute", payment_intent=intent.id)
    withdrawn = dict(dispute["balance_transactions"][0])
    stage.act("close_dispute", dispute=dispute["id"], won=True)
    (shown,) = stage.v1.disputes.list({"payment_intent": intent.id}).data

    assert (withdrawn["amount"], withdrawn["fee"]) == (-112_500, 1_500)
    assert (shown.status, sum(moved.net for moved in shown.balance_transactions)) == ("won", 0)
    assert [e.type for e in stage.events() if "dispute" in e.type] == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
        "charge.dispute.closed",
    ]


def test_a_returned_bank_debit_is_a_dispute_that_is_lost_at_once_and_the_invoice_stays_paid(stage: Scene) -> None:
    invoice = stage.released("us_bank_account", "ach_returns")
    stage.to(2026, 2, 10)
    (dispute,) = stage.v1.disputes.list({"payment_intent": stage.intent(invoice.id).id}).data

    assert (dispute.status, dispute.reason) == ("lost", "insufficient_funds")
    assert (dispute.balance_transactions[0].fee, "payment_method_details" in dispute.to_dict()) == (400, False)
    assert stage.invoice(invoice.id).status == "paid"


def test_a_payout_takes_what_became_available_and_names_it(stage: Scene) -> None:
    intent = paid(stage)
    stage.act("refund", payment_intent=intent.id, amount=5_000)
    stage.to(2026, 2, 20)
    payouts = stage.v1.payouts.list().data
    members = stage.v1.balance_transactions.list({"payout": payouts[-1].id}).data

    assert [(payout.status, payout.reconciliation_status) for payout in payouts] == [("paid", "completed")]
    assert {m.type: m.net for m in members} == {"payout": -109_207, "charge": 109_207}
    assert payouts[0].arrival_date == at(2026, 2, 5)
    assert stage.v1.balance.retrieve().available[0].amount == -5_000


def test_a_negative_balance_waits_for_later_funds(stage: Scene) -> None:
    intent = paid(stage)
    stage.act("refund", payment_intent=intent.id, amount=5_000)
    subscription = stage.v1.subscriptions.list({"status": "all"}).data[0].id
    stage.to(2026, 3, 1, 13)
    stage.v1.invoices.finalize_invoice(stage.draft(subscription).id, {"auto_advance": True})
    stage.to(2026, 3, 9)
    later = stage.v1.payouts.list().data[0]
    members = stage.v1.balance_transactions.list({"payout": later.id}).data

    assert [m.type for m in members] == ["payout", "charge", "refund"]
    assert later.amount == 109_207 - 5_000


def test_each_payout_equals_the_sum_of_what_it_took(stage: Scene) -> None:
    for method, behaviour in (("card", "ok"), ("us_bank_account", "ok"), ("us_bank_account", "ach_returns")):
        _, subscription = stage.armed(method, behaviour)
        stage.v1.subscriptions.update(subscription, {"pause_collection": ""})
    stage.to(2026, 6, 1)
    payouts = stage.v1.payouts.list({"limit": 100}).data
    sums = [sum(m.net for m in stage.v1.balance_transactions.list({"payout": p.id, "limit": 100}).data) for p in payouts]

    assert len(payouts) > 4
    assert set(sums) == {0}


def test_a_payout_that_the_bank_refuses_comes_back_into_the_balance(stage: Scene) -> None:
    paid(stage)
    stage.to(2026, 2, 9)
    (payout,) = stage.v1.payouts.list().data
    stage.act("fail_payout", payout=payout.id)
    failed = stage.v1.payouts.retrieve(payout.id)
    stage.to(2026, 2, 13)

    assert (payout.status, failed.status, failed.failure_code) == ("paid", "failed", "account_closed")
    assert [p.amount for p in stage.v1.payouts.list().data] == [109_207, 109_207]
