"""What Stripe adds by itself when a subscription changes within a period and nobody said `proration_behavior: none`."""

from __future__ import annotations

from decimal import Decimal

from adapters.sandbox.stripe import shapes
from adapters.sandbox.stripe.account import Account, Body
from adapters.sandbox.stripe.drafting import item_amount, rounded
from adapters.sandbox.stripe.periods import when


def change(account: Account, subscription: Body, old: list[Body], new: list[Body]) -> None:
    """Pending items: the unused rest of what was, and the rest of what is now."""
    was = {item["id"]: item for item in old}
    now = {item["id"]: item for item in new}
    for id, item in was.items():
        if id not in now or item_amount(item) != item_amount(now[id]):
            _pend(account, subscription, item, -1, "Unused time on")
    for id, item in now.items():
        if id not in was or item_amount(item) != item_amount(was[id]):
            _pend(account, subscription, item, 1, "Remaining time on")


def cancel(account: Account, subscription: Body, items: list[Body]) -> None:
    for item in items:
        _pend(account, subscription, item, -1, "Unused time on")


def _pend(account: Account, subscription: Body, item: Body, sign: int, words: str) -> None:
    start, end = item["current_period_start"], item["current_period_end"]
    rest = Decimal(end - account.now) / Decimal(end - start)
    product = account.get("product", item["price"]["product"])
    pending = shapes.invoice_item(
        account.id("ii_"),
        account.now,
        customer=subscription["customer"],
        currency=subscription["currency"],
        amount=sign * rounded(item_amount(item) * rest),
        quantity=item["quantity"],
        subscription=subscription["id"],
    )
    pending.update(
        description=f"{words} {item['quantity']} × {product['name']} after {when(account.now):%d %b %Y}",
        discountable=False,
        proration=True,
        period={"end": end, "start": account.now},
        pricing=shapes.pricing(item["price"]["id"], product["id"], item["price"]["unit_amount_decimal"]),
    )
    account.add(pending, "invoiceitem.created")
