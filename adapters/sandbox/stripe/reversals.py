"""Money that goes back: refunds, disputes, returned debits, and credit notes."""

from __future__ import annotations

from typing import Any

from adapters.sandbox.stripe import balance, shapes_money
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


def return_debit_due(account: Account, intent_id: str) -> None:
    charge = account.get("charge", account.get("payment_intent", intent_id)["latest_charge"])
    if not charge["disputed"] and not charge["refunded"]:
        return_debit(account, intent_id)
