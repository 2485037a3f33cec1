"""What the sandbox's Stripe accepts and answers is what Stripe's published document allows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from adapters.sandbox.stripe import params, routes
from tests.contract import stripe_document
from tests.contract.stripe_story import Scene, item, scene


@pytest.fixture(scope="module")
def checker() -> Any:
    return stripe_document.contract()


@pytest.fixture(scope="module")
def story() -> Iterator[Scene]:
    with scene() as stage:
        tell(stage)
        yield stage


def tell(stage: Scene) -> None:
    """Enrol, subscribe, arm, draft, adjust, finalize, pay by card and bank, decline and retry, and send money back."""
    customer, subscription = stage.armed()
    _, by_bank = stage.armed("us_bank_account")
    _, returned = stage.armed("us_bank_account", "ach_returns")
    _, bounced = stage.armed("us_bank_account", "ach_fails")
    _, declined = stage.armed("card", "decline_once")
    foreign = stage.act("create_foreign_objects")
    stage.to(2026, 2, 1, 13)
    _adjust(stage, customer, stage.draft(subscription).id)
    for one in (subscription, by_bank, returned, bounced, declined):
        stage.v1.invoices.finalize_invoice(stage.draft(one).id, {"auto_advance": True, "expand": ["payments"]})
    stage.act("pay_part", invoice=stage.v1.invoices.list({"subscription": subscription, "status": "open"}).data[0].id, amount=100)
    _ask_for_changes(stage, customer, subscription)
    stage.to(2026, 2, 20)
    _send_money_back(stage, subscription, by_bank, foreign)
    _write_off(stage, customer, subscription)
    _read_everything(stage, customer)


def _adjust(stage: Scene, customer: str, draft: str) -> None:
    items = stage.v1.invoice_items
    less = items.create({"customer": customer, "invoice": draft, "amount": -1_000, "description": "credit"})
    items.update(less.id, {"amount": -1_200, "metadata": {"slot": "1"}})
    price = {"currency": "usd", "product": "psa_card_ok", "unit_amount": 700}
    more = items.create({"customer": customer, "invoice": draft, "price_data": price, "quantity": 2})
    items.delete(more.id)
    stage.v1.invoices.update(draft, {"metadata": {"charge": "c1"}, "description": "February"})


def _ask_for_changes(stage: Scene, customer: str, subscription: str) -> None:
    have = stage.v1.subscriptions.retrieve(subscription).items.data[0]
    changes = [{"id": have.id, "quantity": 30}, item("psa_card_ok", cents=8_999, quantity=1)]
    stage.v1.subscriptions.update(subscription, {"items": changes, "proration_behavior": "create_prorations"})
    stage.act("portal_change_method", customer=customer, method="us_bank_account")
    flow = {
        "type": "payment_method_update",
        "after_completion": {"type": "redirect", "redirect": {"return_url": "https://x.example"}},
    }
    stage.v1.billing_portal.sessions.create({"customer": customer, "flow_data": flow, "return_url": "https://x.example"})
    setup = {"mode": "setup", "customer": customer, "payment_method_types": ["card"], "success_url": "https://x.example"}
    stage.v1.checkout.sessions.create(setup)


def _send_money_back(stage: Scene, subscription: str, by_bank: str, foreign: dict[str, str]) -> None:
    paid, debited = (
        stage.intents(stage.v1.invoices.list({"subscription": one, "status": "paid"}).data[0].id)[0].id
        for one in (subscription, by_bank)
    )
    stage.v1.refunds.create({"payment_intent": paid, "amount": 5_000, "reason": "requested_by_customer"})
    stage.act("fail_refund", refund=stage.act("refund", payment_intent=debited, amount=1_000)["id"])
    stage.act("refund", payment_intent=debited, amount=500)
    stage.act("close_dispute", dispute=stage.act("dispute", payment_intent=foreign["payment_intent"])["id"], won=True)


def _write_off(stage: Scene, customer: str, subscription: str) -> None:
    invoices = stage.v1.invoices
    by_hand = invoices.create({"customer": customer, "subscription": subscription, "auto_advance": False})
    stage.v1.invoice_items.create({"customer": customer, "invoice": by_hand.id, "amount": 9_000})
    invoices.finalize_invoice(by_hand.id, {"auto_advance": False})
    stage.v1.credit_notes.create({"invoice": by_hand.id, "amount": 1_000, "memo": "credit in the PSA"})
    invoices.void_invoice(by_hand.id)
    other = invoices.create({"customer": customer})
    invoices.delete(other.id)
    stage.v1.subscriptions.cancel(subscription, {"cancellation_details": {"comment": "left"}})
    stage.act("fail_payout", payout=stage.v1.payouts.list().data[0].id)
    _move_other_money(stage)
    stage.v1.customers.delete(stage.customer().id)
    stage.to(2026, 3, 10)


def _move_other_money(stage: Scene) -> None:
    """Stripe's own bills, reserves, a web shop, a refund that waits, a dispute with all its steps, a payout by hand."""
    sale = stage.act("shop_sale", amount=50_000)
    stage.act("stripe_fee", amount=900)
    stage.act("stripe_fee", amount=80, category="tax")
    stage.act("adjustment", amount=-25)
    stage.act("reserve", amount=1_000)
    waiting = stage.act("refund_without_funds", payment_intent=sale, amount=300)
    stage.v1.refunds.update(waiting["id"], {"metadata": {"psa_connector_intent": "credit"}})
    stage.act("fund_refund", refund=waiting["id"])
    dispute = stage.act("dispute", payment_intent=sale, inquiry=True)
    stage.act("withdraw_dispute", dispute=dispute["id"])
    stage.act("answer_dispute", dispute=dispute["id"])
    stage.act("close_dispute", dispute=dispute["id"], won=False)
    stage.act("shop_sale", amount=600_000)
    stage.act("set_payouts", schedule="manual")
    stage.to(2026, 3, 1)
    stage.act("manual_payout", amount=1_000)


def _read_everything(stage: Scene, customer: str) -> None:
    v1 = stage.v1
    v1.balance.retrieve()
    v1.accounts.retrieve_current()
    v1.customers.payment_methods.list(customer)
    v1.charges.list({"expand": ["data.balance_transaction", "data.refunds"], "limit": 100})
    v1.payment_intents.list({"expand": ["data.latest_charge.balance_transaction"], "limit": 100})
    v1.invoices.list({"expand": ["data.payments", "data.customer"], "limit": 100})
    for _ in v1.events.list({"limit": 100}).auto_paging_iter():
        pass
    for payout in v1.payouts.list().data:
        if payout.automatic:
            v1.balance_transactions.list({"payout": payout.id, "limit": 100, "expand": ["data.source"]})


def test_every_accepted_request_is_one_that_the_document_allows(story: Scene, checker: Any) -> None:
    complaints = stripe_document.request_complaints(checker, story.partner.exchanges)

    assert complaints == []


def test_every_answer_has_the_shape_that_the_document_gives_it(story: Scene, checker: Any) -> None:
    bodies = (body for e in story.partner.exchanges if e.status == 200 for body in stripe_document.members(e.body))
    told = [body for body in bodies if body["object"] != "event"]

    assert stripe_document.body_complaints(checker, iter(told)) == []


def test_every_stored_object_has_the_shape_that_the_document_gives_it(story: Scene, checker: Any) -> None:
    stored = (body for table in story.partner.account.tables.values() for body in table)

    assert stripe_document.body_complaints(checker, stored) == []


def test_every_event_has_the_shape_that_the_document_gives_it(story: Scene, checker: Any) -> None:
    events = [body for e in story.partner.exchanges if e.path == "/v1/events" for body in e.body["data"]]
    complaints = [error for event in events for error in checker.body_errors("event", event)]

    assert complaints == []
    assert stripe_document.event_complaints(checker, events) == []


def test_the_story_has_every_kind_of_object_and_event(story: Scene) -> None:
    kinds = set(story.partner.account.tables)
    types = {event.type for event in story.client.v1.events.list({"limit": 100}).auto_paging_iter()}

    assert {"charge", "dispute", "refund", "credit_note", "payout", "mandate", "billing_portal.session"} <= kinds
    assert {
        "invoice.paid", "invoice.payment_failed", "invoice.voided", "invoice_payment.paid", "invoice.finalized",
        "payment_intent.processing", "payment_intent.payment_failed", "charge.refunded", "refund.created", "refund.failed",
        "charge.dispute.created", "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated",
        "charge.dispute.updated", "charge.dispute.closed", "refund.updated", "payout.created", "payout.updated",
        "payout.paid", "payout.failed", "balance.available", "payout.reconciliation_completed",
        "customer.subscription.deleted",
    } <= types  # fmt: skip


@pytest.mark.parametrize("route", routes.ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_the_document_knows_every_parameter_that_is_accepted(route: routes.Route, checker: Any) -> None:
    operation = _operation(checker, route)
    if route.method == "GET":
        known: dict[str, Any] = {p["name"]: p["schema"] for p in operation["parameters"] if p["in"] == "query"}
        schema: dict[str, Any] = {"type": "object", "properties": known}
    else:
        schema = operation["requestBody"]["content"].get("application/x-www-form-urlencoded", {}).get("schema", {})

    assert list(_unknown(route.params, schema, "")) == []


def _operation(checker: Any, route: routes.Route) -> dict[str, Any]:
    path = route.path.replace("{id}", "some_id").replace("{customer}", "cus_1")
    template = next(template for pattern, template in checker.routes if pattern.match(path))
    operation: dict[str, Any] = checker.spec["paths"][template][route.method.lower()]
    return operation


def _unknown(kind: Any, schema: dict[str, Any], at: str) -> Iterator[str]:
    """Names and words of ours that the document's schema lacks."""
    options = schema.get("anyOf", [schema])
    match kind:
        case params.Unset(of=inner):
            yield from _unknown(inner, schema, at)
        case params.Hash(fields=fields):
            properties = {name: sub for option in options for name, sub in option.get("properties", {}).items()}
            for name, inner in fields.items():
                if name not in properties:
                    yield f"{at}.{name}"
                else:
                    yield from _unknown(inner, properties[name], f"{at}.{name}")
        case params.Many(of=inner):
            members = [option["items"] for option in options if option.get("type") == "array"]
            yield from _unknown(inner, members[0], f"{at}[]") if members else [f"{at} is no array"]
        case params.OneOf(words=words):
            allowed = {word for option in options for word in option.get("enum", [])}
            yield from (f"{at}={word}" for word in words if word not in allowed)
