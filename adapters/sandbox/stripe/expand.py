"""Expanded fields: ids replaced by the objects that they name."""

from __future__ import annotations

from typing import Any

from adapters.sandbox.stripe import shapes
from adapters.sandbox.stripe.account import Account, Body
from adapters.sandbox.stripe.errors import StripeError

MAX_DEPTH = 4
INCLUDABLE: dict[tuple[str, str], tuple[str, str]] = {
    ("invoice", "payments"): ("invoice_payment", "invoice"),
    ("charge", "refunds"): ("refund", "charge"),
    ("customer", "subscriptions"): ("subscription", "customer"),
}


def expanded(account: Account, body: Body, paths: list[str]) -> Body:
    """The body with ids replaced by objects; the stored one stays as it is."""
    for path in paths:
        parts = path.split(".")
        if len(parts) > MAX_DEPTH:
            raise StripeError(f"You cannot expand more than {MAX_DEPTH} levels of a property. Property: {path}", param="expand")
        body = _expand(account, body, parts, path)
    return body


def _expand(account: Account, value: Any, parts: list[str], path: str) -> Any:
    if not parts:
        return value
    if isinstance(value, list):
        return [_expand(account, item, parts, path) for item in value]
    if not isinstance(value, dict):
        return value
    name, rest = parts[0], parts[1:]
    kind = INCLUDABLE.get((value.get("object", ""), name))
    if name not in value and kind is None:
        raise StripeError(f"This property cannot be expanded ({path}).", param="expand")
    inner = _included(account, value, *kind) if kind and name not in value else value[name]
    if isinstance(inner, str):
        inner = _object(account, inner, path)
    return {**value, name: _expand(account, inner, rest, path)}


def _included(account: Account, owner: Body, kind: str, field: str) -> Body:
    found = account.table(kind).where(**{field: owner["id"]})
    if kind == "subscription":
        found = [body for body in found if body["ended_at"] is None]
    return shapes.listing(reversed(found), f"/v1/{kind}s?{field}={owner['id']}")


def _object(account: Account, id: str, path: str) -> Body:
    """Kinds are told by their id's prefix; products have ids of the caller's choice."""
    kind = PREFIXES.get(id.partition("_")[0])
    found = account.find(kind, id) if kind else None
    found = found or account.find("product", id)
    if found is None:
        raise StripeError(f"This property cannot be expanded ({path}).", param="expand")
    return found


PREFIXES = {
    "ch": "charge",
    "cs": "checkout.session",
    "cus": "customer",
    "du": "dispute",
    "in": "invoice",
    "ii": "invoiceitem",
    "inpay": "invoice_payment",
    "mandate": "mandate",
    "pi": "payment_intent",
    "pm": "payment_method",
    "po": "payout",
    "price": "price",
    "py": "charge",
    "re": "refund",
    "seti": "setup_intent",
    "sub": "subscription",
    "txn": "balance_transaction",
}
