"""Invoices while they are drafts: their lines and totals."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from adapters.sandbox.stripe import shapes, taxes
from adapters.sandbox.stripe.account import Account, Body
from adapters.sandbox.stripe.periods import DAY_S

GRACE_S = 3_600  # a draft that advances by itself is finalized an hour after it was made
MINIMUM_CHARGE = 50  # US cents; less is not charged but carried on the customer's balance


def rounded(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))


def item_amount(item: Body) -> int:
    return rounded(Decimal(item["price"]["unit_amount_decimal"]) * item["quantity"])


def start(account: Account, customer: Body, *, currency: str, reason: str, subscription: Body | None, auto_advance: bool) -> Body:
    """An empty draft; `finish` makes it known once it has its lines."""
    parent = shapes.subscription_parent(subscription) if subscription else None
    invoice = shapes.invoice(account.id("in_"), account.now, customer=customer, currency=currency, reason=reason, parent=parent)
    if subscription:
        invoice["collection_method"] = subscription["collection_method"]
        invoice["payment_settings"]["payment_method_types"] = subscription["payment_settings"]["payment_method_types"]
        invoice["default_payment_method"] = None
        set_due(invoice, subscription["days_until_due"], account.now)
        taxes.inherit(invoice, subscription)
    account.lines[invoice["id"]] = []
    if customer["currency"] is None:
        customer["currency"] = currency
    set_advance(account, invoice, auto_advance)
    return invoice


def finish(account: Account, invoice: Body, *, silent: bool = False) -> Body:
    total(account, invoice)
    return account.add(invoice, "" if silent else "invoice.created")


def set_due(invoice: Body, days_until_due: int | None, now: int) -> None:
    if invoice["collection_method"] == "send_invoice" and days_until_due is not None:
        invoice["due_date"] = now + days_until_due * DAY_S


def set_advance(account: Account, invoice: Body, auto_advance: bool) -> None:
    """Whether the draft is finalized by itself, and when."""
    invoice["auto_advance"] = auto_advance
    at = max(invoice["created"] + GRACE_S, account.now) if auto_advance else None
    invoice["automatically_finalizes_at"] = at
    invoice["next_payment_attempt"] = at if invoice["collection_method"] == "charge_automatically" else None
    if at is not None:
        account.schedule(at, "finalize", invoice["id"])


def add_item_line(account: Account, invoice: Body, item: Body, *, share: Decimal = Decimal(1)) -> None:
    """The period of one subscription item; `share` is the part of it that is billed."""
    amount = rounded(Decimal(item_amount(item)) * share)
    period = {"end": item["current_period_end"], "start": item["current_period_start"]}
    product = account.get("product", item["price"]["product"])
    recurring = item["price"]["recurring"]
    each = Decimal(item["price"]["unit_amount_decimal"]) / 100
    text = f"{item['quantity']} × {product['name']} (at ${each:.2f} / {recurring['interval']})"
    line = shapes.line(
        account.id("il_"), invoice=invoice, amount=amount, description=text, period=period, quantity=item["quantity"]
    )
    line["metadata"] = {**_subscription_metadata(invoice), **item["metadata"]}
    line["parent"] = shapes.from_subscription_item(item)
    line["pricing"] = shapes.pricing(item["price"]["id"], product["id"], item["price"]["unit_amount_decimal"])
    line["subscription"] = item["subscription"]
    account.lines[invoice["id"]].append(line)


def _subscription_metadata(invoice: Body) -> dict[str, str]:
    return dict(invoice["parent"]["subscription_details"]["metadata"]) if invoice["parent"] else {}


def add_invoice_item(account: Account, invoice: Body, item: Body) -> None:
    item["invoice"] = invoice["id"]
    line = shapes.line(account.id("il_"), invoice=invoice, amount=0, description=None, period=item["period"], quantity=1)
    account.lines[invoice["id"]].append(line)
    copy_item(line, item)


def copy_item(line: Body, item: Body) -> None:
    line.update(
        {name: item[name] for name in ("amount", "description", "discountable", "quantity", "quantity_decimal", "pricing")},
        subtotal=item["amount"],
        metadata=dict(item["metadata"]),
        period=dict(item["period"]),
        parent=shapes.from_invoice_item(item),
    )


def line_of(account: Account, item: Body) -> Body:
    """The line that an invoice item became."""
    for line in account.lines[item["invoice"]]:
        details = line["parent"]["invoice_item_details"]
        if details and details["invoice_item"] == item["id"]:
            return line
    raise KeyError(item["id"])


def take_pending(account: Account, invoice: Body, *, of: tuple[str | None, ...]) -> None:
    """Pending items of the customer come first, the latest of them on top. `of`: their subscriptions, None for none."""
    pending = account.table("invoiceitem").where(customer=invoice["customer"], invoice=None)
    for item in reversed(pending):
        named = item["parent"]["subscription_details"]["subscription"] if item["parent"] else None
        if named in of and item["currency"] == invoice["currency"]:
            add_invoice_item(account, invoice, item)
            account.save(item)


def total(account: Account, invoice: Body) -> None:
    """Sums of a draft, with the customer's balance as it would be applied now."""
    lines = account.lines[invoice["id"]]
    invoice["lines"] = shapes.listing(lines, f"/v1/invoices/{invoice['id']}/lines")
    amount = sum(line["amount"] for line in lines)
    invoice.update(dict.fromkeys(("subtotal", "subtotal_excluding_tax", "total_excluding_tax"), amount))
    invoice["total"] = amount + taxes.total(account, invoice, lines)
    customer = account.get("customer", invoice["customer"])
    due, _ = settle(invoice["total"], customer["balance"])
    invoice.update(amount_due=due, amount_remaining=due, starting_balance=customer["balance"])


def settle(amount: int, balance: int) -> tuple[int, int]:
    """What is charged, and the customer's balance after it. A negative balance is the customer's credit."""
    due = amount + balance
    if due < 0:
        return 0, due
    if due < MINIMUM_CHARGE:
        return 0, due  # too little to charge: owed with the next invoice
    return due, 0


def refresh_drafts(account: Account, customer: str) -> None:
    for invoice in account.table("invoice").where(customer=customer, status="draft"):
        total(account, invoice)


def end_of_draft(invoice: Body, now: int, number: str) -> None:
    invoice.update(
        status="open",
        number=number,
        effective_at=now,
        automatically_finalizes_at=None,
        hosted_invoice_url=shapes.HOSTED + invoice["id"],
        invoice_pdf=f"{shapes.HOSTED}{invoice['id']}/pdf",
    )
    invoice["status_transitions"] = {**invoice["status_transitions"], "finalized_at": now}
