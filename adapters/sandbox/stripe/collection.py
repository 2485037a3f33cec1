"""From a finalized invoice to a paid one: balance, attempts, the retry schedule, and what it does to the subscription."""

from __future__ import annotations

from adapters.sandbox.stripe import drafting, payments
from adapters.sandbox.stripe.account import Account, Body
from adapters.sandbox.stripe.errors import StripeError
from adapters.sandbox.stripe.periods import DAY_S, business_days_later

SOON_S = 300  # a manual finalization is followed by the first attempt within the hour
RETRY_DAYS = (1, 2, 1, 2, 2, 2, 2, 2)  # smart retries: eight within two weeks


def finalize(account: Account, invoice: Body, *, attempt_in_s: int) -> Body:
    """Draft -> open, or at once paid where nothing (or too little) is left to charge."""
    customer = account.get("customer", invoice["customer"])
    drafting.total(account, invoice)
    due, after = drafting.settle(invoice["total"], customer["balance"])
    number = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04}"
    customer["next_invoice_sequence"] += 1
    drafting.end_of_draft(invoice, account.now, number)
    invoice.update(starting_balance=customer["balance"], ending_balance=after, amount_due=due, amount_remaining=due)
    account.save(invoice, "invoice.finalized")
    if after != customer["balance"]:
        before, customer["balance"] = customer["balance"], after
        account.save(customer, "customer.updated", balance=before)
        drafting.refresh_drafts(account, customer["id"])
    if due == 0:
        return paid(account, invoice, 0)
    payments.open_intent(account, invoice)
    plan_attempt(account, invoice, account.now + attempt_in_s)
    return account.save(invoice)


def plan_attempt(account: Account, invoice: Body, at: int | None) -> None:
    """When the next automatic attempt is; None (or collection by invoice) for never."""
    wanted = invoice["auto_advance"] and invoice["collection_method"] == "charge_automatically"
    invoice["next_payment_attempt"] = at if wanted else None
    if wanted and at is not None:
        account.schedule(at, "attempt", invoice["id"])


def stop(account: Account, invoice: Body) -> Body:
    invoice.update(auto_advance=False, next_payment_attempt=None)
    return account.save(invoice, "invoice.updated")


def attempt_due(account: Account, id: str) -> None:
    """The moment of an automatic attempt has come, unless it was called off or moved meanwhile."""
    invoice = account.find("invoice", id)
    if invoice is None or invoice["status"] != "open" or not invoice["auto_advance"]:
        return
    at = invoice["next_payment_attempt"]
    if at is None or at > account.now or payments.in_flight(account, invoice):
        return
    attempt(account, invoice, scheduled=True)


def method_for(account: Account, invoice: Body) -> Body | None:
    """The invoice's own method, else the subscription's, else the customer's default."""
    customer = account.get("customer", invoice["customer"])
    subscription = subscription_of(account, invoice)
    wanted = (
        invoice["default_payment_method"]
        or (subscription and subscription["default_payment_method"])
        or customer["invoice_settings"]["default_payment_method"]
    )
    method = account.find("payment_method", wanted)
    types = invoice["payment_settings"]["payment_method_types"]
    return method if method and (types is None or method["type"] in types) else None


def subscription_of(account: Account, invoice: Body) -> Body | None:
    parent = invoice["parent"]
    return account.find("subscription", parent["subscription_details"]["subscription"]) if parent else None


def attempt(account: Account, invoice: Body, *, scheduled: bool, method: Body | None = None) -> str:
    """Try to collect now: `succeeded`, `processing` or `failed`."""
    tried = account.attempts[invoice["id"]] = account.attempts.get(invoice["id"], 0) + (scheduled or not invoice["attempted"])
    invoice.update(attempted=True, attempt_count=tried, next_payment_attempt=None)
    method = method or method_for(account, invoice)
    intent = payments.intent_of(account, invoice)
    if method is None or intent is None:
        not_collected(account, invoice, retry=False)
        return "failed"
    if scheduled and account.refused.get(invoice["id"]) == method["id"]:
        # declined for good: the schedule goes on, but only a new method is tried
        _plan_retry(account, invoice)
        account.save(invoice, "invoice.updated")
        return "failed"
    outcome = payments.attempt(account, intent, method)
    if outcome == "succeeded":
        paid(account, invoice, intent["amount"])
    elif outcome == "processing":
        account.save(invoice, "invoice.updated")
        _standing(account, invoice, "active")
    else:
        if account.behaviour[method["id"]] in payments.HARD_DECLINES:
            account.refused[invoice["id"]] = method["id"]
        not_collected(account, invoice, retry=True)
    return outcome


def settle(account: Account, intent_id: str) -> None:
    """The bank has answered a debit."""
    intent = account.get("payment_intent", intent_id)
    if intent["status"] != "processing":
        return
    invoice = account.get("invoice", account.table("invoice_payment").where(payment_intent=intent_id)[0]["invoice"])
    charge = account.get("charge", intent["latest_charge"])
    behaviour = account.behaviour[charge["payment_method"]]
    if behaviour in payments.FAILED_DEBITS:
        payments.debit_failed(account, intent, charge)
        not_collected(account, invoice, retry=True)
        return
    payments.succeed(account, intent, charge)
    paid(account, invoice, intent["amount"])
    if behaviour == "ach_returns":
        account.schedule(business_days_later(account.now, payments.ACH_RETURN_DAYS), "ach_return", intent_id)


def paid(account: Account, invoice: Body, amount: int) -> Body:
    """`amount` was collected; 0 where nothing was left to collect."""
    payment = payments.payment_of(account, invoice)
    if payment and amount:
        payment.update(status="paid", amount_paid=amount)
        payment["status_transitions"] = {**payment["status_transitions"], "paid_at": account.now}
        account.save(payment, "invoice_payment.paid")
    invoice.update(
        status="paid",
        amount_paid=invoice["amount_paid"] + amount,
        amount_remaining=0,
        attempted=True,
        auto_advance=False,
        next_payment_attempt=None,
    )
    invoice["status_transitions"] = {**invoice["status_transitions"], "paid_at": account.now}
    _delinquent(account, invoice, False)
    account.save(invoice, "invoice.paid")
    account.emit("invoice.payment_succeeded", invoice)
    _standing(account, invoice, "active")
    return invoice


def pay_part(account: Account, invoice: Body, amount: int, method: Body) -> Body:
    """One more payment on an open invoice, beside the default one, which asks for less from now on. The invoice payment."""
    if invoice["status"] != "open" or payments.in_flight(account, invoice):
        raise StripeError(f"Invoice {invoice['id']} is {invoice['status']}, or has a payment under way.")
    if not 0 < amount < invoice["amount_remaining"]:
        raise StripeError(f"{invoice['amount_remaining']} is left on invoice {invoice['id']}: a part of it is less than that.")
    intent = payments.open_intent(account, invoice, amount=amount)
    payment = account.table("invoice_payment").where(payment_intent=intent["id"])[0]
    if payments.attempt(account, intent, method) != "succeeded":
        raise StripeError("The payment was declined, or takes days.")
    payment.update(status="paid", amount_paid=amount)
    payment["status_transitions"] = {**payment["status_transitions"], "paid_at": account.now}
    invoice["amount_paid"] += amount
    invoice["amount_remaining"] -= amount
    payments.ask_for_the_rest(account, invoice)
    account.save(payment, "invoice_payment.paid")
    account.save(invoice, "invoice.updated")
    return payment


def not_collected(account: Account, invoice: Body, *, retry: bool) -> None:
    if retry:
        _plan_retry(account, invoice)
    _delinquent(account, invoice, True)
    account.save(invoice, "invoice.payment_failed")
    account.emit("invoice.updated", invoice)
    _standing(account, invoice, "past_due")


def _plan_retry(account: Account, invoice: Body) -> None:
    retries = account.attempts[invoice["id"]] - 1
    subscription = subscription_of(account, invoice)
    first_one = subscription is not None and subscription["status"] == "incomplete"
    if account.retries and retries < len(RETRY_DAYS) and not first_one:
        plan_attempt(account, invoice, account.now + RETRY_DAYS[retries] * DAY_S)
    elif account.retries and subscription is not None and not first_one and account.after_retries != "past_due":
        account.schedule(account.now, "give_up", subscription["id"])


def _delinquent(account: Account, invoice: Body, delinquent: bool) -> None:
    customer = account.get("customer", invoice["customer"])
    if customer["delinquent"] != delinquent:
        customer["delinquent"] = delinquent
        account.save(customer, "customer.updated", delinquent=not delinquent)


def _standing(account: Account, invoice: Body, status: str) -> None:
    """The subscription follows its latest invoice; one whose first payment failed is incomplete, not past due."""
    subscription = subscription_of(account, invoice)
    if subscription is None or subscription["latest_invoice"] != invoice["id"]:
        return
    was = subscription["status"]
    if was not in ("active", "past_due", "incomplete") or was == status:
        return
    if was == "incomplete" and status == "past_due":
        return
    subscription["status"] = status
    account.save(subscription, "customer.subscription.updated", status=was)


def _forgiven(account: Account, invoice: Body) -> None:
    """A subscription that was past due for this invoice is so no longer; an incomplete one stays incomplete."""
    subscription = subscription_of(account, invoice)
    if subscription and subscription["status"] == "past_due":
        _standing(account, invoice, "active")


def void(account: Account, invoice: Body) -> Body:
    if invoice["status"] not in ("open", "uncollectible"):
        raise StripeError(
            f"You can only pass in open or uncollectible invoices. This invoice isn't open: it is {invoice['status']}."
        )
    if payments.in_flight(account, invoice):
        raise StripeError("This invoice has a payment that is still processing and cannot be voided until it has ended.")
    payments.cancel(account, invoice, "void_invoice")
    _give_balance_back(account, invoice)
    invoice.update(status="void", auto_advance=False, next_payment_attempt=None)
    invoice["status_transitions"] = {**invoice["status_transitions"], "voided_at": account.now}
    account.save(invoice, "invoice.voided")
    _forgiven(account, invoice)
    return invoice


def _give_balance_back(account: Account, invoice: Body) -> None:
    customer = account.get("customer", invoice["customer"])
    applied = invoice["starting_balance"] - (invoice["ending_balance"] or 0)
    if applied:
        customer["balance"] += applied
        account.save(customer, "customer.updated", balance=customer["balance"] - applied)
        drafting.refresh_drafts(account, customer["id"])


def mark_uncollectible(account: Account, invoice: Body) -> Body:
    if invoice["status"] != "open":
        raise StripeError(f"You can only mark an open invoice as uncollectible. This invoice is {invoice['status']}.")
    invoice.update(status="uncollectible", auto_advance=False, next_payment_attempt=None)
    transitions = {**invoice["status_transitions"], "marked_uncollectible_at": account.now}
    invoice["status_transitions"] = transitions
    _delinquent(account, invoice, False)
    account.save(invoice, "invoice.marked_uncollectible")
    _forgiven(account, invoice)
    return invoice
