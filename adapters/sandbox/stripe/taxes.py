"""Stripe's own tax. A subscription or an invoice has none, unless a person (or a request) switched it on."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from adapters.sandbox.stripe.account import Account, Body

HOW = ("automatic", "items")


def switch_on(account: Account, subscription: Body, percent: Decimal, how: str) -> None:
    """`how`: automatic tax of the whole subscription, or a tax rate on each of its items. Drafts that are there stay."""
    if how not in HOW:
        raise ValueError(f"unknown way {how!r}; known: {', '.join(HOW)}")
    if how == "automatic":
        account.tax_percent = percent
        subscription["automatic_tax"] = {**subscription["automatic_tax"], "enabled": True}
    else:
        account.item_taxes.update({item["id"]: percent for item in subscription["items"]["data"]})
    account.save(subscription, "customer.subscription.updated")


def inherit(invoice: Body, subscription: Body) -> None:
    """What the subscription says when its draft is made."""
    invoice["automatic_tax"] = {**invoice["automatic_tax"], "enabled": subscription["automatic_tax"]["enabled"]}


def total(account: Account, invoice: Body, lines: list[Body]) -> int:
    """The draft's tax, also noted on its lines."""
    for line in lines:
        percent = account.tax_percent if invoice["automatic_tax"]["enabled"] else _of_item(account, line)
        amount = int((line["amount"] * percent / 100).quantize(Decimal(1), ROUND_HALF_UP))
        line["taxes"] = [_tax(amount, line["amount"])] if amount else []
    added: int = sum(tax["amount"] for line in lines for tax in line["taxes"])
    invoice["total_taxes"] = [_tax(added, sum(line["amount"] for line in lines if line["taxes"]))] if added else []
    return added


def _of_item(account: Account, line: Body) -> Decimal:
    details = line["parent"]["subscription_item_details"]
    return account.item_taxes.get(details["subscription_item"], Decimal(0)) if details else Decimal(0)


def _tax(amount: int, of: int) -> Body:
    return {
        "amount": amount,
        "tax_behavior": "exclusive",
        "tax_rate_details": {"tax_rate": "txr_1sandboxSalesTax"},
        "taxability_reason": "standard_rated",
        "taxable_amount": of,
        "type": "tax_rate_details",
    }
