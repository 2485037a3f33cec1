"""The sandbox's Stripe: subscriptions, their periods and the drafts they make."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from adapters.sandbox.stripe.periods import Cycle, next_occurrence
from tests.contract.stripe_story import FEBRUARY, Scene, at, item, scene


@pytest.fixture
def stage() -> Iterator[Scene]:
    with scene() as opened:
        yield opened


def days(*moments: int) -> list[str]:
    return [f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}" for moment in moments]


def test_a_future_anchor_without_proration_gives_a_free_stub(stage: Scene) -> None:
    subscription = stage.subscribe(stage.customer().id, items=[item(stage.product())])
    stage.to(2026, 2, 1, 11, 59)
    before = list(stage.v1.invoices.list().data)
    stage.to(2026, 2, 1, 12)

    assert before == []
    assert subscription.items.data[0].current_period_end == FEBRUARY
    assert stage.draft(subscription.id).total == 112_500


def test_a_future_anchor_with_proration_bills_the_stub_at_once(stage: Scene) -> None:
    customer = stage.customer().id
    stage.subscribe(customer, items=[item(stage.product())], proration_behavior="create_prorations")
    (stub,) = stage.v1.invoices.list({"customer": customer}).data

    assert 0 < stub.total < 112_500


def test_an_anchor_beyond_one_interval_is_refused(stage: Scene) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="cannot be later than next natural billing date"):
        stage.subscribe(stage.customer().id, items=[item(stage.product())], billing_cycle_anchor=at(2026, 3, 1))


def test_an_immediate_anchor_charges_within_the_request(stage: Scene) -> None:
    customer = stage.customer().id
    stage.enrol(customer)
    subscription = stage.subscribe(
        customer,
        items=[item(stage.product())],
        billing_cycle_anchor=None,
        collection_method="charge_automatically",
        days_until_due=None,
    )

    assert stage.invoice(subscription.latest_invoice).status == "paid"
    assert subscription.status == "active"


def test_without_a_method_an_immediate_anchor_is_incomplete_and_expires(stage: Scene) -> None:
    immediate = {"billing_cycle_anchor": None, "collection_method": "charge_automatically", "days_until_due": None}
    subscription = stage.subscribe(stage.customer().id, items=[item(stage.product())], **immediate)
    stage.world.advance_days(1)

    assert subscription.status == "incomplete"
    assert stage.v1.subscriptions.retrieve(subscription.id).status == "incomplete_expired"
    assert stage.invoice(subscription.latest_invoice).status == "void"


def test_collection_by_invoice_needs_a_due_date(stage: Scene) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="days_until_due"):
        stage.subscribe(stage.customer().id, items=[item(stage.product())], days_until_due=None)


def test_a_configured_anchor_is_the_next_such_day_in_utc(stage: Scene) -> None:
    config = {"day_of_month": 31, "hour": 12, "minute": 0, "second": 0}
    subscription = stage.subscribe(
        stage.customer().id, items=[item(stage.product())], billing_cycle_anchor=None, billing_cycle_anchor_config=config
    )
    stage.to(2026, 4, 1)
    starts = [invoice.period_end for invoice in stage.v1.invoices.list({"subscription": subscription.id}).data]

    assert subscription.billing_cycle_anchor == at(2026, 1, 31, 12)
    assert days(*sorted(starts)) == ["2026-01-31", "2026-02-28", "2026-03-31"]


def test_a_subscription_takes_twenty_items_and_shows_ten_of_them(stage: Scene) -> None:
    customer, product = stage.customer().id, stage.product()
    with pytest.raises(stripe.InvalidRequestError, match="maximum 20"):
        stage.subscribe(customer, items=[item(product)] * 21)
    subscription = stage.subscribe(customer, items=[item(product)] * 20)
    all_items = stage.v1.subscription_items.list({"subscription": subscription.id, "limit": 100}).data

    assert len(subscription.items.data) == 10
    assert subscription.items.has_more
    assert len(all_items) == 20


def test_the_product_of_an_inline_price_must_exist(stage: Scene) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such product"):
        stage.subscribe(stage.customer().id, items=[item("psa_nowhere")])


def test_items_are_changed_by_id_added_without_one_and_taken_away(stage: Scene) -> None:
    subscription = stage.subscribe(stage.customer().id, items=[item(stage.product()), item("psa_1", cents=100, quantity=1)])
    first, second = subscription.items.data
    changes = [{"id": first.id, "quantity": 30}, {"id": second.id, "deleted": True}, item("psa_1", cents=999, quantity=1)]
    changed = stage.v1.subscriptions.update(subscription.id, {"items": changes, "proration_behavior": "none"})

    assert [(i.id == first.id, i.quantity, i.price.unit_amount) for i in changed.items.data] == [
        (True, 30, 4_500),
        (False, 1, 999),
    ]
    assert changed.items.data[0].price.id == first.price.id
    assert stage.v1.invoice_items.list().data == []


def test_a_change_without_a_word_on_proration_is_prorated_onto_the_next_invoice(stage: Scene) -> None:
    subscription = stage.subscribe(stage.customer().id, items=[item(stage.product())])
    stage.arm(subscription.id)
    stage.to(2026, 2, 15)
    first = subscription.items.data[0].id
    stage.v1.subscriptions.update(subscription.id, {"items": [{"id": first, "quantity": 50}]})
    stage.to(2026, 3, 1, 12)
    newest = stage.v1.invoices.list({"subscription": subscription.id}).data[0]

    assert [line.parent.type for line in newest.lines.data] == ["invoice_item_details"] * 2 + ["subscription_item_details"]
    assert newest.total > 225_000


def test_a_paused_subscription_makes_drafts_that_stay(stage: Scene) -> None:
    _, subscription = stage.armed()
    stage.to(2026, 4, 2)
    drafts = stage.v1.invoices.list({"subscription": subscription, "status": "draft"}).data

    assert days(*(draft.created for draft in drafts)) == ["2026-04-01", "2026-03-01", "2026-02-01"]
    assert [draft.auto_advance for draft in drafts] == [False] * 3
    assert stage.v1.payment_intents.list().data == []


def test_an_unpaused_subscription_is_charged_an_hour_after_its_draft(stage: Scene) -> None:
    customer, subscription = stage.armed()
    stage.v1.subscriptions.update(subscription, {"pause_collection": ""})
    stage.to(2026, 2, 1, 12, 59)
    before = stage.draft(subscription)
    stage.to(2026, 2, 1, 13, 1)

    assert before.automatically_finalizes_at == FEBRUARY + 3_600
    assert [invoice.status for invoice in stage.v1.invoices.list({"customer": customer}).data] == ["paid"]


@pytest.mark.parametrize(("behavior", "status"), [("void", "void"), ("mark_uncollectible", "uncollectible")])
def test_other_pauses_write_the_invoice_off(stage: Scene, behavior: str, status: str) -> None:
    _, subscription = stage.armed()
    stage.v1.subscriptions.update(subscription, {"pause_collection": {"behavior": behavior}})
    stage.to(2026, 2, 2)

    assert [i.status for i in stage.v1.invoices.list({"subscription": subscription}).data] == [status]


def test_the_invoice_carries_the_subscriptions_metadata_as_it_was(stage: Scene) -> None:
    subscription = stage.subscribe(stage.customer().id, items=[item(stage.product())], metadata={"unit": "u1"})
    stage.arm(subscription.id)
    stage.to(2026, 2, 2)
    stage.v1.subscriptions.update(subscription.id, {"metadata": {"unit": "u2"}})
    details = stage.draft(subscription.id).parent.subscription_details

    assert (details.subscription, details.metadata.to_dict()) == (subscription.id, {"unit": "u1"})


def test_cancelling_stops_the_collection_of_the_customers_open_invoices(stage: Scene) -> None:
    invoice = stage.released("card", "decline")
    stage.world.advance_days(0.5)
    retry = stage.invoice(invoice.id).next_payment_attempt
    cancelled = stage.v1.subscriptions.cancel(invoice.parent.subscription_details.subscription)
    after = stage.invoice(invoice.id)

    assert retry is not None
    assert cancelled.status == "canceled"
    assert (after.status, after.auto_advance, after.next_payment_attempt) == ("open", False, None)


@pytest.mark.parametrize("how", [{"cancel_at": at(2026, 2, 20)}, {"cancel_at_period_end": True}])
def test_a_planned_cancellation_ends_it_then(stage: Scene, how: dict[str, Any]) -> None:
    _, subscription = stage.armed()
    stage.to(2026, 2, 2)
    stage.v1.subscriptions.update(subscription, how)
    stage.to(2026, 3, 10)
    ended = stage.v1.subscriptions.retrieve(subscription)

    assert ended.ended_at == how.get("cancel_at", at(2026, 3, 1, 12))
    assert len(stage.v1.invoices.list({"subscription": subscription}).data) == 1
    assert [event.data.object.id for event in stage.events("customer.subscription.deleted")] == [subscription]


def test_ended_subscriptions_are_listed_only_when_asked_for(stage: Scene) -> None:
    subscription = stage.subscribe(stage.customer().id, items=[item(stage.product())])
    stage.v1.subscriptions.cancel(subscription.id)

    assert stage.v1.subscriptions.list().data == []
    assert len(stage.v1.subscriptions.list({"status": "canceled"}).data) == 1
    assert len(stage.v1.subscriptions.list({"status": "all", "customer": subscription.customer}).data) == 1


def test_an_ended_subscription_cannot_be_changed(stage: Scene) -> None:
    subscription = stage.subscribe(stage.customer().id, items=[item(stage.product())])
    stage.v1.subscriptions.cancel(subscription.id)

    with pytest.raises(stripe.InvalidRequestError, match="canceled subscription"):
        stage.arm(subscription.id)


def test_a_person_edits_a_subscription_in_the_dashboard(stage: Scene) -> None:
    _, subscription = stage.armed()
    stage.act("edit_subscription", id=subscription, metadata={"note": "by hand"}, pause_collection=None)
    edited = stage.v1.subscriptions.retrieve(subscription)

    assert edited.pause_collection is None
    assert edited.metadata["note"] == "by hand"


def test_a_web_shop_on_the_same_account_bills_by_itself(stage: Scene) -> None:
    foreign = stage.act("create_foreign_objects")
    stage.world.advance_days(40)
    statuses = [i.status for i in stage.v1.invoices.list({"customer": foreign["customer"]}).data]

    assert statuses == ["paid", "paid"]


def test_months_keep_the_anchors_day_where_they_can() -> None:
    cycle = Cycle(anchor=at(2026, 1, 31, 12), interval="month")
    yearly = Cycle(anchor=at(2024, 2, 29), interval="year")
    quarterly = Cycle(anchor=at(2026, 1, 31, 12), interval="month", count=3)

    assert days(*(cycle.boundary(n) for n in range(4))) == ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]
    assert days(yearly.boundary(1), yearly.boundary(4)) == ["2025-02-28", "2028-02-29"]
    assert days(quarterly.after(at(2026, 5, 1)), quarterly.before(at(2026, 4, 30, 12))) == ["2026-07-31", "2026-01-31"]


def test_the_next_occurrence_may_be_next_year() -> None:
    found = next_occurrence(at(2026, 3, 2), day=1, hour=12, minute=0, second=0, month=3)

    assert found == at(2027, 3, 1, 12)


def test_a_deleted_customer_is_billed_no_more_and_cannot_be_used(stage: Scene) -> None:
    customer, subscription = stage.armed()
    stage.act("delete_customer", customer=customer)
    stage.to(2026, 2, 2)

    assert stage.v1.customers.retrieve(customer).deleted
    assert stage.v1.customers.list().data == []
    assert stage.v1.subscriptions.retrieve(subscription).status == "canceled"
    assert stage.v1.invoices.list().data == []
    with pytest.raises(stripe.InvalidRequestError, match="No such customer"):
        stage.subscribe(customer, items=[item(stage.product())])


def test_a_planned_cancellation_can_be_taken_back_or_moved(stage: Scene) -> None:
    _, subscription = stage.armed()
    update = stage.v1.subscriptions.update
    planned = update(subscription, {"cancel_at_period_end": True})
    moved = update(subscription, {"cancel_at_period_end": False, "cancel_at": at(2026, 2, 20)})
    taken_back = update(subscription, {"cancel_at": ""})
    stage.to(2026, 3, 2)

    assert [one.cancel_at for one in (planned, moved, taken_back)] == [FEBRUARY, at(2026, 2, 20), None]
    assert stage.v1.subscriptions.retrieve(subscription).status == "active"


def test_a_refused_change_changes_nothing(stage: Scene) -> None:
    subscription = stage.subscribe(stage.customer().id, items=[item(stage.product())])
    changes = [{"id": subscription.items.data[0].id, "quantity": 1}, item("psa_1", interval="year")]
    with pytest.raises(stripe.InvalidRequestError, match="one billing interval"):
        stage.v1.subscriptions.update(subscription.id, {"items": changes, "proration_behavior": "none"})

    assert [i.quantity for i in stage.v1.subscriptions.retrieve(subscription.id).items.data] == [25]
