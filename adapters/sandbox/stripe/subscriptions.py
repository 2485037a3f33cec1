"""Subscriptions: created, changed and ended through the API or by a person in the dashboard."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from adapters.sandbox.stripe import catalog, collection, customers, proration, renewals, shapes
from adapters.sandbox.stripe.account import Account, Body
from adapters.sandbox.stripe.errors import StripeError
from adapters.sandbox.stripe.params import merged
from adapters.sandbox.stripe.payments import FAILURES
from adapters.sandbox.stripe.periods import Cycle, next_occurrence, when
from adapters.sandbox.stripe.renewals import cycle_of, items_of

MAX_ITEMS = 20
MAX_PER_CUSTOMER = 500
INCOMPLETE_S = 23 * 3_600


def create(account: Account, p: dict[str, Any]) -> Body:
    customer = account.need("customer", p["customer"], "customer")
    _check_collection(p, p.get("collection_method", "charge_automatically"), p.get("days_until_due"))
    if p.get("payment_behavior") == "pending_if_incomplete":
        raise StripeError("`pending_if_incomplete` is only possible when a subscription is updated.", param="payment_behavior")
    if len([s for s in account.table("subscription").where(customer=customer["id"]) if not s["ended_at"]]) >= MAX_PER_CUSTOMER:
        raise StripeError(f"Customer {customer['id']} already has the maximum {MAX_PER_CUSTOMER} current subscriptions.")
    _check_items(account, p["items"])
    if p.get("default_payment_method"):
        customers.attached_method(account, p["default_payment_method"], customer["id"])
    _check_cancel_at(account, p.get("cancel_at"))
    anchor = _anchor(account, p)
    if p.get("payment_behavior") == "error_if_incomplete" and (anchor is None or _prorates(p)):
        _refuse_what_would_fail(account, customer, p)
    prices = [_price(account, item, f"items[{at}]") for at, item in enumerate(p["items"])]
    currency = _one_currency(customer, prices, p.get("currency"))
    _one_interval(prices)
    subscription = shapes.subscription(
        account.id("sub_"), account.now, customer=customer["id"], currency=currency, anchor=anchor or account.now
    )
    if "billing_cycle_anchor_config" in p:
        unnamed: Body = dict.fromkeys(("day_of_month", "hour", "minute", "month", "second"))
        subscription["billing_cycle_anchor_config"] = {**unnamed, **p["billing_cycle_anchor_config"]}
    _plain_fields(account, subscription, p)
    customer["currency"] = currency
    account.add(subscription)
    for wanted, price in zip(p["items"], prices, strict=True):
        _add_item(account, subscription, wanted, price)
    renewals.show_items(account, subscription)
    return _begin(account, subscription, p, future=anchor is not None)


def _begin(account: Account, subscription: Body, p: dict[str, Any], *, future: bool) -> Body:
    """The first period: free until a future anchor without proration, else billed now."""
    now = account.now
    cycle = cycle_of(subscription)
    end = subscription["billing_cycle_anchor"] if future else cycle.after(now)
    renewals.set_period(account, subscription, now, end)
    account.emit("customer.subscription.created", subscription)
    renewals.watch(account, subscription)
    if not future:
        renewals.first_invoice(account, subscription, share=Decimal(1))
    elif _prorates(p):
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


def _prorates(p: dict[str, Any]) -> bool:
    return p.get("proration_behavior", "create_prorations") != "none"  # type: ignore[no-any-return]


def _refuse_what_would_fail(account: Account, customer: Body, p: dict[str, Any]) -> None:
    if p.get("collection_method") == "send_invoice":
        return
    id = p.get("default_payment_method") or customer["invoice_settings"]["default_payment_method"]
    if not id:
        raise StripeError(
            "This customer has no attached payment source or default payment method. Please consider adding a default "
            "payment method.",
            code="resource_missing",
        )
    behaviour = account.behaviour[id]
    if behaviour in FAILURES:
        reason, message = FAILURES[behaviour]
        raise StripeError(message, status=402, kind="card_error", code="card_declined", more={"decline_code": reason})


def _check_collection(p: dict[str, Any], method: str, days_until_due: int | None) -> None:
    if method == "send_invoice" and days_until_due is None:
        raise StripeError("You must set `days_until_due` when `collection_method` is `send_invoice`.", param="days_until_due")
    if method == "charge_automatically" and p.get("days_until_due") is not None:
        raise StripeError(
            "You can only set `days_until_due` if the `collection_method` is set to `send_invoice`.", param="days_until_due"
        )


def _check_items(account: Account, items: list[dict[str, Any]]) -> None:
    """Everything that can be wrong with an item, before anything is made."""
    for at, item in enumerate(items):
        if "price_data" in item:
            account.need("product", item["price_data"]["product"], f"items[{at}][price_data][product]")
        elif "price" in item:
            account.need("price", item["price"], f"items[{at}][price]")
        elif "id" not in item:
            raise StripeError(
                f"Missing required param: items[{at}][price].", code="parameter_missing", param=f"items[{at}][price]"
            )


def _check_cancel_at(account: Account, at: int | None) -> None:
    if at is not None and at <= account.now:
        raise StripeError("`cancel_at` must be a timestamp in the future.", param="cancel_at")


def _anchor(account: Account, p: dict[str, Any]) -> int | None:
    """None: now."""
    data = p["items"][0].get("price_data") or account.get("price", p["items"][0]["price"])
    config = p.get("billing_cycle_anchor_config")
    if config is None and "billing_cycle_anchor" not in p:
        return None
    if config is not None:
        return _configured_anchor(account, config, p, data["recurring"])
    anchor: int = p["billing_cycle_anchor"]
    if anchor <= account.now:
        raise StripeError("Timestamp for `billing_cycle_anchor` must be in the future.", param="billing_cycle_anchor")
    recurring = {"interval_count": 1, **data["recurring"]}
    latest = Cycle(anchor=account.now, interval=recurring["interval"], count=recurring["interval_count"]).boundary(1)
    if anchor > latest:
        raise StripeError(
            f"`billing_cycle_anchor` cannot be later than next natural billing date ({latest}) for plan",
            param="billing_cycle_anchor",
        )
    return anchor


def _configured_anchor(account: Account, config: dict[str, int], p: dict[str, Any], recurring: Body) -> int:
    if "billing_cycle_anchor" in p:
        raise StripeError(
            "You may only specify one of these parameters: billing_cycle_anchor, billing_cycle_anchor_config.",
            param="billing_cycle_anchor_config",
        )
    if recurring["interval"] not in ("month", "year"):
        raise StripeError(
            "`billing_cycle_anchor_config` is only valid with monthly and yearly price intervals.",
            param="billing_cycle_anchor_config",
        )
    now = when(account.now)
    return next_occurrence(
        account.now,
        day=config["day_of_month"],
        hour=config.get("hour", now.hour),
        minute=config.get("minute", now.minute),
        second=config.get("second", now.second),
        month=config.get("month", 0),
    )


def _one_currency(customer: Body, prices: list[Body], wanted: str | None) -> str:
    currencies = {price["currency"] for price in prices} | ({wanted.lower()} if wanted else set())
    if customer["currency"]:
        currencies.add(customer["currency"])
    if len(currencies) > 1:
        raise StripeError(
            "You cannot combine currencies on a single customer. This customer has had a subscription, coupon, or invoice "
            f"item with currency {customer['currency'] or prices[0]['currency']}",
            param="currency",
        )
    return str(currencies.pop())


def _one_interval(prices: list[Body]) -> None:
    if len({(price["recurring"]["interval"], price["recurring"]["interval_count"]) for price in prices}) > 1:
        raise StripeError("This sandbox keeps one billing interval per subscription.", param="items")


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


def _plain_fields(account: Account, subscription: Body, p: dict[str, Any]) -> None:
    subscription.update({name: p[name] for name in PLAIN if name in p})
    if "metadata" in p:
        subscription["metadata"] = merged(subscription["metadata"], p["metadata"])
    if "payment_settings" in p:
        subscription["payment_settings"] = {**subscription["payment_settings"], **p["payment_settings"]}
    if "days_until_due" in p:
        subscription["days_until_due"] = p["days_until_due"]
    if subscription["collection_method"] == "charge_automatically":
        subscription["days_until_due"] = None
    if "billing_mode" in p:
        flexible = {"proration_discounts": "included", **p["billing_mode"].get("flexible", {})}
        kind = p["billing_mode"]["type"]
        subscription["billing_mode"] = {"flexible": flexible if kind == "flexible" else None, "type": kind}
    if p.get("cancel_at_period_end") and not subscription["canceled_at"]:
        subscription["canceled_at"] = account.now


def update(account: Account, id: str, p: dict[str, Any]) -> Body:
    subscription = account.need("subscription", id)
    _check_update(account, subscription, p)
    before = {name: subscription[name] for name in p if name in subscription and name != "items"}
    if "items" in p:
        before["items"] = {"data": [dict(item) for item in subscription["items"]["data"]]}
        _change_items(account, subscription, p)
    _plain_fields(account, subscription, p)
    if "pause_collection" in p:
        _pause(account, subscription, p["pause_collection"])
    if "cancel_at_period_end" in p:
        _at_period_end(account, subscription, p["cancel_at_period_end"])
    if "cancellation_details" in p:
        subscription["cancellation_details"] = {**subscription["cancellation_details"], **p["cancellation_details"]}
    renewals.watch(account, subscription)
    return account.save(subscription, "customer.subscription.updated", **before)


def _check_update(account: Account, subscription: Body, p: dict[str, Any]) -> None:
    if subscription["ended_at"] and set(p) - {"metadata", "cancellation_details", "expand"}:
        raise StripeError("A canceled subscription can only update its cancellation_details and metadata.")
    if subscription["status"] == "incomplete" and set(p) - {"metadata", "default_payment_method", "expand"}:
        raise StripeError("A subscription that is incomplete can only update its metadata and default source.")
    method = str(p.get("collection_method", subscription["collection_method"]))
    _check_collection(p, method, p.get("days_until_due", subscription["days_until_due"]))
    _check_cancel_at(account, p.get("cancel_at"))
    if p.get("cancel_at") is not None and p.get("cancel_at_period_end"):
        raise StripeError("You may only specify one of these parameters: cancel_at, cancel_at_period_end.", param="cancel_at")
    if p.get("default_payment_method"):
        customers.attached_method(account, p["default_payment_method"], subscription["customer"])
    if "items" in p:
        _check_changes(account, subscription, p["items"])


def _check_changes(account: Account, subscription: Body, changes: list[dict[str, Any]]) -> None:
    _check_items(account, changes)
    have = {item["id"] for item in items_of(account, subscription)}
    for at, change in enumerate(changes):
        if "id" in change and change["id"] not in have:
            raise StripeError(f"No such subscription item: '{change['id']}'", code="resource_missing", param=f"items[{at}][id]")
        if "price_data" in change and change["price_data"]["currency"].lower() != subscription["currency"]:
            raise StripeError(
                f"The price specified only supports `{change['price_data']['currency']}`. This doesn't match the expected "
                f"currency: `{subscription['currency']}`.",
                param=f"items[{at}][price_data][currency]",
            )
    deleted = {change["id"] for change in changes if change.get("deleted")}
    left = len(have - deleted) + sum("id" not in change for change in changes)
    if left > MAX_ITEMS:
        raise StripeError(f"A subscription can have at most {MAX_ITEMS} items.", param="items")
    if left < 1:
        raise StripeError(
            "A subscription must have at least one active plan. To stop it, cancel the subscription.", param="items"
        )


def _change_items(account: Account, subscription: Body, p: dict[str, Any]) -> None:
    old = [dict(item) for item in items_of(account, subscription)]
    for at, change in enumerate(p["items"]):
        _change_item(account, subscription, change, f"items[{at}]")
    items = items_of(account, subscription)
    _one_interval([item["price"] for item in items])
    interval_changed = items[0]["price"]["recurring"] != old[0]["price"]["recurring"]
    start, end = old[0]["current_period_start"], old[0]["current_period_end"]
    for item in items:
        item.update(current_period_start=start, current_period_end=end)
    renewals.show_items(account, subscription)
    if interval_changed:
        renewals.restart(account, subscription)
    elif _prorates(p):
        proration.change(account, subscription, old, items)
        if p.get("proration_behavior") == "always_invoice":
            renewals.invoice_prorations(account, subscription)


def _change_item(account: Account, subscription: Body, change: dict[str, Any], at: str) -> None:
    price = _price(account, change, at) if "price" in change or "price_data" in change else None
    if "id" not in change:
        assert price is not None  # noqa: S101 - _check_items saw to it
        _add_item(account, subscription, change, price)
        return
    item = account.get("subscription_item", change["id"])
    if change.get("deleted"):
        account.table("subscription_item").remove(item["id"])
        return
    if price is not None:
        item.update(price=price, plan=shapes.plan(price))
    item["quantity"] = change.get("quantity", item["quantity"])
    if "metadata" in change:
        item["metadata"] = merged(item["metadata"], change["metadata"])


def _pause(account: Account, subscription: Body, pause: dict[str, Any] | None) -> None:
    subscription["pause_collection"] = {"resumes_at": None, **pause} if pause else None
    if pause and pause.get("resumes_at"):
        if pause["resumes_at"] <= account.now:
            raise StripeError("`resumes_at` must be in the future.", param="pause_collection[resumes_at]")
        account.schedule(pause["resumes_at"], "resume", subscription["id"])


def resume(account: Account, id: str) -> None:
    subscription = account.get("subscription", id)
    pause = subscription["pause_collection"]
    if pause and pause["resumes_at"] and pause["resumes_at"] <= account.now:
        subscription["pause_collection"] = None
        account.save(subscription, "customer.subscription.updated", pause_collection=pause)


def _at_period_end(account: Account, subscription: Body, wanted: bool) -> None:
    end = items_of(account, subscription)[0]["current_period_end"]
    subscription["cancel_at"] = end if wanted else None
    subscription["canceled_at"] = account.now if wanted else None


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
