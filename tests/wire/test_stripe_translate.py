"""Stripe's published bodies and the story of one three-line agreement, read into our nouns."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from adapters.stripe import translate, translate_reversals, wire
from connector.model.invoice import GatewayInvoiceState, MethodKind
from connector.model.ledger import GatewayReversal, ReversalReason
from connector.model.money import Money
from connector.model.period import Cycle
from connector.model.subscription import Item, Subscription

SHARED = Path(os.environ.get("CONNECTOR_SHARED") or Path(__file__).resolve().parents[2].parent / "shared")
SAMPLES = SHARED / "samples" / "stripe"
sampled = pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"the partners' sample bodies are not at {SAMPLES} (CONNECTOR_SHARED)")

OURS = {"psa_connector": "msp", "unit": "cw:4711", "payer": "cw:250", "generation": "2", "cycle": "monthly"}


def sample(path: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((SAMPLES / path).read_text())
    return body


def subject(path: str) -> dict[str, Any]:
    """The object that an event is about."""
    found: dict[str, Any] = sample(path)["data"]["object"]
    return found


def subscription(**changes: Any) -> wire.Subscription:
    body = sample("story/objects/subscription_3_lines.json")
    for number, item in enumerate(body["items"]["data"]):
        item["metadata"] = {"item": f"line-{number}", "product": f"P{number}"}
    body["metadata"] = {**OURS, "bills_on": "2026-06-01"}
    return wire.Subscription.model_validate({**body, **changes})


def wanted() -> Subscription:
    return Subscription(
        unit="cw:4711",
        payer="cw:250",
        description="Managed services",
        currency="USD",
        cycle=Cycle.MONTHLY,
        bills_on=date(2026, 6, 1),
        items=(Item(key="base:1", product="base", name="Base", unit_amount=Money(100, "USD"), quantity=1),),
    )


@sampled
def test_a_subscription_reads_back_as_prices_quantities_and_names() -> None:
    live = translate.live(subscription(), {"prod_SYNCmw": "Managed Workstation"})

    assert (live.id, live.customer, live.generation, live.status) == ("sub_SYNC1", "cus_SYNC1", 2, "active")
    first = live.subscription.items[0]
    assert first == Item(key="line-0", product="P0", name="Managed Workstation", unit_amount=Money(4500, "USD"), quantity=25)
    assert live.subscription.amount == Money(25 * 4500 + 3 * 12050 + 8999, "USD")
    assert live.subscription.bills_on == date(2026, 6, 1)
    assert live.subscription.automatic
    assert not live.subscription.paused


@sampled
def test_only_a_lasting_pause_that_keeps_drafts_counts_as_paused() -> None:
    kept = subscription(pause_collection={"behavior": "keep_as_draft", "resumes_at": None})
    ending = subscription(pause_collection={"behavior": "keep_as_draft", "resumes_at": 1_790_000_000})
    voiding = subscription(pause_collection={"behavior": "void", "resumes_at": None})

    assert translate.live(kept, {}).subscription.paused
    assert not translate.live(ending, {}).subscription.paused
    assert not translate.live(voiding, {}).subscription.paused


@sampled
def test_an_item_added_by_hand_shows_under_a_foreign_key() -> None:
    body = sample("story/objects/subscription_3_lines.json")
    found = subscription(items=body["items"])  # none of them carries our key

    keys = [item.key for item in translate.live(found, {}).subscription.items]

    assert keys == ["foreign:si_SYNC1", "foreign:si_SYNC2", "foreign:si_SYNC3"]


@sampled
def test_a_moved_anchor_shows_although_our_note_says_otherwise() -> None:
    moved = int(datetime(2026, 6, 17, 12, tzinfo=UTC).timestamp())

    assert translate.live(subscription(billing_cycle_anchor=moved), {}).subscription.bills_on == date(2026, 6, 17)


@sampled
def test_the_31st_is_kept_by_the_configured_day_only() -> None:
    notes = {**OURS, "bills_on": "2026-01-31"}
    february = int(datetime(2026, 2, 28, 12, tzinfo=UTC).timestamp())
    configured = subscription(metadata=notes, billing_cycle_anchor=february, billing_cycle_anchor_config={"day_of_month": 31})
    plain = subscription(metadata=notes, billing_cycle_anchor=february, billing_cycle_anchor_config=None)

    assert translate.live(configured, {}).subscription.bills_on == date(2026, 1, 31)
    assert translate.live(plain, {}).subscription.bills_on == date(2026, 2, 28)


@sampled
def test_an_end_set_by_hand_shows_in_either_form() -> None:
    at = int(datetime(2026, 9, 1, 12, tzinfo=UTC).timestamp())

    assert translate.ends(subscription(cancel_at=at)) == date(2026, 9, 1)
    assert translate.ends(subscription(cancel_at_period_end=True)) == date(2026, 7, 1)
    assert translate.ends(subscription()) is None


def test_canonical_sorts_and_trims_and_does_so_once() -> None:
    long = Item(key="a", product="p", name="  " + "n" * 300, unit_amount=Money(1, "USD"), quantity=1)
    nameless = Item(key="A", product="p2", name=" ", unit_amount=Money(1, "USD"), quantity=1)

    once = translate.canonical(replace(wanted(), description=" x ", items=(long, nameless)))

    assert [item.key for item in once.items] == ["A", "a"]
    assert [item.name for item in once.items] == ["p2", "n" * 250]
    assert once.description == "x"
    assert translate.canonical(once) == once


def test_products_of_two_names_or_two_instances_do_not_meet() -> None:
    item = wanted().items[0]

    ids = {
        translate.product_id("msp", item),
        translate.product_id("msp", replace(item, name="Base 2")),
        translate.product_id("msp", replace(item, product="base/2")),
        translate.product_id("msp2", item),
    }

    assert len(ids) == 4
    assert all(len(id) < 100 and id.replace("_", "").isalnum() for id in ids)


@sampled
def test_an_invoice_bills_the_day_on_which_its_lines_begin() -> None:
    body = sample("story/objects/invoice_paid.json")
    body["parent"] = {"type": "subscription_details", "subscription_details": {"subscription": "sub_SYNC1", "metadata": OURS}}

    invoice = translate.gateway_invoice(wire.Invoice.model_validate(body), "msp")

    assert invoice.bills_on == date(2026, 6, 1)
    assert invoice.state is GatewayInvoiceState.PAID
    assert (invoice.subscription, invoice.unit) == ("sub_SYNC1", "cw:4711")
    assert invoice.total == invoice.amount_paid == Money(157649, "USD")
    assert {line.slot for line in invoice.lines} == {""}


@sampled
def test_an_invoice_of_another_instance_is_not_ours() -> None:
    body = sample("story/objects/invoice_paid.json")
    body["metadata"] = {"psa_connector": "other"}
    invoice = wire.Invoice.model_validate(body)

    assert translate.is_period_invoice(invoice, "other")
    assert not translate.is_period_invoice(invoice, "msp")


@sampled
def test_the_story_s_partial_payments_stay_two() -> None:
    bodies = sample("story/lists/invoice_payments_two_partials.json")["data"]
    paid = [wire.InvoicePayment.model_validate(body) for body in bodies]

    payments = [translate.gateway_payment(one, payment="pi_1", charge=None) for one in paid]

    assert len({payment.id for payment in payments}) == 2
    assert all(payment.amount.minor > 0 and payment.fee is None for payment in payments)


@sampled
def test_a_returned_bank_debit_counts_at_once_and_a_card_dispute_when_funds_are_withdrawn() -> None:
    returned = wire.Dispute.model_validate(subject("story/events/charge.dispute.created.ach_return.json"))
    disputed = wire.Dispute.model_validate(subject("story/events/charge.dispute.created.card.json"))
    unfunded = disputed.model_copy(update={"balance_transactions": ()})
    withdrawn = wire.BalanceTransaction(amount=-disputed.amount, fee=1500, currency="usd", created=1_781_000_000)
    given_back = withdrawn.model_copy(update={"amount": disputed.amount})

    ach = translate_reversals.dispute(returned, "pi_1", charged("us_bank_account"))
    card = in_dispute(disputed, (withdrawn,))

    assert (ach.reason, ach.moved, ach.method) == (ReversalReason.BANK_RETURN, True, "pm_1")
    assert (card.reason, card.moved, card.fee) == (ReversalReason.DISPUTE, True, Money(1500, "USD"))
    assert (in_dispute(unfunded).moved, in_dispute(unfunded).fee) == (False, None)
    assert not in_dispute(disputed, (withdrawn, given_back)).moved
    assert not in_dispute(disputed.model_copy(update={"status": "won"})).moved


def in_dispute(body: wire.Dispute, moved: tuple[wire.BalanceTransaction, ...] | None = None) -> GatewayReversal:
    changed = body if moved is None else body.model_copy(update={"balance_transactions": moved})
    return translate_reversals.dispute(changed, "pi_1", charged("card"))


def charged(method: str) -> wire.Charge:
    details = {"type": method, method: {"last4": "4242"}}
    return wire.Charge.model_validate({"id": "ch_1", "payment_method": "pm_1", "payment_method_details": details})


@sampled
@pytest.mark.parametrize(
    ("status", "pending", "moved"),
    [
        ("failed", "", False),
        ("canceled", "", False),
        ("requires_action", "", False),
        ("pending", "insufficient_funds", False),
        ("pending", "processing", True),
        ("pending", "", True),
        ("succeeded", "", True),
    ],
)
def test_a_refund_counts_once_its_money_has_left_and_not_when_it_is_back(status: str, pending: str, *, moved: bool) -> None:
    made = wire.Refund.model_validate(subject("story/events/refund.created.json"))
    body = made.model_copy(update={"status": status, "pending_reason": pending})

    assert translate_reversals.refund(body, "pi_1", disputed=False).moved is moved


@sampled
@pytest.mark.parametrize("path", sorted((SAMPLES / "story" / "events").glob("*.json")), ids=lambda path: path.stem)
def test_every_event_of_the_story_names_what_to_read_again(path: Path) -> None:
    event = translate.gateway_event(wire.Event.model_validate(json.loads(path.read_text())))

    assert event.id
    assert event.object_id
    assert event.created.tzinfo is UTC
    if event.type.startswith("invoice"):
        assert event.invoice.startswith("in_")
    if event.type.startswith(("payment_intent", "charge.dispute", "refund")):
        assert event.payment.startswith("pi_")


@sampled
def test_a_method_shows_its_last_digits_and_nothing_more() -> None:
    body = sample("official_fixtures/payment_method.json")
    body["card"] = {"last4": "4242", "exp_month": 12, "exp_year": 2027, "fingerprint": "Xt5EWLLDS7FJjR1c", "brand": "visa"}
    found = wire.PaymentMethod.model_validate({**body, "type": "card"})

    method = translate.payment_method(found)

    assert (method.kind, method.last4, method.expires) == (MethodKind.CARD, "4242", date(2028, 1, 1))
    assert "Xt5EWLLDS7FJjR1c" not in repr(found) + repr(method)
