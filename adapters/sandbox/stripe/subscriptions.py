"""Subscriptions: created, changed and ended through the API or by a person in the dashboard."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from adapters.sandbox.stripe import catalog, collection, proration, renewals, shapes, terms
from adapters.sandbox.stripe.account import Account, Body
from adapters.sandbox.stripe.errors import StripeError
from adapters.sandbox.stripe.params import merged
from adapters.sandbox.stripe.renewals import cycle_of, items_of

INCOMPLETE_S = 23 * 3_600


def create(account: Account, p: dict[str, Any]) -> Body:
    customer = account.need("customer", p["customer"], "customer")
    currency, anchor = terms.new(account, customer, p)
    subscription = shapes.subscription(
        account.id("sub_"), account.now, customer=customer["id"], currency=currency, anchor=anchor or account.now
    )
    if "billing_cycle_anchor_config" in p:
        unnamed: Body = dict.fromkeys(("day_of_month", "hour", "minute", "month", "second"))
        subscription["billing_cycle_anchor_config"] = {**unnamed, **p["billing_cycle_anchor_config"]}
    _plain_fields(subscription, p)
    customer["currency"] = currency
    account.add(subscription)
    for at, wanted in enumerate(p["items"]):
        _add_item(account, subscription, wanted, _price(account, wanted, f"items[{at}]"))
    renewals.show_items(account, subscription)
    return _begin(account, subscription, p, future=anchor is not None)


def _begin(account: Account, subscription: Body, p: dict[str, Any], *, future: bool) -> Body:
    """The first period: free until a future anchor without proration, else billed now."""
    now = account.now
    cycle = cycle_of(subscription)
    end = subscription["billing_cycle_anchor"] if future else cycle.after(now)
    renewals.set_period(account, subscription, now, end)
    _at_period_end(account, subscription, was=False, explicit=None)
    account.emit("customer.subscription.created", subscription)
    renewals.watch(account, subscription)
    if not future:
        renewals.first_invoice(account, subscription, share=Decimal(1))
    elif terms.prorates(p):
        start = cycle.before(end)
        renewals.first_invoice(account, subscription, share=Decimal(end - now) / Decimal(end - start))
    else:
        return subscription
    if p.get("payment_behavior") != "default_incomplete":
        renewals.collect_first(account, subscription)
    elif subscription["collection_method"] == "charge_automatically":
        renewals.hold_first(account, subscription)
    if subscription["status"] == "incomplete":
        account.schedule(now + INCOMPLETE_S, "incomplete", subscription["id"])
    return subscription


def _price(account: Account, item: dict[str, Any], at: str) -> Body:
    if "price_data" in item:
        return catalog.price_from(account, item["price_data"], f"{at}[price_data]")
    return account.need("price", item["price"], f"{at}[price]")


def _add_item(account: Account, subscription: Body, wanted: dict[str, Any], price: Body) -> Body:
    item = shapes.subscription_item(
        account.id("si_", 14),
        account.now,
        subscription=subscription["id"],
        price=price,
        quantity=wanted.get("quantity", 1),
        metadata=merged({}, wanted.get("metadata", {})),
    )
    return account.add(item)


PLAIN = ("cancel_at", "cancel_at_period_end", "collection_method", "default_payment_method", "description")


def _plain_fields(subscription: Body, p: dict[str, Any]) -> None:
    subscription.update({name: p[name] for name in PLAIN if name in p})
    if "metadata" in p:
        subscription["metadata"] = merged(subscription["metadata"], p["metadata"])
    if "payment_settings" in p:
        subscription["payment_settings"] = {**subscription["payment_settings"], **p["payment_settings"]}
    if "automatic_tax" in p:
        subscription["automatic_tax"] = {**subscription["automatic_tax"], **p["automatic_tax"]}
    if "days_until_due" in p:
        subscription["days_until_due"] = p["days_until_due"]
    if subscription["collection_method"] == "charge_automatically":
        subscription["days_until_due"] = None
    if "billing_mode" in p:
        flexible = {"proration_discounts": "included", **p["billing_mode"].get("flexible", {})}
        kind = p["billing_mode"]["type"]
        subscription["billing_mode"] = {"flexible": flexible if kind == "flexible" else None, "type": kind}


def update(account: Account, id: str, p: dict[str, Any]) -> Body:
    subscription = account.need("subscription", id)
    terms.update(account, subscription, p)
    before = {name: subscription[name] for name in p if name in subscription and name != "items"}
    if "items" in p:
        before["items"] = {"data": [dict(item) for item in subscription["items"]["data"]]}
        _change_items(account, subscription, p)
    _plain_fields(subscription, p)
    if "pause_collection" in p:
        _pause(account, subscription, p["pause_collection"])
    if "cancel_at_period_end" in p:
        _at_period_end(account, subscription, was=before["cancel_at_period_end"], explicit=p.get("cancel_at"))
    if "cancellation_details" in p:
        subscription["cancellation_details"] = {**subscription["cancellation_details"], **p["cancellation_details"]}
    renewals.watch(account, subscription)
    return account.save(subscription, "customer.subscription.updated", **before)


def _change_items(account: Account, subscription: Body, p: dict[str, Any]) -> None:
    old = [dict(item) for item in items_of(account, subscription)]
    for at, change in enumerate(p["items"]):
        _change_item(account, subscription, change, f"items[{at}]")
    items = items_of(account, subscription)
    interval_changed = items[0]["price"]["recurring"] != old[0]["price"]["recurring"]
    start, end = old[0]["current_period_start"], old[0]["current_period_end"]
    for item in items:
        item.update(current_period_start=start, current_period_end=end)
    renewals.show_items(account, subscription)
    if interval_changed:
        renewals.restart(account, subscription)
    elif terms.prorates(p):
        proration.change(account, subscription, old, items)
        if p.get("proration_behavior") == "always_invoice":
            renewals.invoice_prorations(account, subscription)


def _change_item(account: Account, subscription: Body, change: dict[str, Any], at: str) -> None:
    if "id" not in change:
        _add_item(account, subscription, change, _price(account, change, at))
        return
    item = account.get("subscription_item", change["id"])
    if change.get("deleted"):
        account.table("subscription_item").remove(item["id"])
        return
    if "price" in change or "price_data" in change:
        price = _price(account, change, at)
        item.update(price=price, plan=shapes.plan(price))
    item["quantity"] = change.get("quantity", item["quantity"])
    if "metadata" in change:
        item["metadata"] = merged(item["metadata"], change["metadata"])


def _pause(account: Account, subscription: Body, pause: dict[str, Any] | None) -> None:
    subscription["pause_collection"] = {"resumes_at": None, **pause} if pause else None
    if pause and pause.get("resumes_at"):
        account.schedule(pause["resumes_at"], "resume", subscription["id"])


def resume(account: Account, id: str) -> None:
    subscription = account.get("subscription", id)
    pause = subscription["pause_collection"]
    if pause and pause["resumes_at"] and pause["resumes_at"] <= account.now:
        subscription["pause_collection"] = None
        account.save(subscription, "customer.subscription.updated", pause_collection=pause)


def _at_period_end(account: Account, subscription: Body, *, was: bool, explicit: int | None) -> None:
    """The flag stands for a moment; taking it back takes the moment back, unless another one is named."""
    if subscription["cancel_at_period_end"]:
        subscription["cancel_at"] = items_of(account, subscription)[0]["current_period_end"]
        subscription["canceled_at"] = subscription["canceled_at"] or account.now
    elif was:
        subscription.update(cancel_at=explicit, canceled_at=None)


def cancel(account: Account, id: str, p: dict[str, Any]) -> Body:
    subscription = account.find("subscription", id)
    if subscription is None or subscription["ended_at"]:
        raise StripeError(f"No such subscription: '{id}'", status=404, code="resource_missing", param="id")
    details = p.get("cancellation_details", {})
    subscription["cancellation_details"] = {
        **subscription["cancellation_details"],
        **details,
        "reason": "cancellation_requested",
    }
    if p.get("prorate"):
        proration.cancel(account, subscription, items_of(account, subscription))
    if p.get("invoice_now"):
        renewals.invoice_prorations(account, subscription)
    return end(account, subscription)


def end(account: Account, subscription: Body, status: str = "canceled") -> Body:
    """Over. Finalized invoices of the customer are not collected by themselves any more."""
    subscription.update(status=status, ended_at=account.now, canceled_at=subscription["canceled_at"] or account.now)
    if subscription["cancellation_details"]["reason"] is None:
        reason = "payment_failed" if status == "incomplete_expired" else "cancellation_requested"
        subscription["cancellation_details"] = {**subscription["cancellation_details"], "reason": reason}
    for invoice in account.table("invoice").where(customer=subscription["customer"], status="open"):
        if invoice["auto_advance"]:
            collection.stop(account, invoice)
    return account.save(subscription, "customer.subscription.deleted")


def give_up(account: Account, id: str) -> None:
    """No try of a failed payment is left, and the owner's setting does not leave the subscription past due."""
    subscription = account.get("subscription", id)
    if subscription["status"] != "past_due":
        return
    if account.after_retries == "unpaid":
        subscription["status"] = "unpaid"
        account.save(subscription, "customer.subscription.updated", status="past_due")
        return
    subscription["cancellation_details"] = {**subscription["cancellation_details"], "reason": "payment_failed"}
    end(account, subscription)


def cancel_due(account: Account, id: str) -> None:
    subscription = account.get("subscription", id)
    if not subscription["ended_at"] and subscription["cancel_at"] and subscription["cancel_at"] <= account.now:
        end(account, subscription)


def incomplete_due(account: Account, id: str) -> None:
    subscription = account.get("subscription", id)
    if subscription["status"] != "incomplete":
        return
    invoice = account.find("invoice", subscription["latest_invoice"])
    end(account, subscription, "incomplete_expired")
    if invoice and invoice["status"] == "open":
        collection.void(account, invoice)
