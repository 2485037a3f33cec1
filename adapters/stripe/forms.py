"""Our words to Stripe's request parameters. Pure; the parameters are those of API version 2026-05-27.dahlia."""

from __future__ import annotations

import hashlib
import json
from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from adapters.stripe import translate, wire
from adapters.stripe.translate import CHARGE_AUTOMATICALLY, KEEP_AS_DRAFT, OWNER, SEND_INVOICE
from connector.errors import Rejected
from connector.model.invoice import Adjustment, InvoiceLine
from connector.model.period import Cycle, add_months, boundary, period_number
from connector.model.subscription import Arm, Create, Item, LiveSubscription, Subscription, TakeOver
from connector.ports import WriteKey

Form = dict[str, Any]
NOON = time(12, tzinfo=UTC)  # so that the date is the intended one in every time zone that an MSP bills in
MAX_ITEMS = 20


def idempotency_key(key: WriteKey, *more: object) -> str:
    """Names the fact and the attempt, and, where `more` gives the parameters, them too. At most 255 characters."""
    return once(key.value, key.attempt, *more)


def once(*facts: object) -> str:
    content = json.dumps(facts, sort_keys=True, default=str)
    return f"psac-{hashlib.sha256(content.encode()).hexdigest()}"


# The PSA computes tax. Said with everything that is made, whatever Stripe's account is set to.
NO_TAX: Form = {"automatic_tax": {"enabled": False}}

# Making a subscription


def create(change: Create, *, instance: str, key: WriteKey, now: datetime, days_until_due: int) -> Form:
    """It cannot charge before it is armed: it only sends bills, and the first one comes at a future anchor."""
    new = translate.canonical(change.new)
    refuse_too_many(new)
    starts = first_draft(change.first_draft, new, now)
    form: Form = {
        "customer": change.customer,
        "currency": new.currency.lower(),
        "collection_method": SEND_INVOICE,
        "days_until_due": days_until_due,
        "billing_mode": {"type": "flexible"},
        "proration_behavior": "none",
        "off_session": True,
        **NO_TAX,
        "items": [new_item(item, new, instance) for item in new.items],
        "metadata": {
            OWNER: instance,
            "write_key": key.value,
            "generation": str(change.generation),
            **facts(new),
        },
        **anchor(change.first_draft, starts, new, now),
    }
    if new.description:
        form["description"] = new.description
    if new.ends is not None:
        form["cancel_at"] = ending(new.ends, starts)
    return form


def facts(new: Subscription) -> dict[str, str]:
    """What Stripe has no readable field for."""
    return {"unit": new.unit, "payer": new.payer, "cycle": new.cycle.value, "bills_on": new.bills_on.isoformat()}


def new_item(item: Item, new: Subscription, instance: str) -> Form:
    return {
        "price_data": price_data(item, new, instance),
        "quantity": item.quantity,
        "metadata": {"item": item.key, "product": item.product},
    }


def price_data(item: Item, new: Subscription, instance: str) -> Form:
    interval, count = translate.interval(new.cycle)
    return {
        "currency": item.unit_amount.currency.lower(),
        "product": translate.product_id(instance, item),
        "unit_amount": item.unit_amount.minor,
        "recurring": {"interval": interval, "interval_count": count},
    }


def refuse_too_many(new: Subscription) -> None:
    if len(new.items) > MAX_ITEMS:
        raise Rejected(
            f"{new.description or new.unit}: {len(new.items)} lines, but a Stripe subscription takes {MAX_ITEMS}. "
            "Roll lines up by tax treatment.",
            code="too_many_items",
        )


# The anchor


def first_draft(first: date, new: Subscription, now: datetime) -> datetime:
    """The moment of the first draft: midday UTC of that day, or earlier on it where Stripe allows no later one.

    Stripe takes no anchor that lies beyond one full cycle from now.
    """
    midday = datetime.combine(first, NOON)
    latest = _one_cycle_later(now, new.cycle)
    if first <= now.date() or first > latest.date():
        raise Rejected(
            f"{new.description or new.unit}: its first draft is due on {first}, but a subscription made today can begin "
            f"only between tomorrow and {latest.date()}. It can be made when that day is nearer.",
            code="anchor_out_of_range",
        )
    return min(midday, latest)


def _one_cycle_later(now: datetime, cycle: Cycle) -> datetime:
    if cycle.weeks:
        return now + timedelta(weeks=cycle.weeks)
    return datetime.combine(add_months(now.date(), cycle.months), now.timetz())


def anchor(first: date, starts: datetime, new: Subscription, now: datetime) -> Form:
    """A configured day where Stripe's next such day is the wanted one: it alone keeps the 29th, 30th and 31st."""
    if not new.cycle.weeks and next_by_config(new, now) == datetime.combine(first, NOON):
        config = {"day_of_month": new.bills_on.day, "hour": 12, "minute": 0, "second": 0}
        if new.cycle is Cycle.YEARLY:
            config["month"] = new.bills_on.month
        return {"billing_cycle_anchor_config": config}
    if not new.cycle.weeks and first.day != new.bills_on.day:
        raise Rejected(
            f"{new.description or new.unit}: it bills on day {new.bills_on.day} of the month, which {first:%B %Y} does not have. "
            f"The subscription can be made in the month before {first}.",
            code="anchor_out_of_range",
        )
    return {"billing_cycle_anchor": int(starts.timestamp())}


def next_by_config(new: Subscription, now: datetime) -> datetime:
    """Where Stripe would set the anchor for a configured day (and, for yearly ones, month), midday UTC."""
    yearly = new.cycle is Cycle.YEARLY
    month = date(now.year, new.bills_on.month if yearly else now.month, 1)
    this_time = _midday_in(month, new.bills_on.day)
    return this_time if this_time > now else _midday_in(add_months(month, 12 if yearly else 1), new.bills_on.day)


def _midday_in(month: date, day: int) -> datetime:
    last = monthrange(month.year, month.month)[1]
    return datetime.combine(month.replace(day=min(day, last)), NOON)


def ending(ends: date, anchored: datetime) -> int:
    """The moment on that day at which a draft would be made: a period that ends there stays whole, and none begins."""
    return int(datetime.combine(ends, anchored.timetz()).timestamp())


# Changing a subscription


def arm(change: Arm) -> Form:
    form: Form = {}
    if change.new.paused:
        form["pause_collection"] = {"behavior": KEEP_AS_DRAFT}
    if change.new.automatic:
        form["collection_method"] = CHARGE_AUTOMATICALLY
    return {**form, "proration_behavior": "none", "off_session": True} if form else {}


def update(found: wire.Subscription, desired: Subscription, *, instance: str, days_until_due: int) -> Form:
    """Only what differs between Stripe just now and what should be; empty when nothing does."""
    new = translate.canonical(desired)
    refuse_too_many(new)
    refuse_moved(found, new)
    form: Form = {
        **_changed_items(found, new, instance),
        **_changed_text(found, new),
        **_changed_collection(found, new, days_until_due),
        **_changed_end(found, new),
    }
    return {**form, "proration_behavior": "none"} if form else {}


def take_over(found: wire.Subscription, change: TakeOver, *, instance: str, key: WriteKey, days_until_due: int) -> Form:
    """Marker, items and pause together; nothing is prorated, and the billing day stays."""
    new = translate.canonical(change.new)
    refuse_too_many(new)
    old_items: list[Form] = [{"id": item.id, "deleted": True} for item in found.items.data]
    items = [*old_items, *(new_item(item, new, instance) for item in new.items)]
    form: Form = {
        "items": items,
        "description": new.description,
        "metadata": {OWNER: instance, "write_key": key.value, "generation": str(change.generation), **facts(new)},
        "proration_behavior": "none",
        "off_session": True,
        **NO_TAX,
        **_changed_collection(found, new, days_until_due),
        **_changed_end(found, new),
    }
    return form


def refuse_moved(found: wire.Subscription, new: Subscription) -> None:
    """Stripe can move neither cycle nor anchor of a running subscription without billing something for it."""
    old = translate.live(found, {}).subscription
    if old.cycle is new.cycle and same_days(old.bills_on, new.bills_on, new.cycle):
        return
    raise Rejected(
        f"{new.description or new.unit}: subscription {found.id} bills {old.cycle.value} counted from {old.bills_on}, the PSA "
        f"{new.cycle.value} counted from {new.bills_on}. A running subscription cannot be moved: end it and make a new one.",
        code="anchor_moved",
    )


def same_days(one: date, other: date, cycle: Cycle) -> bool:
    """Whether counting from either gives the same days; a year of them shows every length of month."""
    number = period_number(one, cycle, other)
    return all(boundary(one, cycle, number + step) == boundary(other, cycle, step) for step in range(13))


def _changed_items(found: wire.Subscription, new: Subscription, instance: str) -> Form:
    current = translate.keyed_items(found)
    wanted = {item.key for item in new.items}
    changes = [{"id": item.id, "deleted": True} for key, item in current.items() if key not in wanted]
    for item in new.items:
        changes += _item_change(current.get(item.key), item, new, instance)
    return {"items": changes} if changes else {}


def _item_change(current: wire.SubscriptionItem | None, item: Item, new: Subscription, instance: str) -> list[Form]:
    if current is None:
        return [new_item(item, new, instance)]
    change: Form = {}
    price = price_data(item, new, instance)
    # A new price is made for every price_data, so it is sent for a new price only, never for a quantity.
    if (current.price.unit_amount, current.price.product) != (price["unit_amount"], price["product"]):
        change["price_data"] = price
    if current.quantity != item.quantity:
        change["quantity"] = item.quantity
    if current.metadata.get("product") != item.product:
        change["metadata"] = {"product": item.product}
    return [{"id": current.id, **change}] if change else []


def _changed_text(found: wire.Subscription, new: Subscription) -> Form:
    form: Form = {}
    if found.description != new.description:
        form["description"] = new.description
    if changed := {name: value for name, value in facts(new).items() if found.metadata.get(name) != value}:
        form["metadata"] = changed
    return form


def _changed_collection(found: wire.Subscription, new: Subscription, days_until_due: int) -> Form:
    form: Form = {}
    if translate.is_paused(found) != new.paused:
        form["pause_collection"] = {"behavior": KEEP_AS_DRAFT} if new.paused else ""
    automatic = found.collection_method == CHARGE_AUTOMATICALLY
    if new.automatic and not automatic:
        form["collection_method"] = CHARGE_AUTOMATICALLY
    if automatic and not new.automatic:
        form |= {"collection_method": SEND_INVOICE, "days_until_due": days_until_due}
    return form


def _changed_end(found: wire.Subscription, new: Subscription) -> Form:
    if translate.ends(found) == new.ends:
        return {}
    if new.ends is not None:
        return {"cancel_at": ending(new.ends, translate.moment(found.billing_cycle_anchor))}
    return {"cancel_at_period_end": False} if found.cancel_at_period_end else {"cancel_at": ""}


def cancel_later(found: wire.Subscription, on: date, reason: str) -> Form:
    return {
        "cancel_at": ending(on, translate.moment(found.billing_cycle_anchor)),
        "proration_behavior": "none",
        "cancellation_details": {"comment": reason},
    }


def cancel_now(reason: str) -> Form:
    return {"invoice_now": False, "prorate": False, "cancellation_details": {"comment": reason}}


# Invoices


def hand_draft(subscription: LiveSubscription, *, bills_on: date, charge: str, key: WriteKey, instance: str, days: int) -> Form:
    """Not made under the subscription: Stripe refuses an invoice of a subscription that has nothing pending."""
    mirror = subscription.subscription
    collection: Form = {"collection_method": CHARGE_AUTOMATICALLY}
    if not mirror.automatic:
        collection = {"collection_method": SEND_INVOICE, "days_until_due": days}
    return {
        "customer": subscription.customer,
        "currency": mirror.currency.lower(),
        "auto_advance": False,
        **NO_TAX,
        "pending_invoice_items_behavior": "exclude",
        "metadata": {
            OWNER: instance,
            "write_key": key.value,
            "unit": mirror.unit,
            "payer": mirror.payer,
            **({"subscription": subscription.id} if subscription.id else {}),
            "bills_on": bills_on.isoformat(),
            "charge": charge,
        },
        **collection,
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class SlotWrite:
    """`item` is empty to add a line, `form` is empty to remove one."""

    slot: str
    item: str
    form: Form


def slot_writes(
    lines: Sequence[InvoiceLine], wanted: Sequence[Adjustment], *, invoice: wire.Invoice, instance: str
) -> list[SlotWrite]:
    """One write for each added line that is missing, different or too much. Lines that are not ours are left alone."""
    by_slot = {adjustment.slot: adjustment for adjustment in wanted}
    kept: dict[str, InvoiceLine] = {}
    writes: list[SlotWrite] = []
    for line in lines:
        if not line.slot:
            continue
        if line.slot in by_slot and line.slot not in kept:
            kept[line.slot] = line
        else:
            writes.append(SlotWrite(slot=line.slot, item=line.item, form={}))
    for slot, adjustment in by_slot.items():
        writes += _slot_write(kept.get(slot), adjustment, invoice, instance)
    return writes


def _slot_write(line: InvoiceLine | None, wanted: Adjustment, invoice: wire.Invoice, instance: str) -> list[SlotWrite]:
    form: Form = {"amount": wanted.amount.minor, "description": wanted.description}
    if line is None:
        place = {
            "customer": invoice.customer,
            "invoice": invoice.id,
            "currency": wanted.amount.currency.lower(),
            "discountable": False,  # a coupon must not change what the PSA billed
            "metadata": {OWNER: instance, "slot": wanted.slot},
        }
        return [SlotWrite(slot=wanted.slot, item="", form={**form, **place})]
    if (line.amount, line.description) == (wanted.amount, wanted.description):
        return []
    return [SlotWrite(slot=wanted.slot, item=line.item, form=form)]


def setup_page(customer: str, *, return_url: str, methods: Sequence[str], instance: str) -> Form:
    marks: Mapping[str, str] = {OWNER: instance}
    return {
        "mode": "setup",
        "customer": customer,
        "payment_method_types": list(methods),
        "success_url": return_url,
        "metadata": dict(marks),
        "setup_intent_data": {"metadata": dict(marks)},
    }
