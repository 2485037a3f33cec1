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
OPEN = ("needs_response", "under_review", "warning_needs_response", "warning_under_review")
BY_BANK = ("insufficient_funds", "incorrect_account_details", "bank_cannot_process")  # why a debit comes back after success
BY_CUSTOMER = ("debit_not_authorized", "customer_initiated")


def create_refund(account: Account, p: dict[str, Any]) -> Body:
    charge = _charge(account, p)
    left = charge["amount_captured"] - charge["amount_refunded"]
    amount = p.get("amount", left)
    if charge["status"] != "succeeded":
        raise StripeError("This charge has not succeeded and cannot be refunded.", param="charge")
    if charge["refunded"]:
        raise StripeError(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded", param="charge")
    if not _refundable(account, charge):
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


def _refundable(account: Account, charge: Body) -> bool:
    """A dispute bars refunds while it is open and when it was lost; an inquiry and a dispute that was won do not."""
    disputes = account.table("dispute").where(charge=charge["id"])
    return all(one["is_charge_refundable"] or one["status"] in ("won", "warning_closed") for one in disputes)


def refund(account: Account, charge: Body, amount: int, reason: str | None, metadata: dict[str, str] | None) -> Body:
    body = _new_refund(account, charge, amount, reason, metadata)
    _send_refund(account, body, charge)
    account.add(body, "refund.created")
    return body


def refund_without_funds(account: Account, charge: Body, amount: int, metadata: dict[str, str] | None = None) -> Body:
    """The balance does not cover it: it waits, and nothing has left the balance."""
    body = _new_refund(account, charge, amount, "requested_by_customer", metadata)
    body.update(status="pending", pending_reason="insufficient_funds")
    return account.add(body, "refund.created")


def fund_refund(account: Account, body: Body) -> Body:
    """The balance covers a waiting refund now."""
    if body.get("pending_reason") != "insufficient_funds":
        raise ValueError(f"{body['id']} does not wait for funds")
    charge = account.get("charge", body["charge"])
    del body["pending_reason"]
    body["status"] = "succeeded" if charge["payment_method_details"]["type"] == "card" else "pending"
    _send_refund(account, body, charge)
    return account.save(body, "refund.updated", pending_reason="insufficient_funds")


def _new_refund(account: Account, charge: Body, amount: int, reason: str | None, metadata: dict[str, str] | None) -> Body:
    body = shapes_money.refund(account.id("re_"), account.now, charge=charge, amount=amount, reason=reason)
    body["metadata"] = merged({}, metadata)
    before = charge["amount_refunded"]
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    account.save(charge, "charge.refunded", amount_refunded=before)
    return body


def _send_refund(account: Account, body: Body, charge: Body) -> None:
    bank = charge["payment_method_details"]["type"] == "us_bank_account"
    transaction = balance.move(
        account,
        amount=-body["amount"],
        currency=charge["currency"],
        type="payment_refund" if bank else "refund",
        category="refund",
        source=body["id"],
        description=f"REFUND FOR {'PAYMENT' if bank else 'CHARGE'} ({charge['description']})",
    )
    body["balance_transaction"] = transaction["id"]
    if bank:
        account.schedule(business_days_later(account.now, BANK_REFUND_DAYS), "refund_arrives", body["id"])


def update_refund(account: Account, id: str, p: dict[str, Any]) -> Body:
    body = account.need("refund", id)
    before = body["metadata"]
    body["metadata"] = merged(before, p.get("metadata"))
    return account.save(body, "refund.updated", metadata=before)


def refund_arrives(account: Account, id: str) -> None:
    body = account.get("refund", id)
    if body["status"] == "pending":
        body["status"] = "succeeded"
        account.save(body, "refund.updated", status="pending")
        account.emit("charge.refund.updated", body)


def fail_refund(account: Account, body: Body) -> Body:
    """The customer's bank gave the money back."""
    if body["balance_transaction"] is None or body["status"] not in ("pending", "succeeded"):
        raise ValueError(f"{body['id']} is {body['status']}: nothing of it can come back")
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


def open_dispute(
    account: Account, charge: Body, reason: str, *, amount: int | None = None, withdrawn: bool = True, inquiry: bool = False
) -> Body:
    """A card dispute can be answered; its money leaves at once, or (`withdrawn` false) with a later event.

    An inquiry moves nothing. A returned bank debit is final.
    """
    if charge["status"] != "succeeded" or charge["disputed"]:
        raise ValueError(f"{charge['id']} has not succeeded, or is disputed already")
    card = charge["payment_method_details"]["type"] == "card"
    open_status = "warning_needs_response" if inquiry else "needs_response"
    dispute = shapes_money.dispute(
        account.id("du_"),
        account.now,
        charge=charge,
        reason=reason,
        status=open_status if card else "lost",
        due_by=account.now + EVIDENCE_DAYS * DAY_S if card else None,
    )
    dispute["amount"] = amount or charge["amount"]
    dispute["is_charge_refundable"] = inquiry
    charge["disputed"] = True
    account.save(charge, "charge.updated", disputed=False)
    account.add(dispute, "charge.dispute.created")
    if not card:
        _withdraw(account, dispute, charge, _return_fee(reason))
        account.emit("charge.dispute.closed", dispute)
    elif withdrawn and not inquiry:
        withdraw_funds(account, dispute)
    return dispute


def _return_fee(reason: str) -> int:
    return balance.DISPUTE_FEE if reason in BY_CUSTOMER else balance.ACH_RETURN_FEE


def withdraw_funds(account: Account, dispute: Body) -> Body:
    """The bank takes the disputed money, with the fee; an inquiry becomes a dispute by it."""
    if dispute["balance_transactions"] or dispute["status"] not in OPEN:
        raise ValueError(f"the money of {dispute['id']} was taken already, or the dispute is over")
    dispute["status"] = dispute["status"].removeprefix("warning_")
    dispute["is_charge_refundable"] = False
    _withdraw(account, dispute, account.get("charge", dispute["charge"]), balance.DISPUTE_FEE)
    return dispute


def _withdraw(account: Account, dispute: Body, charge: Body, fee: int) -> None:
    transaction = balance.move(
        account, amount=-dispute["amount"], fee=fee, currency=dispute["currency"], type="adjustment", category="dispute",
        source=dispute["id"], description=f"Chargeback withdrawal for {charge['id']}",
    )  # fmt: skip
    dispute["balance_transactions"] = [transaction]
    account.save(dispute, "charge.dispute.funds_withdrawn")


def answer_dispute(account: Account, dispute: Body) -> Body:
    """The owner hands in evidence; the bank decides later."""
    was = dispute["status"]
    if not was.endswith("needs_response"):
        raise ValueError(f"{dispute['id']} waits for no answer: it is {was}")
    dispute["status"] = was.replace("needs_response", "under_review")
    details = {**dispute["evidence_details"], "has_evidence": True, "submission_count": 1}
    dispute["evidence_details"] = details
    return account.save(dispute, "charge.dispute.updated", status=was)


def close_dispute(account: Account, dispute: Body, *, won: bool) -> Body:
    if dispute["status"] not in OPEN:
        raise ValueError(f"{dispute['id']} is closed already: {dispute['status']}")
    was = dispute["status"]
    if was.startswith("warning_"):
        dispute["status"] = "warning_closed"
        return account.save(dispute, "charge.dispute.closed", status=was)
    dispute["status"] = "won" if won else "lost"
    if won and dispute["balance_transactions"]:
        transaction = balance.move(
            account, amount=dispute["amount"], fee=-balance.DISPUTE_FEE if account.dispute_fee_returned else 0,
            currency=dispute["currency"], type="adjustment", category="dispute_reversal", source=dispute["id"],
            description=f"Chargeback reversal for {dispute['charge']}",
        )  # fmt: skip
        dispute["balance_transactions"] = [*dispute["balance_transactions"], transaction]
        account.emit("charge.dispute.funds_reinstated", dispute)
    return account.save(dispute, "charge.dispute.closed", status=was)


def return_debit(account: Account, intent_id: str, reason: str = "insufficient_funds") -> Body:
    intent = account.get("payment_intent", intent_id)
    charge = account.get("charge", intent["latest_charge"])
    if charge["payment_method_details"]["type"] != "us_bank_account":
        raise ValueError(f"{intent_id} was not paid by bank debit")
    if reason not in (*BY_BANK, *BY_CUSTOMER):
        raise ValueError(f"unknown reason {reason!r}; known: {', '.join((*BY_BANK, *BY_CUSTOMER))}")
    dispute = open_dispute(account, charge, reason)
    if reason in BY_CUSTOMER:
        _invalidate_mandate(account, charge)
    return dispute


def _invalidate_mandate(account: Account, charge: Body) -> None:
    """A debit that the customer disputed ends the authorisation: the method is not debited again."""
    for mandate in account.table("mandate").where(payment_method=charge["payment_method"]):
        mandate["status"] = "inactive"
        account.save(mandate, "mandate.updated", status="active")


def return_debit_due(account: Account, intent_id: str) -> None:
    charge = account.get("charge", account.get("payment_intent", intent_id)["latest_charge"])
    if not charge["disputed"] and not charge["refunded"]:
        return_debit(account, intent_id)
