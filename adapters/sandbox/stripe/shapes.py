"""How Stripe's billing objects look in version 2026-05-27.dahlia, when new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

Body = dict[str, Any]
EMBEDDED = 10  # how many members a list inside an object shows; the rest is behind its url
ADDRESS: Body = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
HOSTED = "https://invoice.stripe.com/i/acct_sandbox/"


def nulls(names: str) -> Body:
    return dict.fromkeys(names.split())


def listing(members: Iterable[Body], url: str, *, total: int | None = None) -> Body:
    data = list(members)
    return {
        "object": "list",
        "data": data[:EMBEDDED],
        "has_more": len(data) > EMBEDDED,
        "total_count": len(data) if total is None else total,
        "url": url,
    }


def decimal_text(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def customer(id: str, created: int, prefix: str) -> Body:
    return {
        "id": id,
        "object": "customer",
        **nulls("address currency default_source description discount email name phone shipping test_clock"),
        "balance": 0,
        "created": created,
        "delinquent": False,
        "invoice_prefix": prefix,
        "invoice_settings": nulls("custom_fields default_payment_method footer rendering_options"),
        "livemode": False,
        "metadata": {},
        "next_invoice_sequence": 1,
        "preferred_locales": [],
        "tax_exempt": "none",
        "customer_account": None,
    }


def product(id: str, created: int, name: str) -> Body:
    return {
        "id": id,
        "object": "product",
        **nulls("default_price description package_dimensions shippable statement_descriptor tax_code unit_label url"),
        "active": True,
        "created": created,
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": {},
        "name": name,
        "type": "service",
        "updated": created,
    }


def price(
    id: str, created: int, *, product: str, currency: str, unit_amount: Decimal, tax_behavior: str, recurring: Body | None
) -> Body:
    whole = unit_amount == unit_amount.to_integral_value()
    return {
        "id": id,
        "object": "price",
        **nulls("custom_unit_amount lookup_key nickname tiers_mode transform_quantity"),
        "active": False,  # made inline from price_data: not for use elsewhere
        "billing_scheme": "per_unit",
        "created": created,
        "currency": currency,
        "livemode": False,
        "metadata": {},
        "product": product,
        "recurring": {**recurring, "meter": None, "trial_period_days": None, "usage_type": "licensed"} if recurring else None,
        "tax_behavior": tax_behavior,
        "type": "recurring" if recurring else "one_time",
        "unit_amount": int(unit_amount) if whole else None,
        "unit_amount_decimal": decimal_text(unit_amount),
    }


def plan(of: Body) -> Body:
    recurring = of["recurring"]
    return {
        "id": of["id"],
        "object": "plan",
        **nulls("meter nickname tiers_mode transform_usage trial_period_days"),
        "active": of["active"],
        "amount": of["unit_amount"],
        "amount_decimal": of["unit_amount_decimal"],
        "billing_scheme": "per_unit",
        "created": of["created"],
        "currency": of["currency"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "livemode": False,
        "metadata": {},
        "product": of["product"],
        "usage_type": "licensed",
    }


def subscription_item(id: str, created: int, *, subscription: str, price: Body, quantity: int, metadata: Body) -> Body:
    return {
        "id": id,
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": created,
        "current_period_end": 0,
        "current_period_start": 0,
        "discounts": [],
        "metadata": metadata,
        "plan": plan(price),
        "price": price,
        "quantity": quantity,
        "subscription": subscription,
        "tax_rates": [],
    }


def subscription(id: str, created: int, *, customer: str, currency: str, anchor: int) -> Body:
    return {
        "id": id,
        "object": "subscription",
        **nulls(
            "application application_fee_percent billing_cycle_anchor_config billing_thresholds cancel_at canceled_at "
            "customer_account days_until_due default_payment_method default_source description ended_at latest_invoice "
            "next_pending_invoice_item_invoice on_behalf_of pause_collection pending_invoice_item_interval "
            "pending_setup_intent pending_update schedule test_clock transfer_data trial_end trial_start"
        ),
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": anchor,
        "billing_mode": {"flexible": {"proration_discounts": "included"}, "type": "flexible"},
        "billing_schedules": [],
        "cancel_at_period_end": False,
        "cancellation_details": nulls("comment feedback reason"),
        "collection_method": "charge_automatically",
        "created": created,
        "currency": currency,
        "customer": customer,
        "default_tax_rates": [],
        "discounts": [],
        "invoice_settings": {"account_tax_ids": None, "custom_fields": None, "description": None, "footer": None,
                             "issuer": {"type": "self"}},
        "items": listing([], f"/v1/subscription_items?subscription={id}"),
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": {},
        "payment_settings": {"payment_method_options": None, "payment_method_types": None,
                             "save_default_payment_method": "off"},
        "start_date": created,
        "status": "active",
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
    }  # fmt: skip


def invoice(id: str, created: int, *, customer: Body, currency: str, reason: str, parent: Body | None) -> Body:
    return {
        "id": id,
        "object": "invoice",
        **nulls(
            "account_name account_tax_ids application automatically_finalizes_at custom_fields customer_account "
            "customer_shipping default_payment_method default_source description due_date effective_at ending_balance "
            "footer from_invoice hosted_invoice_url invoice_pdf last_finalization_error latest_revision "
            "next_payment_attempt number on_behalf_of receipt_number shipping_cost shipping_details statement_descriptor "
            "test_clock"
        ),
        **dict.fromkeys(
            (
                "amount_due", "amount_overpaid", "amount_paid", "amount_paid_off_stripe", "amount_remaining",
                "amount_shipping", "attempt_count", "post_payment_credit_notes_amount", "pre_payment_credit_notes_amount",
                "starting_balance", "subtotal", "subtotal_excluding_tax", "total", "total_excluding_tax",
            ),
            0,
        ),
        "account_country": "US",
        "attempted": False,
        "auto_advance": False,
        "automatic_tax": nulls("disabled_reason liability provider status") | {"enabled": False},
        "billing_reason": reason,
        "collection_method": "charge_automatically",
        "created": created,
        "currency": currency,
        "customer": customer["id"],
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_tax_exempt": customer["tax_exempt"],
        "customer_tax_ids": [],
        "default_tax_rates": [],
        "discounts": [],
        "issuer": {"type": "self"},
        "lines": listing([], f"/v1/invoices/{id}/lines"),
        "livemode": False,
        "metadata": {},
        "parent": parent,
        "payment_settings": nulls("default_mandate payment_method_options payment_method_types"),
        "period_end": created,
        "period_start": created,
        "rendering": None,
        "status": "draft",
        "status_transitions": nulls("finalized_at marked_uncollectible_at paid_at voided_at"),
        "total_discount_amounts": [],
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
        "webhooks_delivered_at": created,
    }  # fmt: skip


def subscription_parent(subscription: Body) -> Body:
    return {
        "quote_details": None,
        "subscription_details": {"metadata": dict(subscription["metadata"]), "subscription": subscription["id"]},
        "type": "subscription_details",
    }


def line(id: str, *, invoice: Body, amount: int, description: str | None, period: Mapping[str, int], quantity: int) -> Body:
    return {
        "id": id,
        "object": "line_item",
        "amount": amount,
        "currency": invoice["currency"],
        "description": description,
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": invoice["id"],
        "livemode": False,
        "metadata": {},
        "parent": None,
        "period": dict(period),
        "pretax_credit_amounts": [],
        "pricing": None,
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "subtotal": amount,
        "taxes": [],
    }


def from_subscription_item(item: Body) -> Body:
    return {
        "invoice_item_details": None,
        "subscription_item_details": {
            "invoice_item": None,
            "proration": False,
            "proration_details": {"credited_items": None},
            "subscription": item["subscription"],
            "subscription_item": item["id"],
        },
        "type": "subscription_item_details",
    }


def from_invoice_item(item: Body) -> Body:
    parent = item["parent"]
    return {
        "invoice_item_details": {
            "invoice_item": item["id"],
            "proration": item["proration"],
            "proration_details": {"credited_items": None},
            "subscription": parent["subscription_details"]["subscription"] if parent else None,
        },
        "subscription_item_details": None,
        "type": "invoice_item_details",
    }


def pricing(price: str, product: str, unit_amount: str) -> Body:
    return {
        "price_details": {"price": price, "product": product},
        "type": "price_details",
        "unit_amount_decimal": unit_amount,
    }


def invoice_item(id: str, now: int, *, customer: str, currency: str, amount: int, quantity: int, subscription: str) -> Body:
    parent = {"subscription_details": {"subscription": subscription}, "type": "subscription_details"}
    return {
        "id": id,
        "object": "invoiceitem",
        **nulls("customer_account description invoice pricing test_clock"),
        "amount": amount,
        "currency": currency,
        "customer": customer,
        "date": now,
        "discountable": amount >= 0,
        "discounts": [],
        "livemode": False,
        "metadata": {},
        "parent": parent if subscription else None,
        "period": {"end": now, "start": now},
        "proration": False,
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "tax_rates": [],
    }


def credit_note(id: str, created: int, *, invoice: Body, amount: int, number: str) -> Body:
    return {
        "id": id,
        "object": "credit_note",
        **nulls(
            "customer_account customer_balance_transaction effective_at memo out_of_band_amount reason shipping_cost voided_at"
        ),
        "amount": amount,
        "amount_shipping": 0,
        "created": created,
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "discount_amount": 0,
        "discount_amounts": [],
        "invoice": invoice["id"],
        "lines": listing([], f"/v1/credit_notes/{id}/lines"),
        "livemode": False,
        "metadata": {},
        "number": number,
        "pdf": f"https://pay.stripe.com/credit_notes/acct_sandbox/{id}/pdf",
        "post_payment_amount": 0,
        "pre_payment_amount": 0,
        "pretax_credit_amounts": [],
        "refunds": [],
        "status": "issued",
        "subtotal": amount,
        "subtotal_excluding_tax": amount,
        "total": amount,
        "total_excluding_tax": amount,
        "total_taxes": [],
        "type": "pre_payment",
    }


def credit_note_line(id: str, *, amount: int, description: str, type: str, invoice_line: str, quantity: int) -> Body:
    line: Body = {
        "id": id,
        "object": "credit_note_line_item",
        "amount": amount,
        "description": description,
        "discount_amount": 0,
        "discount_amounts": [],
        "livemode": False,
        "metadata": {},
        "pretax_credit_amounts": [],
        "quantity": quantity,
        "tax_rates": [],
        "taxes": [],
        "type": type,
        "unit_amount": None,
        "unit_amount_decimal": None,
    }
    return {**line, "invoice_line_item": invoice_line} if invoice_line else line
