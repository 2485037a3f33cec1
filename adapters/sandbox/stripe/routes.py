"""Which requests there are, what each accepts, and who answers it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapters.sandbox.stripe import (
    accepts,
    catalog,
    credit_notes,
    customers,
    invoiceitems,
    invoices,
    lists,
    overview,
    reversals,
    sessions,
    subscriptions,
)
from adapters.sandbox.stripe.accepts import FLAG, MOMENTS, TEXT
from adapters.sandbox.stripe.account import Account, Body
from adapters.sandbox.stripe.params import Hash, Many, OneOf, Text, filters, params

Handler = Callable[..., Body]


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
    changed_product = params(**accepts.PRODUCT)
    return [
        _route("GET", "/v1/customers/{id}", params(), _alone(customers.retrieve)),
        _route("POST", "/v1/customers", params(**accepts.CUSTOMER), customers.create),
        _route("POST", "/v1/customers/{id}", params(**accepts.CUSTOMER), _by_id(customers.update)),
        _route("GET", "/v1/customers", filters(**LISTED, email=Text(512)), lists.customers),
        _route("DELETE", "/v1/customers/{id}", Hash(), _alone(customers.delete)),
        *_resource(
            "/v1/products",
            "product",
            (params("name", **accepts.PRODUCT, id=TEXT), catalog.create_product),
            (changed_product, catalog.update_product),
        ),
        _route("GET", "/v1/products", filters(**LISTED, ids=Many(TEXT)), lists.products),
        *_resource("/v1/prices", "price", None, None),
        _route("GET", "/v1/prices", filters(**LISTED, product=TEXT), lists.plain("price", "/v1/prices", "product")),
        *_resource(
            "/v1/subscriptions",
            "subscription",
            (accepts.NEW_SUBSCRIPTION, subscriptions.create),
            (accepts.CHANGED_SUBSCRIPTION, subscriptions.update),
        ),
        _route(
            "DELETE",
            "/v1/subscriptions/{id}",
            params(cancellation_details=accepts.DETAILS, invoice_now=FLAG, prorate=FLAG),
            _by_id(subscriptions.cancel),
        ),
        _route(
            "GET",
            "/v1/subscriptions",
            filters(**LISTED, collection_method=accepts.COLLECTION, customer=TEXT, status=OneOf(*STATUSES)),
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
    return [
        *_resource(
            "/v1/invoices",
            "invoice",
            (accepts.NEW_INVOICE, invoices.create),
            (params(**accepts.INVOICE), invoices.update),
        ),
        _route(
            "GET",
            "/v1/invoices",
            filters(
                **LISTED,
                collection_method=accepts.COLLECTION,
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
        _route("POST", "/v1/invoices/{id}/pay", accepts.PAY, _by_id(invoices.pay)),
        _route("GET", "/v1/invoices/{id}/lines", filters(), lists.lines),
        *_resource(
            "/v1/invoiceitems",
            "invoiceitem",
            (accepts.NEW_INVOICE_ITEM, invoiceitems.create),
            (params(**accepts.INVOICE_ITEM), invoiceitems.update),
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
        *_resource("/v1/credit_notes", "credit_note", (accepts.NEW_CREDIT_NOTE, credit_notes.create), None),
        _route(
            "GET",
            "/v1/credit_notes",
            filters(**LISTED, customer=TEXT, invoice=TEXT),
            lists.plain("credit_note", "/v1/credit_notes", "customer", "invoice"),
        ),
    ]  # fmt: skip


def _methods() -> list[Route]:
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
        *_resource("/v1/checkout/sessions", "checkout.session", (accepts.NEW_SESSION, sessions.create_session), None),
        _route(
            "GET",
            "/v1/checkout/sessions",
            filters(**LISTED, customer=TEXT, status=OneOf("complete", "expired", "open")),
            lists.checkout_sessions,
        ),
        _route("POST", "/v1/checkout/sessions/{id}/expire", params(), _alone(sessions.expire_now)),
        _route("POST", "/v1/billing_portal/sessions", accepts.NEW_PORTAL_SESSION, sessions.create_portal_session),
    ]


def _money() -> list[Route]:
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
        *_resource(
            "/v1/refunds",
            "refund",
            (accepts.NEW_REFUND, reversals.create_refund),
            (params(metadata=accepts.METADATA), reversals.update_refund),
        ),
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
            filters(**LISTED, arrival_date=MOMENTS, status=TEXT),
            lists.payouts,
        ),
        _route("GET", "/v1/balance", params(), lambda account, _: overview.balance(account)),
        _route("GET", "/v1/account", params(), lambda account, _: overview.account(account)),
        _route(
            "GET",
            "/v1/events",
            filters(**LISTED, delivery_success=FLAG, type=TEXT, types=Many(TEXT, 1000)),
            lists.events,
        ),
        _route("GET", "/v1/events/{id}", params(), _alone(lists.event)),
    ]


ROUTES: tuple[Route, ...] = (*_billing(), *_invoicing(), *_methods(), *_money())
