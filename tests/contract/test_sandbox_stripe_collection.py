"""The sandbox's Stripe: drafts made equal to what is owed, finalized, collected, retried, written off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from tests.contract.stripe_story import Scene, at, item, scene


@pytest.fixture
def stage() -> Iterator[Scene]:
    with scene() as opened:
        yield opened


def february(stage: Scene, **armed: str) -> Any:
    """The draft of February."""
    _, subscription = stage.armed(**armed)
    stage.to(2026, 2, 1, 13)
    return stage.draft(subscription)


def add(stage: Scene, draft: Any, amount: int) -> Any:
    return stage.v1.invoice_items.create({"customer": draft.customer, "invoice": draft.id, "amount": amount})


def test_items_added_to_a_draft_change_its_total(stage: Scene) -> None:
    draft = february(stage)
    less = add(stage, draft, -12_500)
    more = add(stage, draft, 900)
    stage.v1.invoice_items.update(less.id, {"amount": -2_500})
    stage.v1.invoice_items.delete(more.id)
    changed = stage.invoice(draft.id)

    assert changed.total == 110_000
    assert [line.parent.type for line in changed.lines.data] == ["subscription_item_details", "invoice_item_details"]
    assert [i.id for i in stage.v1.invoice_items.list({"invoice": draft.id}).data] == [less.id]


def test_an_invoice_shows_ten_lines_and_the_rest_on_request(stage: Scene) -> None:
    draft = february(stage)
    for number in range(12):
        add(stage, draft, number + 1)
    shown = stage.invoice(draft.id)
    lines = list(stage.v1.invoices.line_items.list(draft.id, {"limit": 5}).auto_paging_iter())

    assert (len(shown.lines.data), shown.lines.has_more) == (10, True)
    assert sum(line.amount for line in lines) == shown.total


def test_nothing_is_added_to_a_finalized_invoice(stage: Scene) -> None:
    invoice = stage.released()

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        add(stage, invoice, 100)

    assert refusal.value.code == "invoice_not_editable"


def test_a_released_draft_is_collected_within_the_hour_and_not_at_once(stage: Scene) -> None:
    invoice = stage.released()
    stage.to(2026, 2, 1, 14)
    paid = stage.invoice(invoice.id)
    (payment,) = stage.v1.invoice_payments.list({"invoice": invoice.id}).data

    assert (invoice.status, invoice.attempted) == ("open", False)
    assert (paid.status, paid.amount_paid, paid.amount_remaining) == ("paid", 112_500, 0)
    assert (payment.status, payment.amount_paid) == ("paid", 112_500)
    assert payment.status_transitions.paid_at == paid.status_transitions.paid_at


def test_a_payment_leads_back_to_its_invoice_and_on_to_its_fee(stage: Scene) -> None:
    invoice = stage.released()
    stage.world.advance_days(1)
    intent = stage.intent(invoice.id)
    by_payment = {"payment": {"type": "payment_intent", "payment_intent": intent.id}}
    found = stage.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge.balance_transaction"]})

    assert [p.invoice for p in stage.v1.invoice_payments.list(by_payment).data] == [invoice.id]
    assert found.latest_charge.balance_transaction.fee == 3_293  # 2.9 % of 1125.00 and 30 cents
    assert found.latest_charge.balance_transaction.net == 112_500 - 3_293


def test_finalized_without_advancing_it_is_never_tried(stage: Scene) -> None:
    draft = february(stage)
    stage.v1.invoices.finalize_invoice(draft.id, {"auto_advance": False})
    stage.world.advance_days(20)
    idle = stage.invoice(draft.id)

    assert (idle.status, idle.attempted, idle.next_payment_attempt) == ("open", False, None)


def test_stopping_and_resuming_an_open_invoice(stage: Scene) -> None:
    invoice = stage.released()
    stopped = stage.v1.invoices.update(invoice.id, {"auto_advance": False})
    stage.world.advance_days(3)
    idle = stage.invoice(invoice.id)
    stage.v1.invoices.update(invoice.id, {"auto_advance": True})
    stage.world.advance_days(0.05)

    assert (stopped.next_payment_attempt, idle.status) == (None, "open")
    assert stage.invoice(invoice.id).status == "paid"


def test_a_declined_card_is_retried_on_a_schedule_until_it_works(stage: Scene) -> None:
    invoice = stage.released("card", "decline_once")
    stage.to(2026, 2, 1, 14)
    failed = stage.invoice(invoice.id)
    intent = stage.intent(invoice.id)
    stage.to(2026, 2, 3)

    assert (failed.status, failed.attempt_count) == ("open", 1)
    assert failed.next_payment_attempt == at(2026, 2, 2, 13, 5)
    assert intent.last_payment_error.decline_code == "insufficient_funds"
    assert stage.invoice(invoice.id).status == "paid"
    assert stage.v1.subscriptions.retrieve(invoice.parent.subscription_details.subscription).status == "active"


def test_eight_retries_within_two_weeks_are_the_last(stage: Scene) -> None:
    invoice = stage.released("card", "decline")
    stage.to(2026, 2, 16)
    given_up = stage.invoice(invoice.id)

    assert (given_up.status, given_up.attempt_count, given_up.next_payment_attempt) == ("open", 9, None)
    assert len(stage.events("invoice.payment_failed")) == 9
    assert stage.v1.subscriptions.retrieve(invoice.parent.subscription_details.subscription).status == "past_due"


def test_a_card_declined_for_good_is_tried_again_only_with_another_method(stage: Scene) -> None:
    invoice = stage.released("card", "decline_hard")
    stage.to(2026, 2, 5)
    tries = len(stage.v1.charges.list({"customer": invoice.customer}).data)
    stage.act("portal_change_method", customer=invoice.customer, method="card")
    stage.to(2026, 2, 8)

    assert tries == 1
    assert stage.invoice(invoice.id).status == "paid"


def test_without_any_method_nobody_tries_again(stage: Scene) -> None:
    subscription = stage.subscribe(stage.customer().id, items=[item(stage.product())])
    stage.arm(subscription.id)
    stage.to(2026, 2, 1, 13)
    stage.v1.invoices.finalize_invoice(stage.draft(subscription.id).id, {"auto_advance": True})
    stage.to(2026, 2, 10)
    (invoice,) = stage.v1.invoices.list({"subscription": subscription.id}).data

    assert (invoice.status, invoice.attempted, invoice.next_payment_attempt) == ("open", True, None)


def test_a_bank_debit_is_processing_for_four_business_days(stage: Scene) -> None:
    invoice = stage.released("us_bank_account")
    stage.to(2026, 2, 2)
    under_way, intent = stage.invoice(invoice.id), stage.intent(invoice.id)
    stage.to(2026, 2, 4, 23)
    still = stage.invoice(invoice.id).status
    stage.to(2026, 2, 5)

    assert (under_way.status, under_way.attempted, under_way.next_payment_attempt) == ("open", True, None)
    assert (intent.status, intent.latest_charge[:3]) == ("processing", "py_")
    assert still == "open"
    assert stage.invoice(invoice.id).status == "paid"
    assert stage.v1.balance_transactions.list({"type": "payment"}).data[0].fee == 500


def test_a_bank_debit_that_fails_leaves_the_invoice_open_and_is_retried(stage: Scene) -> None:
    invoice = stage.released("us_bank_account", "ach_fails")
    stage.to(2026, 2, 5, 1)
    failed = stage.invoice(invoice.id)

    assert (failed.status, stage.intent(invoice.id).status) == ("open", "requires_payment_method")
    assert failed.next_payment_attempt == at(2026, 2, 6)


def test_an_invoice_with_a_payment_under_way_cannot_be_voided_or_credited(stage: Scene) -> None:
    invoice = stage.released("us_bank_account")
    stage.to(2026, 2, 2)

    with pytest.raises(stripe.InvalidRequestError, match="still processing"):
        stage.v1.invoices.void_invoice(invoice.id)
    with pytest.raises(stripe.InvalidRequestError, match="still processing"):
        stage.v1.credit_notes.create({"invoice": invoice.id, "amount": 100})


def test_a_voided_invoice_is_never_collected(stage: Scene) -> None:
    invoice = stage.released()
    stage.v1.invoices.void_invoice(invoice.id)
    intent = stage.intent(invoice.id)
    stage.world.advance_days(20)

    assert (stage.invoice(invoice.id).status, intent.status) == ("void", "canceled")
    assert stage.v1.charges.list().data == []


def test_drafts_can_be_voided_only_after_finalizing_and_subscription_drafts_never_deleted(stage: Scene) -> None:
    draft = february(stage)

    with pytest.raises(stripe.InvalidRequestError, match="isn't open"):
        stage.v1.invoices.void_invoice(draft.id)
    with pytest.raises(stripe.InvalidRequestError, match="subscriptions must be voided"):
        stage.v1.invoices.delete(draft.id)


def test_a_standalone_draft_can_be_deleted_with_its_items(stage: Scene) -> None:
    customer = stage.customer().id
    draft = stage.v1.invoices.create({"customer": customer, "currency": "usd"})
    add(stage, draft, 100)
    deleted = stage.v1.invoices.delete(draft.id)

    assert deleted.deleted
    assert stage.v1.invoice_items.list({"customer": customer}).data == []


@pytest.mark.parametrize(("balance", "due", "after"), [(-20_000, 92_500, 0), (-200_000, 0, -87_500), (5_000, 117_500, 0)])
def test_the_customers_balance_is_applied_when_an_invoice_is_finalized(stage: Scene, balance: int, due: int, after: int) -> None:
    draft = february(stage)
    stage.v1.customers.update(draft.customer, {"balance": balance})
    invoice = stage.v1.invoices.finalize_invoice(draft.id, {"auto_advance": True})
    stage.to(2026, 2, 2)

    assert (invoice.total, invoice.amount_due, invoice.starting_balance) == (112_500, due, balance)
    assert stage.v1.customers.retrieve(draft.customer).balance == after
    assert (stage.invoice(draft.id).status, stage.invoice(draft.id).amount_paid) == ("paid", due)


@pytest.mark.parametrize(("owed", "balance"), [(49, 49), (0, 0), (-700, -700)])
def test_less_than_the_minimum_is_marked_paid_and_carried_on_the_balance(stage: Scene, owed: int, balance: int) -> None:
    draft = february(stage)
    add(stage, draft, owed - 112_500)
    invoice = stage.v1.invoices.finalize_invoice(draft.id, {"auto_advance": True})

    assert (invoice.status, invoice.total, invoice.amount_due, invoice.amount_paid) == ("paid", owed, 0, 0)
    assert stage.v1.customers.retrieve(draft.customer).balance == balance
    assert stage.v1.invoice_payments.list({"invoice": draft.id}).data == []


def test_a_credit_note_makes_an_open_invoice_smaller(stage: Scene) -> None:
    invoice = stage.released()
    note = stage.v1.credit_notes.create({"invoice": invoice.id, "amount": 12_500})
    stage.to(2026, 2, 2)
    paid = stage.invoice(invoice.id)

    assert (note.pre_payment_amount, note.post_payment_amount) == (12_500, 0)
    assert (paid.amount_paid, paid.total, paid.pre_payment_credit_notes_amount) == (100_000, 112_500, 12_500)


def test_a_credit_note_for_everything_settles_the_invoice_without_money(stage: Scene) -> None:
    invoice = stage.released()
    stage.v1.credit_notes.create({"invoice": invoice.id, "amount": 112_500})
    stage.world.advance_days(3)

    assert (stage.invoice(invoice.id).status, stage.invoice(invoice.id).amount_paid) == ("paid", 0)
    assert stage.v1.charges.list().data == []


def test_a_credit_note_on_a_paid_invoice_says_where_the_money_goes(stage: Scene) -> None:
    invoice = stage.released()
    stage.to(2026, 2, 2)
    with pytest.raises(stripe.InvalidRequestError, match="must equal"):
        stage.v1.credit_notes.create({"invoice": invoice.id, "amount": 1_000})
    note = stage.v1.credit_notes.create({"invoice": invoice.id, "amount": 1_000, "credit_amount": 1_000})

    assert note.post_payment_amount == 1_000
    assert stage.v1.customers.retrieve(invoice.customer).balance == -1_000


def test_paying_by_hand_says_when_the_card_was_declined(stage: Scene) -> None:
    invoice = stage.released("card", "decline")

    with pytest.raises(stripe.CardError) as refusal:
        stage.v1.invoices.pay(invoice.id)

    assert refusal.value.code == "card_declined"
    assert stage.invoice(invoice.id).status == "open"


def test_a_draft_made_by_hand_carries_the_subscription_and_stays(stage: Scene) -> None:
    _, subscription = stage.armed()
    customer = stage.v1.subscriptions.retrieve(subscription).customer
    draft = stage.v1.invoices.create({"customer": customer, "subscription": subscription, "auto_advance": False})
    stage.world.advance_days(3)
    kept = stage.invoice(draft.id)

    assert (kept.status, kept.total, kept.billing_reason) == ("draft", 0, "manual")
    assert kept.parent.subscription_details.subscription == subscription


def test_an_expired_checkout_page_cannot_be_completed(stage: Scene) -> None:
    session = stage.v1.checkout.sessions.create(
        {"mode": "setup", "customer": stage.customer().id, "currency": "usd", "success_url": "https://msp.example"}
    )
    stage.world.advance_days(1)

    assert stage.v1.checkout.sessions.retrieve(session.id).status == "expired"
    with pytest.raises(ValueError, match="is expired"):
        stage.act("complete_checkout", session=session.id)


def test_enrolment_attaches_a_method_and_makes_it_nobodys_default(stage: Scene) -> None:
    customer = stage.customer().id
    session = stage.v1.checkout.sessions.create(
        {"mode": "setup", "customer": customer, "currency": "usd", "success_url": "https://msp.example"}
    )
    method = stage.act("complete_checkout", session=session.id, method="us_bank_account")
    intent = stage.v1.setup_intents.retrieve(session.setup_intent)

    assert (intent.status, intent.payment_method) == ("succeeded", method["id"])
    assert stage.v1.mandates.retrieve(intent.mandate).status == "active"
    assert [m.id for m in stage.v1.customers.payment_methods.list(customer).data] == [method["id"]]
    assert stage.v1.customers.retrieve(customer).invoice_settings.default_payment_method is None


def test_a_detached_method_is_a_default_nowhere_and_cannot_be_used_again(stage: Scene) -> None:
    customer = stage.customer().id
    method = stage.enrol(customer)
    stage.act("detach_method", method=method)

    assert stage.v1.customers.retrieve(customer).invoice_settings.default_payment_method is None
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        stage.v1.payment_methods.attach(method, {"customer": customer})
    with pytest.raises(stripe.InvalidRequestError, match="must be attached"):
        stage.v1.customers.update(customer, {"invoice_settings": {"default_payment_method": method}})


def test_an_invoice_paid_outside_of_stripe_makes_no_payment_here(stage: Scene) -> None:
    invoice = stage.released()
    stage.act("mark_paid", invoice=invoice.id)
    stage.world.advance_days(3)
    closed = stage.invoice(invoice.id)

    assert (closed.status, closed.amount_paid_off_stripe) == ("paid", 112_500)
    assert [p.status for p in stage.v1.invoice_payments.list({"invoice": invoice.id}).data] == ["canceled"]
    assert stage.v1.charges.list().data == []


def test_a_method_of_a_kind_that_the_subscription_does_not_take_is_not_used(stage: Scene) -> None:
    _, subscription = stage.armed("us_bank_account")
    stage.v1.subscriptions.update(subscription, {"payment_settings": {"payment_method_types": ["card"]}})
    stage.to(2026, 2, 1, 13)
    invoice = stage.v1.invoices.finalize_invoice(stage.draft(subscription).id, {"auto_advance": True})
    stage.to(2026, 2, 3)

    assert (stage.invoice(invoice.id).status, stage.invoice(invoice.id).next_payment_attempt) == ("open", None)
    assert stage.v1.charges.list().data == []


def test_where_retries_are_switched_off_nobody_tries_again(stage: Scene) -> None:
    stage.act("set_retries", enabled=False)
    invoice = stage.released("card", "decline_once")
    stage.to(2026, 2, 20)

    assert (stage.invoice(invoice.id).status, stage.invoice(invoice.id).next_payment_attempt) == ("open", None)


def test_a_part_can_be_paid_before_the_rest_and_each_is_a_payment_of_its_own(stage: Scene) -> None:
    released = stage.released()
    part = stage.act("pay_part", invoice=released.id, amount=40_000)
    between = stage.invoice(released.id)
    stage.to(2026, 2, 1, 15)
    payments = stage.v1.invoice_payments.list({"invoice": released.id, "status": "paid"}).data
    intents = [stage.v1.payment_intents.retrieve(p.payment.payment_intent) for p in payments]

    assert (between.status, between.amount_paid, between.amount_remaining) == ("open", 40_000, 72_500)
    assert stage.invoice(released.id).status == "paid"
    assert stage.invoice(released.id).amount_paid == 112_500
    assert {p.id: (p.amount_paid, p.is_default) for p in payments}[part["id"]] == (40_000, False)
    assert sorted(p.amount_paid for p in payments) == [40_000, 72_500]
    assert sorted(i.amount_received for i in intents) == [40_000, 72_500]
