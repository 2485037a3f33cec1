"""Which requests there are, what each accepts, and who answers it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapters.sandbox.stripe import balance, catalog, customers, invoiceitems, invoices, lists, reversals, subscriptions
from adapters.sandbox.stripe.account import Account, Body
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
    filters,
    params,
)

Handler = Callable[..., Body]
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
SUBSCRIPTION: dict[str, Kind] = {
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
    items=Many(NEW_ITEM, subscriptions.MAX_ITEMS),
)
CHANGED_SUBSCRIPTION = params(
    **SUBSCRIPTION,
    cancel_at=Unset(MOMENT),
    cancellation_details=DETAILS,
    default_payment_method=CLEARABLE,
    items=Many(CHANGED_ITEM, 2 * subscriptions.MAX_ITEMS),
    pause_collection=Unset(
        Hash({"behavior": OneOf("keep_as_draft", "mark_uncollectible", "void"), "resumes_at": MOMENT}, ("behavior",))
    ),
)
INVOICE: dict[str, Kind] = {
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


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    params: Hash
    handler: Handler
    pattern: re.Pattern[str]


def _route(method: str, path: str, accepts: Hash, handler: Handler) -> Route:
    """`{id}` in a path is passed by name; a handler with no use for parameters is wrapped."""
    return Route(method, path, accepts, handler, re.compile("^" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + "$"))


def retrieve(kind: str) -> Handler:
    def handler(account: Account, p: dict[str, Any], id: str) -> Body:  # noqa: ARG001 - every handler is called alike
        return account.need(kind, id)

    return handler


def _alone(function: Callable[[Account, str], Body]) -> Handler:
    return lambda account, _, id: function(account, id)


def _by_id(function: Callable[[Account, str, dict[str, Any]], Body]) -> Handler:
    return lambda account, p, id: function(account, id, p)


def _resource(path: str, kind: str, create: tuple[Hash, Handler] | None, update: tuple[Hash, Any] | None) -> list[Route]:
    routes = [_route("GET", f"{path}/{{id}}", params(), retrieve(kind))]
    if create:
        routes.append(_route("POST", path, *create))
    if update:
        routes.append(_route("POST", f"{path}/{{id}}", update[0], _by_id(update[1])))
    return routes


LISTED = {"created": MOMENTS}
STATUSES = (
    "active", "all", "canceled", "ended", "incomplete", "incomplete_expired", "past_due", "paused", "trialing", "unpaid",
)  # fmt: skip


def _billing() -> list[Route]:
    changed_product = params(**PRODUCT)
    return [
        _route("GET", "/v1/customers/{id}", params(), _alone(customers.retrieve)),
        _route("POST", "/v1/customers", params(**CUSTOMER), customers.create),
        _route("POST", "/v1/customers/{id}", params(**CUSTOMER), _by_id(customers.update)),
        _route("GET", "/v1/customers", filters(**LISTED, email=Text(512)), lists.customers),
        _route("DELETE", "/v1/customers/{id}", Hash(), _alone(customers.delete)),
        *_resource(
            "/v1/products",
            "product",
            (params("name", **PRODUCT, id=TEXT), catalog.create_product),
            (changed_product, catalog.update_product),
        ),
        _route("GET", "/v1/products", filters(**LISTED, ids=Many(TEXT)), lists.products),
        *_resource("/v1/prices", "price", None, None),
        _route("GET", "/v1/prices", filters(**LISTED, product=TEXT), lists.plain("price", "/v1/prices", "product")),
        *_resource(
            "/v1/subscriptions",
            "subscription",
            (NEW_SUBSCRIPTION, subscriptions.create),
            (CHANGED_SUBSCRIPTION, subscriptions.update),
        ),
        _route(
            "DELETE",
            "/v1/subscriptions/{id}",
            params(cancellation_details=DETAILS, invoice_now=FLAG, prorate=FLAG),
            _by_id(subscriptions.cancel),
        ),
        _route(
            "GET",
            "/v1/subscriptions",
            filters(**LISTED, collection_method=COLLECTION, customer=TEXT, status=OneOf(*STATUSES)),
            lists.subscriptions,
        ),
        _route(
            "GET",
            "/v1/subscription_items",
            Hash({**filters(subscription=TEXT).fields}, ("subscription",)),
            lists.plain("subscription_item", "/v1/subscription_items", "subscription"),
        ),
        *_resource("/v1/subscription_items", "subscription_item", None, None),
    ]


def _invoicing() -> list[Route]:
    new_invoice = params(
        **INVOICE,
        currency=Text(3),
        customer=TEXT,
        pending_invoice_items_behavior=OneOf("exclude", "include"),
        subscription=TEXT,
    )
    new_item = params(**INVOICE_ITEM, currency=Text(3), customer=TEXT, invoice=TEXT, subscription=TEXT)
    pay = params(off_session=FLAG, paid_out_of_band=FLAG, payment_method=TEXT)
    return [
        *_resource("/v1/invoices", "invoice", (new_invoice, invoices.create), (params(**INVOICE), invoices.update)),
        _route(
            "GET",
            "/v1/invoices",
            filters(
                **LISTED,
                collection_method=COLLECTION,
                customer=TEXT,
                due_date=MOMENTS,
                status=OneOf("draft", "open", "paid", "uncollectible", "void"),
                subscription=TEXT,
            ),
            lists.invoices,
        ),
        _route("DELETE", "/v1/invoices/{id}", Hash(), _alone(invoices.delete)),
        _route("POST", "/v1/invoices/{id}/finalize", params(auto_advance=FLAG), _by_id(invoices.finalize)),
        _route("POST", "/v1/invoices/{id}/void", params(), _alone(invoices.void)),
        _route("POST", "/v1/invoices/{id}/mark_uncollectible", params(), _alone(invoices.mark_uncollectible)),
        _route("POST", "/v1/invoices/{id}/pay", pay, _by_id(invoices.pay)),
        _route("GET", "/v1/invoices/{id}/lines", filters(), lists.lines),
        *_resource(
            "/v1/invoiceitems",
            "invoiceitem",
            (new_item, invoiceitems.create),
            (params(**INVOICE_ITEM), invoiceitems.update),
        ),
        _route("DELETE", "/v1/invoiceitems/{id}", Hash(), _alone(invoiceitems.delete)),
        _route("GET", "/v1/invoiceitems", filters(**LISTED, customer=TEXT, invoice=TEXT, pending=FLAG), lists.invoice_items),
        _route(
            "GET",
            "/v1/invoice_payments",
            filters(
                **LISTED,
                invoice=TEXT,
                payment=Hash({"payment_intent": TEXT, "type": OneOf("payment_intent", "payment_record")}, ("type",)),
                status=OneOf("canceled", "open", "paid"),
            ),
            lists.invoice_payments,
        ),
        *_resource("/v1/invoice_payments", "invoice_payment", None, None),
        *_resource("/v1/credit_notes", "credit_note", (_new_credit_note(), reversals.create_credit_note), None),
        _route(
            "GET",
            "/v1/credit_notes",
            filters(**LISTED, customer=TEXT, invoice=TEXT),
            lists.plain("credit_note", "/v1/credit_notes", "customer", "invoice"),
        ),
    ]  # fmt: skip


def _new_credit_note() -> Hash:
    return params(
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


def _methods() -> list[Route]:
    session = params(
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
    portal = params(
        "customer",
        customer=TEXT,
        flow_data=Hash({"after_completion": AFTER, "type": OneOf("payment_method_update")}, ("type",)),
        return_url=TEXT,
    )
    type = OneOf("card", "us_bank_account")
    return [
        *_resource("/v1/payment_methods", "payment_method", None, None),
        _route("GET", "/v1/payment_methods", filters(customer=TEXT, type=type), lists.payment_methods),
        _route("POST", "/v1/payment_methods/{id}/attach", params("customer", customer=TEXT), _by_id(customers.attach)),
        _route("POST", "/v1/payment_methods/{id}/detach", params(), _alone(customers.detach)),
        _route("GET", "/v1/customers/{customer}/payment_methods", filters(type=type), lists.payment_methods),
        *_resource("/v1/setup_intents", "setup_intent", None, None),
        _route(
            "GET",
            "/v1/setup_intents",
            filters(**LISTED, customer=TEXT, payment_method=TEXT),
            lists.plain("setup_intent", "/v1/setup_intents", "customer", "payment_method"),
        ),
        *_resource("/v1/mandates", "mandate", None, None),
        *_resource("/v1/checkout/sessions", "checkout.session", (session, customers.create_session), None),
        _route(
            "GET",
            "/v1/checkout/sessions",
            filters(**LISTED, customer=TEXT, status=OneOf("complete", "expired", "open")),
            lists.checkout_sessions,
        ),
        _route("POST", "/v1/checkout/sessions/{id}/expire", params(), _alone(customers.expire_now)),
        _route("POST", "/v1/billing_portal/sessions", portal, customers.create_portal_session),
    ]


def _money() -> list[Route]:
    refund = params(
        amount=Whole(1),
        charge=TEXT,
        metadata=METADATA,
        payment_intent=TEXT,
        reason=OneOf("duplicate", "fraudulent", "requested_by_customer"),
    )
    paid = {"charge": TEXT, "payment_intent": TEXT}
    return [
        *_resource("/v1/payment_intents", "payment_intent", None, None),
        _route(
            "GET",
            "/v1/payment_intents",
            filters(**LISTED, customer=TEXT),
            lists.plain("payment_intent", "/v1/payment_intents", "customer"),
        ),
        *_resource("/v1/charges", "charge", None, None),
        _route(
            "GET",
            "/v1/charges",
            filters(**LISTED, customer=TEXT, payment_intent=TEXT),
            lists.plain("charge", "/v1/charges", "customer", "payment_intent"),
        ),
        *_resource("/v1/refunds", "refund", (refund, reversals.create_refund), None),
        _route("GET", "/v1/refunds", filters(**LISTED, **paid), lists.plain("refund", "/v1/refunds", *paid)),
        *_resource("/v1/disputes", "dispute", None, None),
        _route("GET", "/v1/disputes", filters(**LISTED, **paid), lists.plain("dispute", "/v1/disputes", *paid)),
        *_resource("/v1/balance_transactions", "balance_transaction", None, None),
        _route(
            "GET",
            "/v1/balance_transactions",
            filters(**LISTED, currency=Text(3), payout=TEXT, source=TEXT, type=TEXT),
            lists.balance_transactions,
        ),
        *_resource("/v1/payouts", "payout", None, None),
        _route(
            "GET",
            "/v1/payouts",
            filters(**LISTED, status=TEXT),
            lists.plain("payout", "/v1/payouts", "status"),
        ),
        _route("GET", "/v1/balance", params(), lambda account, _: balance.overview(account)),
        _route("GET", "/v1/account", params(), lambda *_: {"id": "acct_1SandboxAccount000000", "object": "account"}),
        _route(
            "GET",
            "/v1/events",
            filters(**LISTED, delivery_success=FLAG, type=TEXT, types=Many(TEXT, 1000)),
            lists.events,
        ),
        _route("GET", "/v1/events/{id}", params(), _alone(lists.event)),
    ]


ROUTES: tuple[Route, ...] = (*_billing(), *_invoicing(), *_methods(), *_money())
