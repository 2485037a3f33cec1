"""The sandbox's Stripe: the balance, and the payouts that take it to the bank or fetch it from there."""

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


def members(stage: Scene, payout: str) -> list[Any]:
    return list(stage.v1.balance_transactions.list({"payout": payout, "limit": 100}).data)


def payouts(stage: Scene) -> list[Any]:
    """Oldest first."""
    return list(reversed(stage.v1.payouts.list({"limit": 100}).data))


def held(stage: Scene) -> int:
    balance = stage.v1.balance.retrieve()
    return sum(funds.amount for funds in (*balance.available, *balance.pending))


def moved(stage: Scene) -> int:
    return sum(t.net for t in stage.v1.balance_transactions.list({"limit": 100}).data)


def test_a_payout_takes_what_became_available_and_names_it(stage: Scene) -> None:
    paid(stage)
    stage.to(2026, 2, 9)
    (payout,) = payouts(stage)

    assert (payout.status, payout.reconciliation_status, payout.automatic) == ("paid", "completed", True)
    assert {m.type: m.net for m in members(stage, payout.id)} == {"payout": -109_207, "charge": 109_207}
    assert payout.arrival_date == at(2026, 2, 5)
    assert held(stage) == 0


def test_a_payout_is_pending_then_in_transit_then_paid_then_reconciled(stage: Scene) -> None:
    stage.released()
    seen = []
    for day, hour in ((3, 1), (4, 1), (5, 0), (5, 1)):
        stage.to(2026, 2, day, hour)
        seen += [(p.status, p.reconciliation_status) for p in payouts(stage)]

    assert seen == [("pending", "in_progress"), ("in_transit", "in_progress"), ("paid", "in_progress"), ("paid", "completed")]
    assert [e.type for e in stage.events() if e.type.startswith("payout")] == [
        "payout.created",
        "payout.updated",
        "payout.paid",
        "payout.reconciliation_completed",
    ]


def test_before_it_is_reconciled_a_payout_s_list_may_lack_transactions(stage: Scene) -> None:
    stage.released()
    stage.to(2026, 2, 3, 1)
    early = members(stage, payouts(stage)[0].id)
    stage.to(2026, 2, 6)

    assert sum(m.net for m in early) != 0
    assert sum(m.net for m in members(stage, payouts(stage)[0].id)) == 0


def test_a_bank_debit_is_available_when_it_is_known_to_have_worked(stage: Scene) -> None:
    paid(stage, "us_bank_account")
    stage.to(2026, 2, 13)
    (payout,) = payouts(stage)

    assert (payout.amount, payout.arrival_date) == (112_500 - 500, at(2026, 2, 9))


def test_a_negative_balance_is_fetched_from_the_bank_the_next_day(stage: Scene) -> None:
    intent = paid(stage)
    stage.act("refund", payment_intent=intent.id, amount=5_000)
    stage.to(2026, 2, 10, 1)
    before = held(stage)
    stage.to(2026, 2, 20)
    last = payouts(stage)[-1]

    assert before == -5_000
    assert (last.amount, last.status, last.reconciliation_status) == (-5_000, "paid", "completed")
    assert [(m.type, m.net) for m in members(stage, last.id)] == [("payout", 5_000), ("refund", -5_000)]
    assert held(stage) == 0


def test_a_negative_balance_waits_for_later_funds_where_the_bank_is_not_debited(stage: Scene) -> None:
    stage.act("set_payouts", debit_negative=False)
    intent = paid(stage)
    stage.act("refund", payment_intent=intent.id, amount=5_000)
    subscription = stage.v1.subscriptions.list({"status": "all"}).data[0].id
    stage.to(2026, 3, 1, 13)
    stage.v1.invoices.finalize_invoice(stage.draft(subscription).id, {"auto_advance": True})
    stage.to(2026, 3, 9)
    later = payouts(stage)[-1]

    assert [m.type for m in members(stage, later.id)] == ["payout", "charge", "refund"]
    assert later.amount == 109_207 - 5_000


def test_each_payout_equals_the_sum_of_what_it_took(stage: Scene) -> None:
    for method, behaviour in (("card", "ok"), ("us_bank_account", "ok"), ("us_bank_account", "ach_returns")):
        _, subscription = stage.armed(method, behaviour)
        stage.v1.subscriptions.update(subscription, {"pause_collection": ""})
    stage.act("shop_sale", amount=1_900)
    stage.act("stripe_fee", amount=1_000)
    stage.act("reserve", amount=500)
    stage.to(2026, 6, 1)
    stage.act("reserve", amount=-500)
    stage.act("adjustment", amount=321)
    stage.to(2026, 6, 20)
    done = [p for p in payouts(stage) if p.reconciliation_status == "completed"]

    assert len(done) > 4
    assert {sum(m.net for m in members(stage, p.id)) for p in done} == {0}
    assert held(stage) == moved(stage)


def test_what_is_nobody_s_payment_has_its_own_category(stage: Scene) -> None:
    stage.act("shop_sale", amount=10_000)
    stage.act("stripe_fee", amount=700)
    stage.act("stripe_fee", amount=70, category="tax")
    stage.act("adjustment", amount=-30)
    stage.act("reserve", amount=1_000)
    stage.to(2026, 1, 20)
    taken = members(stage, payouts(stage)[0].id)

    assert {(m.type, m.reporting_category, m.net) for m in taken if m.type not in ("payout", "charge")} == {
        ("stripe_fee", "fee", -700),
        ("tax_fee", "tax", -70),
        ("adjustment", "other_adjustment", -30),
        ("reserved_funds", "risk_reserved_funds", -1_000),
    }
    assert stage.v1.invoice_payments.list().data == []


def test_a_payout_that_the_bank_refuses_comes_back_into_the_balance(stage: Scene) -> None:
    paid(stage)
    stage.to(2026, 2, 9)
    (payout,) = payouts(stage)
    stage.act("fail_payout", payout=payout.id)
    failed = stage.v1.payouts.retrieve(payout.id)
    stage.to(2026, 2, 18)
    again = payouts(stage)[-1]

    assert (payout.status, failed.status, failed.failure_code) == ("paid", "failed", "account_closed")
    assert [(m.type, m.net, m.source) for m in members(stage, again.id)] == [
        ("payout", -109_207, again.id),
        ("payout_failure", 109_207, payout.id),
    ]
    assert members(stage, again.id)[1].id == failed.failure_balance_transaction


def test_a_payout_does_not_fail_weeks_after_it_was_paid(stage: Scene) -> None:
    paid(stage)
    stage.to(2026, 2, 20)

    with pytest.raises(ValueError, match="business days ago"):
        stage.act("fail_payout", payout=payouts(stage)[0].id)


def test_a_payout_asked_for_by_hand_has_no_list(stage: Scene) -> None:
    stage.act("set_payouts", schedule="manual")
    paid(stage)
    with pytest.raises(ValueError, match="insufficient funds"):
        stage.act("manual_payout", amount=109_208)
    stage.act("manual_payout", amount=100_000)
    stage.to(2026, 2, 20)
    (payout,) = payouts(stage)

    with pytest.raises(stripe.InvalidRequestError, match="not manual"):
        members(stage, payout.id)
    assert (payout.status, payout.automatic, payout.reconciliation_status) == ("paid", False, "not_applicable")
    assert held(stage) == moved(stage) == 9_207


def test_payouts_are_found_by_their_day_at_the_bank(stage: Scene) -> None:
    paid(stage)
    stage.to(2026, 2, 9)

    assert len(stage.v1.payouts.list({"arrival_date": {"gte": at(2026, 2, 5)}}).data) == 1
    assert stage.v1.payouts.list({"arrival_date": {"gt": at(2026, 2, 5)}}).data == []


def test_an_account_that_is_restricted_neither_charges_nor_pays_out(stage: Scene) -> None:
    stage.act("restrict", charges=False, payouts=False)
    invoice = stage.released()
    stage.to(2026, 2, 1, 15)
    refused = stage.intent(invoice.id)
    stage.act("restrict", charges=True, payouts=False)
    stage.to(2026, 2, 20)
    held_back = held(stage)
    stage.act("restrict")
    stage.act("shop_sale", amount=1_000)
    stage.to(2026, 2, 28)

    assert (refused.last_payment_error.code, refused.latest_charge) == ("account_invalid", None)
    assert (held_back, stage.invoice(invoice.id).status) == (109_207, "paid")
    assert held(stage) == 0
