"""What a subscription may be: everything that Stripe refuses, and the anchor that it computes."""

from __future__ import annotations

from typing import Any

from adapters.sandbox.stripe import catalog, customers
from adapters.sandbox.stripe.account import Account, Body
from adapters.sandbox.stripe.errors import StripeError
from adapters.sandbox.stripe.payments import FAILURES
from adapters.sandbox.stripe.periods import Cycle, next_occurrence, when
from adapters.sandbox.stripe.renewals import items_of

MAX_ITEMS = 20
MAX_PER_CUSTOMER = 500


def new(account: Account, customer: Body, p: dict[str, Any]) -> tuple[str, int | None]:
    """Everything that can be wrong with a new one, before anything is made. Its currency and anchor (None: now)."""
    _collection_terms(p, p.get("collection_method", "charge_automatically"), p.get("days_until_due"))
    if p.get("payment_behavior") == "pending_if_incomplete":
        raise StripeError("`pending_if_incomplete` is only possible when a subscription is updated.", param="payment_behavior")
    current = [body for body in account.table("subscription").where(customer=customer["id"]) if not body["ended_at"]]
    if len(current) >= MAX_PER_CUSTOMER:
        raise StripeError(f"Customer {customer['id']} already has the maximum {MAX_PER_CUSTOMER} current subscriptions.")
    _items(account, p["items"])
    prices = [_price(account, item) for item in p["items"]]
    _one_interval([price["recurring"] for price in prices])
    currency = _one_currency(customer, prices, p.get("currency"))
    if p.get("default_payment_method"):
        customers.attached_method(account, p["default_payment_method"], customer["id"])
    _cancel_at(account, p.get("cancel_at"))
    anchor = _anchor(account, p, prices[0]["recurring"])
    if p.get("payment_behavior") == "error_if_incomplete" and (anchor is None or prorates(p)):
        _first_payment(account, customer, p)
    return currency, anchor


def prorates(p: dict[str, Any]) -> bool:
    return p.get("proration_behavior", "create_prorations") != "none"  # type: ignore[no-any-return]


def _price(account: Account, item: dict[str, Any]) -> dict[str, Any]:
    """What is known of an item's price before it is made."""
    return item.get("price_data") or account.get("price", item["price"])


def _one_interval(recurring: list[dict[str, Any]]) -> None:
    if len({(each["interval"], each.get("interval_count", 1)) for each in recurring}) > 1:
        raise StripeError("This sandbox keeps one billing interval per subscription.", param="items")


def _one_currency(customer: Body, prices: list[dict[str, Any]], wanted: str | None) -> str:
    currencies = {price["currency"].lower() for price in prices} | ({wanted.lower()} if wanted else set())
    if customer["currency"]:
        currencies.add(customer["currency"])
    if len(currencies) > 1:
        raise StripeError(
            "You cannot combine currencies on a single customer. This customer has had a subscription, coupon, or invoice "
            f"item with currency {customer['currency'] or prices[0]['currency']}",
            param="currency",
        )
    return str(currencies.pop())


def _anchor(account: Account, p: dict[str, Any], recurring: dict[str, Any]) -> int | None:
    config = p.get("billing_cycle_anchor_config")
    if config is not None:
        return _configured_anchor(account, config, p, recurring)
    if "billing_cycle_anchor" not in p:
        return None
    anchor: int = p["billing_cycle_anchor"]
    if anchor <= account.now:
        raise StripeError("Timestamp for `billing_cycle_anchor` must be in the future.", param="billing_cycle_anchor")
    natural = Cycle(anchor=account.now, interval=recurring["interval"], count=recurring.get("interval_count", 1))
    if anchor > natural.boundary(1):
        raise StripeError(
            f"`billing_cycle_anchor` cannot be later than next natural billing date ({natural.boundary(1)}) for plan",
            param="billing_cycle_anchor",
        )
    return anchor


def update(account: Account, subscription: Body, p: dict[str, Any]) -> None:
    """Everything that can be wrong with a change, before anything is changed."""
    if subscription["ended_at"] and set(p) - {"metadata", "cancellation_details", "expand"}:
        raise StripeError("A canceled subscription can only update its cancellation_details and metadata.")
    if subscription["status"] == "incomplete" and set(p) - {"metadata", "default_payment_method", "expand"}:
        raise StripeError("A subscription that is incomplete can only update its metadata and default source.")
    method = str(p.get("collection_method", subscription["collection_method"]))
    _collection_terms(p, method, p.get("days_until_due", subscription["days_until_due"]))
    _cancel_at(account, p.get("cancel_at"))
    if p.get("cancel_at") is not None and p.get("cancel_at_period_end"):
        raise StripeError("You may only specify one of these parameters: cancel_at, cancel_at_period_end.", param="cancel_at")
    if p.get("default_payment_method"):
        customers.attached_method(account, p["default_payment_method"], subscription["customer"])
    resumes_at = (p.get("pause_collection") or {}).get("resumes_at")
    if resumes_at is not None and resumes_at <= account.now:
        raise StripeError("`resumes_at` must be in the future.", param="pause_collection[resumes_at]")
    if "items" in p:
        _changes(account, subscription, p["items"])


def _first_payment(account: Account, customer: Body, p: dict[str, Any]) -> None:
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


def _collection_terms(p: dict[str, Any], method: str, days_until_due: int | None) -> None:
    if method == "send_invoice" and days_until_due is None:
        raise StripeError("You must set `days_until_due` when `collection_method` is `send_invoice`.", param="days_until_due")
    if method == "charge_automatically" and p.get("days_until_due") is not None:
        raise StripeError(
            "You can only set `days_until_due` if the `collection_method` is set to `send_invoice`.", param="days_until_due"
        )


def _items(account: Account, items: list[dict[str, Any]]) -> None:
    """Everything that can be wrong with an item, before anything is made."""
    for at, item in enumerate(items):
        if "price_data" in item:
            account.need("product", item["price_data"]["product"], f"items[{at}][price_data][product]")
            catalog.check_amount(item["price_data"], f"items[{at}][price_data]")
        elif "price" in item:
            account.need("price", item["price"], f"items[{at}][price]")
        elif "id" not in item:
            raise StripeError(
                f"Missing required param: items[{at}][price].", code="parameter_missing", param=f"items[{at}][price]"
            )


def _cancel_at(account: Account, at: int | None) -> None:
    if at is not None and at <= account.now:
        raise StripeError("`cancel_at` must be a timestamp in the future.", param="cancel_at")


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


def _changes(account: Account, subscription: Body, changes: list[dict[str, Any]]) -> None:
    _items(account, changes)
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
    _one_interval(_intervals(account, subscription, changes, deleted))


def _intervals(account: Account, subscription: Body, changes: list[dict[str, Any]], deleted: set[str]) -> list[dict[str, Any]]:
    """Of the items that are left after the change."""
    priced = {"price", "price_data"}
    kept = {item["id"]: item["price"]["recurring"] for item in items_of(account, subscription) if item["id"] not in deleted}
    added = []
    for change in changes:
        if not priced & set(change) or change.get("id") in deleted:
            continue
        recurring = _price(account, change)["recurring"]
        if "id" in change:
            kept[change["id"]] = recurring
        else:
            added.append(recurring)
    return [*kept.values(), *added]
