"""The sandbox's Stripe: money that goes back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from tests.contract.stripe_story import Scene, scene


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


def test_a_refund_that_the_balance_does_not_cover_waits_and_moves_nothing(stage: Scene) -> None:
    intent = paid(stage)
    waiting = dict(stage.act("refund_without_funds", payment_intent=intent.id, amount=700))
    stage.act("fund_refund", refund=waiting["id"])
    sent = stage.v1.refunds.retrieve(waiting["id"])

    assert (waiting["status"], waiting["pending_reason"], waiting["balance_transaction"]) == (
        "pending",
        "insufficient_funds",
        None,
    )
    assert (sent.status, stage.v1.balance_transactions.retrieve(sent.balance_transaction).amount) == ("succeeded", -700)


def test_a_dispute_goes_its_way_from_an_inquiry_to_a_loss(stage: Scene) -> None:
    intent = paid(stage)
    dispute = stage.act("dispute", payment_intent=intent.id, inquiry=True)
    asked = stage.v1.disputes.retrieve(dispute["id"])
    stage.v1.refunds.create({"payment_intent": intent.id, "amount": 100})
    stage.act("withdraw_dispute", dispute=dispute["id"])
    stage.act("answer_dispute", dispute=dispute["id"])
    answered = stage.v1.disputes.retrieve(dispute["id"])
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        stage.v1.refunds.create({"payment_intent": intent.id, "amount": 100})
    stage.act("close_dispute", dispute=dispute["id"], won=False)

    assert (asked.status, asked.balance_transactions) == ("warning_needs_response", [])
    assert (answered.status, len(answered.balance_transactions)) == ("under_review", 1)
    assert refusal.value.code == "charge_disputed"
    assert stage.v1.disputes.retrieve(dispute["id"]).status == "lost"


def test_a_dispute_that_was_won_may_or_may_not_give_its_fee_back(stage: Scene) -> None:
    stage.act("set_dispute_fee_returned", returned=False)
    dispute = stage.act("dispute", payment_intent=paid(stage).id)
    stage.act("close_dispute", dispute=dispute["id"], won=True)

    assert sum(moved["net"] for moved in dispute["balance_transactions"]) == -1_500


def test_a_debit_that_the_customer_disputes_ends_the_mandate(stage: Scene) -> None:
    intent = paid(stage, "us_bank_account")
    stage.act("ach_return", payment_intent=intent.id, reason="debit_not_authorized")
    (dispute,) = stage.v1.disputes.list({"payment_intent": intent.id}).data
    subscription = stage.v1.subscriptions.list({"status": "all"}).data[0].id
    stage.to(2026, 3, 1, 13)
    again = stage.v1.invoices.finalize_invoice(stage.draft(subscription).id, {"auto_advance": True})
    stage.to(2026, 3, 1, 15)

    assert (dispute.status, dispute.balance_transactions[0].fee) == ("lost", 1_500)
    assert stage.intent(again.id).last_payment_error.code == "payment_intent_mandate_invalid"
    assert stage.invoice(again.id).status == "open"


@pytest.mark.parametrize(("setting", "becomes"), [("past_due", "past_due"), ("cancel", "canceled"), ("unpaid", "unpaid")])
def test_after_the_last_retry_the_owner_s_setting_decides(stage: Scene, setting: str, becomes: str) -> None:
    stage.act("set_after_retries", outcome=setting)
    released = stage.released("card", "decline")
    stage.to(2026, 2, 25)
    (subscription,) = stage.v1.subscriptions.list({"status": "all"}).data

    assert subscription.status == becomes
    assert subscription.cancellation_details.reason == ("payment_failed" if setting == "cancel" else None)
    assert stage.invoice(released.id).status == "open"
