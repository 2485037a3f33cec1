"""The parameters of every operation that changes something."""

from __future__ import annotations

from adapters.sandbox.stripe.params import (
    Flag,
    Fraction,
    Hash,
    Kind,
    Many,
    Metadata,
    Moments,
    OneOf,
    Text,
    Unset,
    Whole,
    params,
)
from adapters.sandbox.stripe.terms import MAX_ITEMS

TEXT, NUMBER, FLAG, METADATA, MOMENTS = Text(), Whole(), Flag(), Metadata(), Moments()
CLEARABLE, MOMENT = Unset(Text()), Whole(0)
COLLECTION = OneOf("charge_automatically", "send_invoice")
METHODS = Many(OneOf("card", "us_bank_account"))
PAYMENT_SETTINGS = Hash({"payment_method_types": Unset(METHODS)})
INTERVAL = Hash({"interval": OneOf("day", "week", "month", "year"), "interval_count": Whole(1, 36)}, ("interval",))
TAX = OneOf("exclusive", "inclusive", "unspecified")
PRICE: dict[str, Kind] = {
    "currency": Text(3),
    "product": TEXT,
    "tax_behavior": TAX,
    "unit_amount": NUMBER,
    "unit_amount_decimal": Fraction(),
}
RECURRING_PRICE = Hash({**PRICE, "recurring": INTERVAL}, ("currency", "product", "recurring"))
ONE_PRICE = Hash(PRICE, ("currency", "product"))
NEW_ITEM = Hash({"metadata": METADATA, "price": TEXT, "price_data": RECURRING_PRICE, "quantity": Whole(0)})
CHANGED_ITEM = Hash({**NEW_ITEM.fields, "id": TEXT, "deleted": FLAG})
DETAILS = Hash(
    {
        "comment": CLEARABLE,
        "feedback": Unset(
            OneOf(
                "customer_service", "low_quality", "missing_features", "other", "switched_service", "too_complex",
                "too_expensive", "unused",
            )
        ),
    }
)  # fmt: skip
ADDRESS = Hash(dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"), CLEARABLE))
CUSTOMER: dict[str, Kind] = {
    "address": Unset(ADDRESS),
    "balance": NUMBER,
    "description": CLEARABLE,
    "email": Unset(Text(512)),
    "invoice_settings": Hash({"default_payment_method": CLEARABLE}),
    "metadata": METADATA,
    "name": Unset(Text(256)),
    "phone": CLEARABLE,
    "preferred_locales": Many(TEXT),
    "tax_exempt": OneOf("exempt", "none", "reverse"),
}
PRODUCT: dict[str, Kind] = {
    "active": FLAG,
    "description": CLEARABLE,
    "metadata": METADATA,
    "name": TEXT,
    "statement_descriptor": TEXT,
    "tax_code": CLEARABLE,
    "unit_label": CLEARABLE,
    "url": CLEARABLE,
}
AUTOMATIC_TAX = Hash({"enabled": FLAG}, ("enabled",))
SUBSCRIPTION: dict[str, Kind] = {
    "automatic_tax": AUTOMATIC_TAX,
    "cancel_at_period_end": FLAG,
    "collection_method": COLLECTION,
    "days_until_due": Whole(0, 3650),
    "description": CLEARABLE,
    "metadata": METADATA,
    "off_session": FLAG,
    "payment_behavior": OneOf("allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete"),
    "payment_settings": PAYMENT_SETTINGS,
    "proration_behavior": OneOf("always_invoice", "create_prorations", "none"),
}
NEW_SUBSCRIPTION = params(
    "customer",
    "items",
    **SUBSCRIPTION,
    billing_cycle_anchor=MOMENT,
    billing_cycle_anchor_config=Hash(
        {
            "day_of_month": Whole(1, 31),
            "hour": Whole(0, 23),
            "minute": Whole(0, 59),
            "month": Whole(1, 12),
            "second": Whole(0, 59),
        },
        ("day_of_month",),
    ),
    billing_mode=Hash(
        {
            "flexible": Hash({"proration_discounts": OneOf("included", "itemized")}),
            "type": OneOf("classic", "flexible"),
        },
        ("type",),
    ),
    cancel_at=MOMENT,
    currency=Text(3),
    customer=TEXT,
    default_payment_method=TEXT,
    items=Many(NEW_ITEM, MAX_ITEMS),
)
CHANGED_SUBSCRIPTION = params(
    **SUBSCRIPTION,
    cancel_at=Unset(MOMENT),
    cancellation_details=DETAILS,
    default_payment_method=CLEARABLE,
    items=Many(CHANGED_ITEM, 2 * MAX_ITEMS),
    pause_collection=Unset(
        Hash({"behavior": OneOf("keep_as_draft", "mark_uncollectible", "void"), "resumes_at": MOMENT}, ("behavior",))
    ),
)
INVOICE: dict[str, Kind] = {
    "automatic_tax": AUTOMATIC_TAX,
    "auto_advance": FLAG,
    "collection_method": COLLECTION,
    "days_until_due": Whole(0, 3650),
    "default_payment_method": CLEARABLE,
    "description": CLEARABLE,
    "due_date": MOMENT,
    "footer": CLEARABLE,
    "metadata": METADATA,
    "number": Text(26),
    "payment_settings": PAYMENT_SETTINGS,
}
PERIOD = Hash({"end": MOMENT, "start": MOMENT}, ("end", "start"))
INVOICE_ITEM: dict[str, Kind] = {
    "amount": NUMBER,
    "description": CLEARABLE,
    "discountable": FLAG,
    "metadata": METADATA,
    "period": PERIOD,
    "price_data": ONE_PRICE,
    "pricing": Hash({"price": TEXT}, ("price",)),
    "quantity": Whole(0),
    "unit_amount_decimal": Fraction(),
}
CREDIT_LINE = Hash(
    {
        "amount": Whole(0),
        "description": TEXT,
        "invoice_line_item": TEXT,
        "metadata": METADATA,
        "quantity": Whole(0),
        "type": OneOf("custom_line_item", "invoice_line_item"),
        "unit_amount": NUMBER,
    },
    ("type",),
)
AFTER = Hash(
    {
        "redirect": Hash({"return_url": TEXT}, ("return_url",)),
        "type": OneOf("hosted_confirmation", "portal_homepage", "redirect"),
    },
    ("type",),
)
NEW_INVOICE = params(
    **INVOICE,
    currency=Text(3),
    customer=TEXT,
    pending_invoice_items_behavior=OneOf("exclude", "include"),
    subscription=TEXT,
)
NEW_INVOICE_ITEM = params(**INVOICE_ITEM, currency=Text(3), customer=TEXT, invoice=TEXT, subscription=TEXT)
PAY = params(off_session=FLAG, paid_out_of_band=FLAG, payment_method=TEXT)
NEW_SESSION = params(
    "mode",
    cancel_url=TEXT,
    client_reference_id=Text(200),
    currency=Text(3),
    customer=TEXT,
    expires_at=MOMENT,
    metadata=METADATA,
    mode=OneOf("payment", "setup", "subscription"),
    payment_method_types=METHODS,
    setup_intent_data=Hash({"description": TEXT, "metadata": METADATA}),
    success_url=TEXT,
    ui_mode=OneOf("elements", "embedded_page", "hosted_page"),
)
NEW_PORTAL_SESSION = params(
    "customer",
    customer=TEXT,
    flow_data=Hash({"after_completion": AFTER, "type": OneOf("payment_method_update")}, ("type",)),
    return_url=TEXT,
)
NEW_REFUND = params(
    amount=Whole(1),
    charge=TEXT,
    metadata=METADATA,
    payment_intent=TEXT,
    reason=OneOf("duplicate", "fraudulent", "requested_by_customer"),
)
NEW_CREDIT_NOTE = params(
    "invoice",
    amount=Whole(0),
    credit_amount=Whole(0),
    email_type=OneOf("credit_note", "none"),
    invoice=TEXT,
    lines=Many(CREDIT_LINE),
    memo=TEXT,
    metadata=METADATA,
    out_of_band_amount=Whole(0),
    reason=OneOf("duplicate", "fraudulent", "order_change", "product_unsatisfactory"),
    refund_amount=Whole(0),
)
