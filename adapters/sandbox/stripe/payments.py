"""One attempt to take money with one method, and what the bank answers."""

from __future__ import annotations

from adapters.sandbox.stripe import balance, shapes_money
from adapters.sandbox.stripe.account import Account, Body
from adapters.sandbox.stripe.errors import DOCS
from adapters.sandbox.stripe.periods import business_days_later

ACH_DAYS = 4  # business days until a bank debit is known to have worked
ACH_RETURN_DAYS = 2  # business days after which a returned debit comes back
HARD_DECLINES = {"decline_hard": ("stolen_card", "Your card was declined.")}
FAILURES = {
    "decline": ("insufficient_funds", "Your card has insufficient funds."),
    "decline_once": ("insufficient_funds", "Your card has insufficient funds."),
    **HARD_DECLINES,
}
FAILED_DEBITS = {
    "ach_fails": ("insufficient_funds", "The customer's account has insufficient funds to cover this payment."),
    "ach_closed": ("account_closed", "The customer's bank account has been closed."),
}
BEHAVIOURS = ("ok", "decline", "decline_once", "decline_hard", *FAILED_DEBITS, "ach_returns")


def open_intent(account: Account, invoice: Body, *, amount: int | None = None) -> Body:
    """What a finalized invoice is paid with: its payment intent and the invoice payment that joins them.

    With `amount` a part of it is, beside its default payment.
    """
    if invoice["billing_reason"] == "subscription_create":
        description = "Subscription creation"
    else:
        description = "Subscription update" if invoice["parent"] else f"Payment for Invoice {invoice['number']}"
    intent = shapes_money.payment_intent(
        account.id("pi_"), account.now, invoice=invoice, amount=amount or invoice["amount_remaining"], description=description
    )
    account.add(intent, "payment_intent.created")
    payment = shapes_money.invoice_payment(
        account.id("inpay_"), account.now, invoice=invoice, intent=intent["id"], amount=intent["amount"]
    )
    payment["is_default"] = amount is None
    account.add(payment)
    return intent


def payment_of(account: Account, invoice: Body) -> Body | None:
    """The invoice's default payment, unless it was canceled. It asks for what is left after the others."""
    payments = account.table("invoice_payment").where(invoice=invoice["id"])
    standing = (payment for payment in reversed(payments) if payment["status"] != "canceled" and payment["is_default"])
    return next(standing, None)


def ask_for_the_rest(account: Account, invoice: Body) -> None:
    """The default payment is kept at what is left to pay."""
    payment = payment_of(account, invoice)
    if payment and payment["status"] == "open":
        payment["amount_requested"] = invoice["amount_remaining"]
        intent = account.get("payment_intent", payment["payment"]["payment_intent"])
        intent["amount"] = invoice["amount_remaining"]


def intent_of(account: Account, invoice: Body) -> Body | None:
    payment = payment_of(account, invoice)
    return account.get("payment_intent", payment["payment"]["payment_intent"]) if payment else None


def in_flight(account: Account, invoice: Body) -> bool:
    intent = intent_of(account, invoice)
    return intent is not None and intent["status"] == "processing"


def attempt(account: Account, intent: Body, method: Body) -> str:
    """`succeeded`, `processing` or `failed`."""
    mandates = [mandate["id"] for mandate in account.table("mandate").where(payment_method=method["id"])]
    if hindrance := _hindrance(account, mandates):
        return _not_sent(account, intent, method, *hindrance)
    charge = shapes_money.charge(
        account.id("ch_" if method["type"] == "card" else "py_"),
        account.now,
        intent=intent,
        method=method,
        mandate=mandates[-1] if mandates else None,
    )
    intent.update(latest_charge=charge["id"], payment_method=method["id"], last_payment_error=None)
    account.add(charge)
    if method["type"] == "us_bank_account":
        return _debit(account, intent, charge)
    behaviour = account.behaviour[method["id"]]
    if behaviour == "decline_once":
        account.behaviour[method["id"]] = "ok"
    if behaviour in FAILURES:
        _declined(account, intent, charge, *FAILURES[behaviour], hard=behaviour in HARD_DECLINES)
        return "failed"
    succeed(account, intent, charge)
    return "succeeded"


def _hindrance(account: Account, mandates: list[str]) -> tuple[str, str] | None:
    """Why nothing is sent to the bank at all: code and message."""
    if not account.switches["charges_enabled"]:
        return "account_invalid", "Your account cannot currently make charges."
    if mandates and account.get("mandate", mandates[-1])["status"] != "active":
        return "payment_intent_mandate_invalid", "The provided mandate is invalid and can not be used for the payment intent."
    return None


def _not_sent(account: Account, intent: Body, method: Body, code: str, message: str) -> str:
    intent["last_payment_error"] = {
        "code": code,
        "doc_url": DOCS + code.replace("_", "-"),
        "message": message,
        "payment_method": method,
        "type": "invalid_request_error",
    }
    intent.update(status="requires_payment_method", payment_method=None)
    account.save(intent, "payment_intent.payment_failed")
    return "failed"


def _debit(account: Account, intent: Body, charge: Body) -> str:
    charge.update(captured=True, amount_captured=charge["amount"])
    intent["status"] = "processing"
    account.save(charge, "charge.pending")
    account.save(intent, "payment_intent.processing")
    account.schedule(business_days_later(account.now, ACH_DAYS), "settle", intent["id"])
    return "processing"


def succeed(account: Account, intent: Body, charge: Body) -> None:
    card = charge["payment_method_details"]["type"] == "card"
    transaction = balance.move(
        account,
        amount=charge["amount"],
        fee=balance.fee(charge["payment_method_details"]["type"], charge["amount"]),
        currency=charge["currency"],
        type="charge" if card else "payment",
        category="charge",
        source=charge["id"],
        description=charge["description"],
        available_on=balance.settled_on(charge),
    )
    charge.update(status="succeeded", paid=True, captured=True, amount_captured=charge["amount"])
    charge["balance_transaction"] = transaction["id"]
    intent.update(status="succeeded", amount_received=intent["amount"], last_payment_error=None)
    account.save(charge, "charge.succeeded")
    account.save(intent, "payment_intent.succeeded")


def _declined(account: Account, intent: Body, charge: Body, reason: str, message: str, *, hard: bool) -> None:
    advice = "do_not_try_again" if hard else "try_again_later"
    charge.update(failure_code="card_declined", failure_message=message, status="failed")
    charge["outcome"] = {
        **charge["outcome"],
        "advice_code": advice,
        "network_decline_code": "51",
        "network_status": "declined_by_network",
        "reason": reason,
        "seller_message": "The bank declined the payment.",
        "type": "issuer_declined",
    }
    intent["last_payment_error"] = {
        "advice_code": advice,
        "charge": charge["id"],
        "code": "card_declined",
        "decline_code": reason,
        "doc_url": DOCS + "card-declined",
        "message": message,
        "network_decline_code": "51",
        "payment_method": account.get("payment_method", charge["payment_method"]),
        "type": "card_error",
    }
    _failed(account, intent, charge)


def debit_failed(account: Account, intent: Body, charge: Body) -> None:
    code, message = FAILED_DEBITS[account.behaviour[charge["payment_method"]]]
    charge.update(failure_code=code, failure_message=message, status="failed")
    intent["last_payment_error"] = {
        "charge": charge["id"],
        "code": "payment_intent_payment_attempt_failed",
        "decline_code": code,
        "doc_url": DOCS + "payment-intent-payment-attempt-failed",
        "message": message,
        "payment_method": account.get("payment_method", charge["payment_method"]),
        "type": "invalid_request_error",
    }
    _failed(account, intent, charge)


def _failed(account: Account, intent: Body, charge: Body) -> None:
    intent.update(status="requires_payment_method", payment_method=None)
    account.save(charge, "charge.failed")
    account.save(intent, "payment_intent.payment_failed")


def cancel(account: Account, invoice: Body, reason: str) -> None:
    """The invoice is not to be paid any more (or not this amount)."""
    payment = payment_of(account, invoice)
    if payment is None or payment["status"] != "open":
        return
    payment["status"] = "canceled"
    payment["status_transitions"] = {**payment["status_transitions"], "canceled_at": account.now}
    account.save(payment)
    intent = account.get("payment_intent", payment["payment"]["payment_intent"])
    intent.update(status="canceled", canceled_at=account.now, cancellation_reason=reason)
    account.save(intent, "payment_intent.canceled")
