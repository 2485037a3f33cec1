"""Invoices through the API."""

from __future__ import annotations

from typing import Any

from adapters.sandbox.stripe import collection, customers, drafting, payments
from adapters.sandbox.stripe.account import Account, Body
from adapters.sandbox.stripe.errors import StripeError
from adapters.sandbox.stripe.params import merged

MONEY_FIELDS = ("collection_method", "days_until_due", "due_date", "default_payment_method", "description", "footer", "number")
DRAFT_ONLY = {
    "automatic_tax",
    "collection_method",
    "days_until_due",
    "due_date",
    "number",
    "automatically_finalizes_at",
    "payment_settings",
}


def create(account: Account, p: dict[str, Any]) -> Body:
    subscription = account.need("subscription", p["subscription"], "subscription") if "subscription" in p else None
    owner = p.get("customer") or (subscription and subscription["customer"])
    if not owner:
        raise StripeError("Missing required param: customer.", code="parameter_missing", param="customer")
    customer = account.need("customer", owner, "customer")
    if subscription and subscription["customer"] != customer["id"]:
        raise StripeError(f"Subscription {subscription['id']} is not of customer {customer['id']}.", param="subscription")
    currency = p.get("currency") or customer["currency"] or "usd"
    if customer["currency"] and currency.lower() != customer["currency"]:
        raise StripeError("You cannot combine currencies on a single customer.", param="currency")
    _check_fields(account, customer["id"], p)
    invoice = drafting.start(
        account, customer, currency=currency.lower(), reason="manual", subscription=subscription, auto_advance=False
    )
    invoice["collection_method"] = "charge_automatically"
    invoice["due_date"] = None
    _write(account, invoice, p)
    drafting.set_advance(account, invoice, p.get("auto_advance", False))
    if p.get("pending_invoice_items_behavior") == "include":
        drafting.take_pending(account, invoice, of=(subscription["id"] if subscription else None,))
    return drafting.finish(account, invoice)


def _check_fields(account: Account, customer: str, p: dict[str, Any]) -> None:
    if p.get("default_payment_method"):
        customers.attached_method(account, p["default_payment_method"], customer)
    by_invoice = p.get("collection_method") == "send_invoice"
    if by_invoice and "days_until_due" not in p and "due_date" not in p:
        raise StripeError("You must specify either `days_until_due` or `due_date` for `send_invoice`.", param="due_date")


def _write(account: Account, invoice: Body, p: dict[str, Any]) -> None:
    plain = ("collection_method", "default_payment_method", "description", "footer", "number", "due_date")
    invoice.update({name: p[name] for name in plain if name in p})
    if "payment_settings" in p:
        invoice["payment_settings"] = {**invoice["payment_settings"], **p["payment_settings"]}
    if "days_until_due" in p:
        drafting.set_due(invoice, p["days_until_due"], account.now)
    if invoice["collection_method"] == "charge_automatically":
        invoice["due_date"] = None
    if "automatic_tax" in p:
        invoice["automatic_tax"] = {**invoice["automatic_tax"], **p["automatic_tax"]}
    if "metadata" in p:
        invoice["metadata"] = merged(invoice["metadata"], p["metadata"])


def update(account: Account, id: str, p: dict[str, Any]) -> Body:
    """Drafts are fully editable; finalized ones take what does not change the money."""
    invoice = account.need("invoice", id)
    refused = sorted(set(p) & DRAFT_ONLY)
    if invoice["status"] != "draft" and refused:
        raise StripeError(f"Finalized invoices can't be updated in this way: {', '.join(refused)}.", param=refused[0])
    if p.get("default_payment_method"):
        customers.attached_method(account, p["default_payment_method"], invoice["customer"])
    before = {name: invoice[name] for name in p if name in invoice}
    _write(account, invoice, p)
    if "automatic_tax" in p:
        drafting.total(account, invoice)
    if "auto_advance" in p or "collection_method" in p:
        _advance(account, invoice, bool(p.get("auto_advance", invoice["auto_advance"])))
    return account.save(invoice, "invoice.updated", **before)


def _advance(account: Account, invoice: Body, auto_advance: bool) -> None:
    if invoice["status"] == "draft":
        drafting.set_advance(account, invoice, auto_advance)
    elif invoice["status"] == "open":
        was = invoice["auto_advance"]
        invoice["auto_advance"] = auto_advance
        if not auto_advance:
            invoice["next_payment_attempt"] = None
        elif not was and not payments.in_flight(account, invoice):
            collection.plan_attempt(account, invoice, account.now + collection.SOON_S)
    elif auto_advance:
        raise StripeError(f"An invoice that is {invoice['status']} cannot be advanced.", param="auto_advance")


def delete(account: Account, id: str) -> Body:
    invoice = account.need("invoice", id)
    if invoice["status"] != "draft":
        raise StripeError("You can only delete draft invoices.")
    if invoice["parent"]:
        raise StripeError("You can't delete invoices created by subscriptions. Invoices created by subscriptions must be voided.")
    for item in account.table("invoiceitem").where(invoice=id):
        account.table("invoiceitem").remove(item["id"])
    account.emit("invoice.deleted", invoice)
    account.table("invoice").remove(id)
    del account.lines[id]
    return {"id": id, "object": "invoice", "deleted": True}


def finalize(account: Account, id: str, p: dict[str, Any]) -> Body:
    invoice = account.need("invoice", id)
    if invoice["status"] != "draft":
        raise StripeError(
            "This invoice is already finalized, you can't re-finalize a non-draft invoice.", code="invoice_not_editable"
        )
    invoice["auto_advance"] = p.get("auto_advance", invoice["auto_advance"])
    return collection.finalize(account, invoice, attempt_in_s=collection.SOON_S)


def void(account: Account, id: str) -> Body:
    return collection.void(account, account.need("invoice", id))


def mark_uncollectible(account: Account, id: str) -> Body:
    return collection.mark_uncollectible(account, account.need("invoice", id))


def pay(account: Account, id: str, p: dict[str, Any]) -> Body:
    """Try now, outside the schedule; 402 when the card is declined."""
    invoice = account.need("invoice", id)
    if invoice["status"] == "draft":
        collection.finalize(account, invoice, attempt_in_s=collection.SOON_S)
    if invoice["status"] not in ("open", "uncollectible"):
        raise StripeError("Invoice is already paid" if invoice["status"] == "paid" else "This invoice can no longer be paid.")
    if p.get("paid_out_of_band"):
        return paid_elsewhere(account, invoice)
    if payments.in_flight(account, invoice):
        raise StripeError("This invoice has a payment that is still processing.")
    named = p.get("payment_method")
    method = customers.attached_method(account, named, invoice["customer"], "payment_method") if named else None
    if method is None and collection.method_for(account, invoice) is None:
        raise StripeError(
            "There is no `default_payment_method` set on this Customer or Invoice. Please set either value before attempting "
            "to pay this Invoice.",
            code="missing",
        )
    if collection.attempt(account, invoice, scheduled=False, method=method) == "failed":
        raise _declined(account, invoice)
    return invoice


def _declined(account: Account, invoice: Body) -> StripeError:
    intent = payments.intent_of(account, invoice)
    problem = (intent and intent["last_payment_error"]) or {}
    return StripeError(
        problem.get("message", "Your card was declined."),
        status=402,
        kind="card_error",
        code=problem.get("code", "card_declined"),
        more={"decline_code": problem.get("decline_code", ""), "payment_intent": intent},
    )


def paid_elsewhere(account: Account, invoice: Body) -> Body:
    if payments.in_flight(account, invoice):
        raise StripeError("This invoice has a payment that is still processing.")
    payments.cancel(account, invoice, "void_invoice")
    amount = invoice["amount_remaining"]
    invoice["amount_paid_off_stripe"] += amount
    invoice["amount_paid"] += amount
    return collection.paid(account, invoice, 0)
