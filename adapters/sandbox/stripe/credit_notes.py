"""Credit notes: a finalized invoice is made smaller."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from adapters.sandbox.stripe import collection, drafting, payments, reversals, shapes
from adapters.sandbox.stripe.account import Account, Body
from adapters.sandbox.stripe.errors import StripeError
from adapters.sandbox.stripe.params import merged


def create(account: Account, p: dict[str, Any]) -> Body:
    """An open invoice becomes smaller; a paid one is credited to the customer's balance, refunded, or marked as such."""
    invoice = account.need("invoice", p["invoice"], "invoice")
    if invoice["status"] not in ("open", "paid"):
        raise StripeError(
            f"Invoice {invoice['id']} is {invoice['status']}: you can only create credit notes for open or paid invoices.",
            param="invoice",
        )
    lines, amount = _credited(account, invoice, p)
    earlier = invoice["pre_payment_credit_notes_amount"] + invoice["post_payment_credit_notes_amount"]
    if not 0 < amount <= invoice["total"] - earlier:
        raise StripeError(
            f"The sum of credit notes ({amount + earlier}) cannot be more than the invoice's total ({invoice['total']}).",
            param="amount",
        )
    before_payment = min(amount, invoice["amount_remaining"])
    _check_rest(p, amount - before_payment)
    if before_payment and payments.in_flight(account, invoice):
        # The document does not say what happens; refusing is the reading that moves no money.
        raise StripeError("This invoice has a payment that is still processing.", param="invoice")
    note = shapes.credit_note(account.id("cn_"), account.now, invoice=invoice, amount=amount, number=_number(account, invoice))
    note["lines"] = shapes.listing(lines, f"/v1/credit_notes/{note['id']}/lines")
    note.update({name: p[name] for name in ("memo", "reason", "out_of_band_amount") if name in p}, effective_at=account.now)
    note["metadata"] = merged({}, p.get("metadata", {}))
    note.update(pre_payment_amount=before_payment, post_payment_amount=amount - before_payment)
    note["type"] = "mixed" if 0 < before_payment < amount else "pre_payment" if before_payment else "post_payment"
    account.add(note, "credit_note.created")
    _apply(account, invoice, note, p)
    return note


def _credited(account: Account, invoice: Body, p: dict[str, Any]) -> tuple[list[Body], int]:
    if ("lines" in p) == ("amount" in p):
        raise StripeError("You must specify exactly one of `amount` and `lines`.", code="parameter_missing", param="amount")
    wanted = p.get("lines") or [{"type": "custom_line_item", "unit_amount": p["amount"], "quantity": 1, "description": ""}]
    lines = [_credit_line(account, invoice, line, f"lines[{at}]") for at, line in enumerate(wanted)]
    return lines, sum(line["amount"] for line in lines)


def _credit_line(account: Account, invoice: Body, line: dict[str, Any], at: str) -> Body:
    quantity = line.get("quantity", 1)
    if line["type"] == "invoice_line_item":
        of = next((x for x in account.lines[invoice["id"]] if x["id"] == line.get("invoice_line_item")), None)
        if of is None:
            raise StripeError("No such line item on this invoice.", code="resource_missing", param=f"{at}[invoice_line_item]")
        amount = line["amount"] if "amount" in line else drafting.rounded(Decimal(of["amount"]) * quantity / of["quantity"])
        text = str(line.get("description") or of["description"])
    elif "unit_amount" not in line:
        raise StripeError(f"Missing required param: {at}[unit_amount].", code="parameter_missing", param=f"{at}[unit_amount]")
    else:
        amount, text = line["unit_amount"] * quantity, str(line.get("description", ""))
    body = shapes.credit_note_line(
        account.id("cnli_"), amount=amount, description=text, type=line["type"],
        invoice_line=line.get("invoice_line_item", ""), quantity=quantity,
    )  # fmt: skip
    body["metadata"] = line.get("metadata", {})
    return body


def _check_rest(p: dict[str, Any], rest: int) -> None:
    named = sum(p.get(name, 0) for name in ("refund_amount", "credit_amount", "out_of_band_amount"))
    if named != rest:
        raise StripeError(
            f"The sum of credit amount, refund amount and out of band amount ({named}) must equal the credit note's amount "
            f"that is beyond what is still to be paid ({rest}).",
            param="credit_amount",
        )


def _number(account: Account, invoice: Body) -> str:
    return f"{invoice['number']}-CN-{len(account.table('credit_note').where(invoice=invoice['id'])) + 1:02}"


def _apply(account: Account, invoice: Body, note: Body, p: dict[str, Any]) -> None:
    before, after = note["pre_payment_amount"], note["post_payment_amount"]
    invoice["pre_payment_credit_notes_amount"] += before
    invoice["post_payment_credit_notes_amount"] += after
    if p.get("credit_amount"):
        customer = account.get("customer", invoice["customer"])
        customer["balance"] -= p["credit_amount"]
        account.save(customer, "customer.updated", balance=customer["balance"] + p["credit_amount"])
        drafting.refresh_drafts(account, customer["id"])
    if p.get("refund_amount"):
        _refund_part(account, invoice, note, p["refund_amount"])
    if before:
        _reduce(account, invoice, before)
    account.save(invoice, "invoice.updated")


def _refund_part(account: Account, invoice: Body, note: Body, amount: int) -> None:
    intent = payments.intent_of(account, invoice)
    if intent is None:
        raise StripeError("This invoice has no payment to refund.", param="refund_amount")
    made = reversals.create_refund(account, {"payment_intent": intent["id"], "amount": amount})
    note["refunds"] = [{"amount_refunded": amount, "payment_record_refund": None, "refund": made["id"], "type": "refund"}]


def _reduce(account: Account, invoice: Body, amount: int) -> None:
    """Less is asked for from now on; nothing left means paid."""
    invoice["amount_due"] -= amount
    invoice["amount_remaining"] -= amount
    if invoice["amount_remaining"] == 0:
        payments.cancel(account, invoice, "void_invoice")
        collection.paid(account, invoice, 0)
        return
    payments.ask_for_the_rest(account, invoice)
