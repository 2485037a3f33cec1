"""Money that goes back: refunds, disputes, returned debits, and credit notes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from adapters.sandbox.stripe import balance, collection, drafting, payments, shapes, shapes_money
from adapters.sandbox.stripe.account import Account, Body
from adapters.sandbox.stripe.errors import StripeError
from adapters.sandbox.stripe.params import merged
from adapters.sandbox.stripe.periods import DAY_S, business_days_later

BANK_REFUND_DAYS = 3  # business days until a refund to a bank account is known to have arrived
EVIDENCE_DAYS = 14


def create_refund(account: Account, p: dict[str, Any]) -> Body:
    charge = _charge(account, p)
    left = charge["amount_captured"] - charge["amount_refunded"]
    amount = p.get("amount", left)
    if charge["status"] != "succeeded":
        raise StripeError("This charge has not succeeded and cannot be refunded.", param="charge")
    if charge["refunded"]:
        raise StripeError(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded", param="charge")
    if charge["disputed"]:
        raise StripeError(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed", param="charge"
        )
    if not 0 < amount <= left:
        raise StripeError(
            f"Refund amount (${amount / 100:.2f}) is greater than unrefunded amount on charge (${left / 100:.2f})",
            param="amount",
        )
    return refund(account, charge, amount, p.get("reason"), p.get("metadata"))


def _charge(account: Account, p: dict[str, Any]) -> Body:
    if "charge" in p:
        return account.need("charge", p["charge"], "charge")
    if "payment_intent" not in p:
        raise StripeError("One of the following params should be provided for this request: payment_intent or charge.")
    intent = account.need("payment_intent", p["payment_intent"], "payment_intent")
    if intent["latest_charge"] is None:
        raise StripeError("This PaymentIntent does not have a successful charge to refund.", param="payment_intent")
    return account.get("charge", intent["latest_charge"])


def refund(account: Account, charge: Body, amount: int, reason: str | None, metadata: dict[str, str] | None) -> Body:
    body = shapes_money.refund(account.id("re_"), account.now, charge=charge, amount=amount, reason=reason)
    body["metadata"] = merged({}, metadata)
    bank = charge["payment_method_details"]["type"] == "us_bank_account"
    transaction = balance.move(
        account,
        amount=-amount,
        currency=charge["currency"],
        type="payment_refund" if bank else "refund",
        category="refund",
        source=body["id"],
        description=f"REFUND FOR {'PAYMENT' if bank else 'CHARGE'} ({charge['description']})",
    )
    body["balance_transaction"] = transaction["id"]
    before = charge["amount_refunded"]
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    account.save(charge, "charge.refunded", amount_refunded=before)
    account.add(body, "refund.created")
    if bank:
        account.schedule(business_days_later(account.now, BANK_REFUND_DAYS), "refund_arrives", body["id"])
    return body


def refund_arrives(account: Account, id: str) -> None:
    body = account.get("refund", id)
    if body["status"] == "pending":
        body["status"] = "succeeded"
        account.save(body, "refund.updated", status="pending")
        account.emit("charge.refund.updated", body)


def fail_refund(account: Account, body: Body) -> Body:
    """The customer's bank gave the money back."""
    charge = account.get("charge", body["charge"])
    transaction = balance.move(
        account, amount=body["amount"], currency=body["currency"], type="refund_failure", category="refund_failure",
        source=body["id"], description="REFUND FAILURE",
    )  # fmt: skip
    was = body["status"]
    body.update(status="failed", failure_reason="lost_or_stolen_card", failure_balance_transaction=transaction["id"])
    charge["amount_refunded"] -= body["amount"]
    charge["refunded"] = False
    account.save(charge, "charge.updated")
    account.save(body, "refund.updated", status=was)
    account.emit("refund.failed", body)
    return body


def open_dispute(account: Account, charge: Body, reason: str) -> Body:
    """The money leaves at once. A card dispute can be answered; a returned bank debit is final."""
    if charge["status"] != "succeeded" or charge["disputed"]:
        raise ValueError(f"{charge['id']} has not succeeded, or is disputed already")
    card = charge["payment_method_details"]["type"] == "card"
    dispute = shapes_money.dispute(
        account.id("du_"),
        account.now,
        charge=charge,
        reason=reason,
        status="needs_response" if card else "lost",
        due_by=account.now + EVIDENCE_DAYS * DAY_S if card else None,
    )
    _withdraw(account, dispute, charge, balance.DISPUTE_FEE if card else balance.ACH_RETURN_FEE)
    charge["disputed"] = True
    account.save(charge, "charge.updated", disputed=False)
    account.add(dispute, "charge.dispute.created")
    account.emit("charge.dispute.funds_withdrawn", dispute)
    if not card:
        account.emit("charge.dispute.closed", dispute)
    return dispute


def _withdraw(account: Account, dispute: Body, charge: Body, fee: int) -> None:
    transaction = balance.move(
        account, amount=-dispute["amount"], fee=fee, currency=dispute["currency"], type="adjustment", category="dispute",
        source=dispute["id"], description=f"Chargeback withdrawal for {charge['id']}",
    )  # fmt: skip
    dispute["balance_transactions"] = [transaction]


def close_dispute(account: Account, dispute: Body, *, won: bool) -> Body:
    if dispute["status"] in ("won", "lost"):
        raise ValueError(f"{dispute['id']} is closed already: {dispute['status']}")
    was, dispute["status"] = dispute["status"], "won" if won else "lost"
    if won:
        transaction = balance.move(
            account, amount=dispute["amount"], fee=-balance.DISPUTE_FEE, currency=dispute["currency"], type="adjustment",
            category="dispute_reversal", source=dispute["id"], description=f"Chargeback reversal for {dispute['charge']}",
        )  # fmt: skip
        dispute["balance_transactions"] = [*dispute["balance_transactions"], transaction]
        account.emit("charge.dispute.funds_reinstated", dispute)
    return account.save(dispute, "charge.dispute.closed", status=was)


def return_debit(account: Account, intent_id: str, reason: str = "insufficient_funds") -> Body:
    intent = account.get("payment_intent", intent_id)
    charge = account.get("charge", intent["latest_charge"])
    if charge["payment_method_details"]["type"] != "us_bank_account":
        raise ValueError(f"{intent_id} was not paid by bank debit")
    return open_dispute(account, charge, reason)


def create_credit_note(account: Account, p: dict[str, Any]) -> Body:
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
    made = create_refund(account, {"payment_intent": intent["id"], "amount": amount})
    note["refunds"] = [{"amount_refunded": amount, "payment_record_refund": None, "refund": made["id"], "type": "refund"}]


def _reduce(account: Account, invoice: Body, amount: int) -> None:
    """Less is asked for from now on; nothing left means paid."""
    invoice["amount_due"] -= amount
    invoice["amount_remaining"] -= amount
    if invoice["amount_remaining"] == 0:
        payments.cancel(account, invoice, "void_invoice")
        collection.paid(account, invoice, 0)
        return
    payment = payments.payment_of(account, invoice)
    if payment:
        payment["amount_requested"] = invoice["amount_remaining"]
        intent = account.get("payment_intent", payment["payment"]["payment_intent"])
        intent["amount"] = invoice["amount_remaining"]


def return_debit_due(account: Account, intent_id: str) -> None:
    charge = account.get("charge", account.get("payment_intent", intent_id)["latest_charge"])
    if not charge["disputed"] and not charge["refunded"]:
        return_debit(account, intent_id)
