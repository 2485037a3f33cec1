"""Stripe's words to ours. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from adapters.http import clean
from adapters.stripe import wire
from connector.errors import Rejected
from connector.model.invoice import (
    Customer,
    GatewayInvoice,
    GatewayInvoiceState,
    InvoiceLine,
    MethodKind,
    PaymentMethod,
)
from connector.model.ledger import GatewayEvent, GatewayPayment
from connector.model.money import Money
from connector.model.period import Cycle, add_months, period_of
from connector.model.subscription import Item, LiveSubscription, Subscription

OWNER = "psa_connector"  # metadata key whose value is our instance's name: only objects that carry it are ours
KEEP_AS_DRAFT = "keep_as_draft"
CHARGE_AUTOMATICALLY = "charge_automatically"
SEND_INVOICE = "send_invoice"
BANK_DEBITS = frozenset({"us_bank_account", "acss_debit", "sepa_debit", "bacs_debit", "au_becs_debit", "ach_debit"})
MAX_NAME = 250
MAX_DESCRIPTION = 500
MAX_METADATA_VALUE = 500


def moment(timestamp: int) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)


def day(timestamp: int) -> date:
    return moment(timestamp).date()


def money(minor: int, currency: str) -> Money:
    try:
        return Money(minor, currency.upper())
    except ValueError:
        said = clean(currency.upper(), 20)
        raise Rejected(f"Stripe has amounts in {said}, which is not supported", code="unsupported_currency") from None


# Subscriptions


def canonical(desired: Subscription) -> Subscription:
    items = sorted((_canonical_item(item) for item in desired.items), key=lambda item: item.key)
    return replace(
        desired,
        unit=desired.unit[:MAX_METADATA_VALUE],
        payer=desired.payer[:MAX_METADATA_VALUE],
        description=desired.description.strip()[:MAX_DESCRIPTION].strip(),
        currency=desired.currency.upper(),
        items=tuple(items),
    )


def _canonical_item(item: Item) -> Item:
    name = item.name.strip()[:MAX_NAME].strip() or item.product
    return replace(item, key=item.key[:MAX_METADATA_VALUE], product=item.product[:MAX_METADATA_VALUE], name=name)


def product_id(instance: str, item: Item) -> str:
    """Chosen by us, so that making it twice is refused. It includes the name: two agreements that print one product
    under different names would otherwise rename it in turns for ever."""
    digest = hashlib.sha256("\0".join((instance, item.product, item.name)).encode()).hexdigest()[:20]
    readable = re.sub(r"[^A-Za-z0-9]+", "_", f"{instance}_{item.product}").strip("_")[:40]
    return f"psac_{readable}_{digest}"


def interval(cycle: Cycle) -> tuple[str, int]:
    """Stripe's interval and interval_count."""
    if cycle is Cycle.YEARLY:
        return "year", 1
    return ("week", cycle.weeks) if cycle.weeks else ("month", cycle.months)


def keyed_items(subscription: wire.Subscription) -> dict[str, wire.SubscriptionItem]:
    """By our key. Whatever we would not have made like this (added or rebuilt by hand) gets the key `foreign:<id>`."""
    cycle = _cycle(subscription)
    keyed: dict[str, wire.SubscriptionItem] = {}
    for item in subscription.items.data:
        key = item.metadata.get("item", "")
        ours = key and key not in keyed and _is_plain(item.price, interval(cycle), subscription.currency)
        keyed[key if ours else f"foreign:{item.id}"] = item
    return keyed


def _is_plain(price: wire.Price, expected: tuple[str, int], currency: str) -> bool:
    recurring = price.recurring
    return (
        price.unit_amount is not None
        and price.billing_scheme == "per_unit"
        and price.currency == currency
        and recurring is not None
        and _same_interval((recurring.interval, recurring.interval_count), expected)
    )


def _same_interval(one: tuple[str, int], other: tuple[str, int]) -> bool:
    return one == other or {one, other} == {("month", 12), ("year", 1)}


def _cycle(subscription: wire.Subscription) -> Cycle:
    said = subscription.metadata.get("cycle", "")
    return Cycle(said) if said in {cycle.value for cycle in Cycle} else Cycle.MONTHLY


def live(found: wire.Subscription, product_names: Mapping[str, str]) -> LiveSubscription:
    generation = found.metadata.get("generation", "")
    return LiveSubscription(
        id=found.id,
        customer=found.customer,
        generation=int(generation) if generation.isdigit() else 0,
        subscription=_subscription(found, product_names),
        status=found.status,
        created=moment(found.created),
    )


def _subscription(found: wire.Subscription, product_names: Mapping[str, str]) -> Subscription:
    items = (_item(key, item, product_names) for key, item in keyed_items(found).items())
    return Subscription(
        unit=found.metadata.get("unit", ""),
        payer=found.metadata.get("payer", ""),
        description=found.description,
        currency=found.currency.upper(),
        cycle=_cycle(found),
        bills_on=_bills_on(found),
        items=tuple(sorted(items, key=lambda item: item.key)),
        ends=ends(found),
        paused=is_paused(found),
        automatic=found.collection_method == CHARGE_AUTOMATICALLY,
    )


def _item(key: str, item: wire.SubscriptionItem, product_names: Mapping[str, str]) -> Item:
    return Item(
        key=key,
        product=item.metadata.get("product", item.price.product),
        name=product_names.get(item.price.product, ""),
        unit_amount=money(_unit_amount(item.price), item.price.currency),
        quantity=1 if item.quantity is None else item.quantity,
    )


def _unit_amount(price: wire.Price) -> int:
    if price.unit_amount is not None:
        return price.unit_amount
    return int(Decimal(str(price.unit_amount_decimal or 0)))  # only on foreign items, which are replaced anyhow


def is_paused(found: wire.Subscription) -> bool:
    """Drafts only, for good. A pause that ends by itself or throws the drafts away is none of ours."""
    pause = found.pause_collection
    return pause is not None and pause.behavior == KEEP_AS_DRAFT and pause.resumes_at is None


def ends(found: wire.Subscription) -> date | None:
    if found.cancel_at is not None:
        return day(found.cancel_at)
    if found.cancel_at_period_end:
        return day(max(item.current_period_end for item in found.items.data))
    return None


def _bills_on(found: wire.Subscription) -> date:
    """What we noted, as long as Stripe's anchor still makes drafts on the same days."""
    anchor = day(found.billing_cycle_anchor)
    try:
        noted = date.fromisoformat(found.metadata.get("bills_on", ""))
    except ValueError:
        return anchor
    return noted if _same_days(found, noted, anchor) else anchor


def _same_days(found: wire.Subscription, noted: date, anchor: date) -> bool:
    cycle = _cycle(found)
    if period_of(noted, cycle, anchor).start != anchor:
        return False
    if cycle.weeks or anchor.day == noted.day:
        return True
    # Anchored on a shorter month's last day: only the configured day brings it back to the 29th, 30th or 31st.
    config = found.billing_cycle_anchor_config
    return config is not None and config.day_of_month == noted.day


# Invoices


def invoice_metadata(invoice: wire.Invoice) -> dict[str, str]:
    """The subscription's metadata as copied to the invoice, and over it the invoice's own."""
    inherited = invoice.parent.subscription_details.metadata if invoice.parent and invoice.parent.subscription_details else {}
    return {**inherited, **invoice.metadata}


def is_period_invoice(invoice: wire.Invoice, instance: str) -> bool:
    """Ours, and not the empty one that Stripe makes for the free days between creation and the first anchor."""
    opening = invoice.billing_reason == "subscription_create" and invoice.total == 0
    return invoice_metadata(invoice).get(OWNER) == instance and not opening


def gateway_invoice(
    invoice: wire.Invoice, instance: str, *, in_flight: bool = False, error: wire.ApiError | None = None
) -> GatewayInvoice:
    """`error`: why the last attempt to collect it failed."""
    failed = error.payment_method if error else None
    notes = invoice_metadata(invoice)
    currency = invoice.currency
    return GatewayInvoice(
        id=invoice.id,
        number=invoice.number,
        subscription=_subscription_of(invoice),
        unit=notes.get("unit", ""),
        customer=invoice.customer,
        state=GatewayInvoiceState(invoice.status),
        bills_on=_invoice_bills_on(invoice),
        total=money(invoice.total, currency),
        amount_due=money(invoice.amount_due, currency),
        amount_paid=money(invoice.amount_paid, currency),
        amount_remaining=money(invoice.amount_remaining, currency),
        lines=tuple(_line(line, currency, instance) for line in invoice.lines.data),
        charge=invoice.metadata.get("charge", ""),
        in_flight=in_flight,
        auto_advance=bool(invoice.auto_advance),
        attempts=invoice.attempt_count,
        next_attempt=moment(invoice.next_payment_attempt) if invoice.next_payment_attempt else None,
        failure=error.message if error else "",
        failure_code=(error.decline_code or error.code) if error else "",
        failed_method=failed.id if failed else "",
        failed_kind=method_kind(failed.type) if failed else None,
    )


def _subscription_of(invoice: wire.Invoice) -> str:
    details = invoice.parent.subscription_details if invoice.parent else None
    return (details.subscription if details else "") or invoice.metadata.get("subscription", "")


def _invoice_bills_on(invoice: wire.Invoice) -> date:
    """The first day of the period that is billed: a renewal's own lines begin there (its `period_*` lie before it)."""
    if "bills_on" in invoice.metadata:
        return date.fromisoformat(invoice.metadata["bills_on"])
    starts = [line.period.start for line in invoice.lines.data if _is_regular(line)]
    return day(max(starts, default=invoice.period_end))


def _is_regular(line: wire.InvoiceLine) -> bool:
    details = line.parent.subscription_item_details if line.parent else None
    return details is not None and not details.proration


def _line(line: wire.InvoiceLine, currency: str, instance: str) -> InvoiceLine:
    added = line.parent.invoice_item_details if line.parent else None
    ours = added is not None and line.metadata.get(OWNER) == instance and bool(line.metadata.get("slot"))
    return InvoiceLine(
        id=line.id,
        item=added.invoice_item if added and ours else "",
        slot=line.metadata["slot"] if ours else "",
        description=line.description,
        amount=money(line.amount, currency),
    )


# Customers and their methods


def customer(found: wire.Customer, *, payer: str = "", currency: str) -> Customer:
    method = found.invoice_settings.default_payment_method
    return Customer(
        id=found.id,
        payer=found.metadata.get("payer", payer),
        name=found.name,
        email=found.email,
        default_method=payment_method(method) if method else None,
        balance=money(found.balance, found.currency or currency),
    )


def payment_method(found: wire.PaymentMethod) -> PaymentMethod:
    ending = found.card or found.us_bank_account
    return PaymentMethod(
        id=found.id,
        kind=method_kind(found.type),
        last4=ending.last4 if ending else "",
        expires=_first_bad_day(found.card) if found.card else None,
    )


def _first_bad_day(card: wire.Card) -> date:
    return add_months(date(card.exp_year, card.exp_month, 1), 1)


def method_kind(stripe_type: str) -> MethodKind:
    if stripe_type == "card":
        return MethodKind.CARD
    return MethodKind.BANK_DEBIT if stripe_type in BANK_DEBITS else MethodKind.OTHER


# Money that moved


def gateway_payment(paid: wire.InvoicePayment, *, payment: str, charge: wire.Charge | None) -> GatewayPayment:
    details = charge.payment_method_details if charge else None
    ending = (details.card or details.us_bank_account) if details else None
    return GatewayPayment(
        id=paid.id,
        invoice=paid.invoice,
        payment=payment,
        amount=money(paid.amount_paid or 0, paid.currency),
        fee=_fee(charge),
        paid_at=moment(paid.status_transitions.paid_at or paid.created),
        method=method_kind(details.type) if details else MethodKind.OTHER,
        method_last4=ending.last4 if ending else "",
        moved_back=charge is None or charge.amount_refunded != 0 or charge.disputed is not False,
    )


def _fee(charge: wire.Charge | None) -> Money | None:
    transaction = charge.balance_transaction if charge else None
    return money(transaction.fee, transaction.currency) if transaction else None


# Events


def gateway_event(event: wire.Event) -> GatewayEvent:
    """Events are written in the account's API version, not ours: every field may be missing."""
    about = event.data.object
    kind = str(about.get("object", ""))
    own = {kind: str(about.get("id", ""))}
    return GatewayEvent(
        id=event.id,
        type=event.type,
        created=moment(event.created),
        invoice=own.get("invoice") or _first(about, "invoice") or _order_reference(about),
        payment=own.get("payment_intent") or _first(about, "payment_intent") or _associated(about),
        customer=own.get("customer") or _first(about, "customer"),
        subscription=own.get("subscription") or _first(about, "subscription") or _parent_subscription(about),
        object_id=str(about.get("id", "")),
    )


def _first(about: Mapping[str, object], field: str) -> str:
    value = wire.id_of(about.get(field))
    return value if isinstance(value, str) else ""


def _within(about: Mapping[str, object], *path: str) -> Mapping[str, object]:
    for step in path:
        found = about.get(step)
        about = found if isinstance(found, dict) else {}
    return about


def _associated(about: Mapping[str, object]) -> str:
    return _first(_within(about, "payment"), "payment_intent")


def _parent_subscription(about: Mapping[str, object]) -> str:
    return _first(_within(about, "parent", "subscription_details"), "subscription")


def _order_reference(about: Mapping[str, object]) -> str:
    # Not documented, but seen on the payment intents that invoices make; only a hint, like the whole event.
    reference = _first(_within(about, "payment_details"), "order_reference")
    return reference if reference.startswith("in_") else ""
