"""What happens to money that is there: refunds, disputes and returns, the owner's payouts, Stripe's own fees and reserves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.sandbox.stripe import balance, customers, payments, reversals, shapes_money
from adapters.sandbox.stripe.account import Account, Body
from adapters.sandbox.stripe.errors import StripeError

SCHEDULES = ("daily", "manual")
AFTER_RETRIES = ("past_due", "cancel", "unpaid")
INTENT = "psa_connector_intent"


class MoneyActions:
    """Each raises ValueError with a sentence when it cannot be done."""

    def __init__(self, account: Account) -> None:
        self._account = account

    # refunds

    def refund(self, payment_intent: str, amount: int | None = None, intent: str = "") -> Body:
        """The owner refunds in the dashboard; everything that is left without an amount (minor units).

        `intent` is what he writes into the refund's metadata.
        """
        metadata = {INTENT: intent} if intent else {}
        asked: dict[str, Any] = {
            "payment_intent": payment_intent,
            "reason": "requested_by_customer",
            "metadata": metadata,
        }
        if amount is not None:
            asked["amount"] = amount
        return refusing(lambda: reversals.create_refund(self._account, asked))

    def refund_without_funds(self, payment_intent: str, amount: int) -> Body:
        """The owner refunds more than the balance covers: the refund waits until `fund_refund`."""
        return reversals.refund_without_funds(self._account, self._charge(payment_intent), amount)

    def fund_refund(self, refund: str) -> Body:
        return reversals.fund_refund(self._account, self._get("refund", refund))

    def note_refund(self, refund: str, intent: str) -> Body:
        """The owner writes into a refund's metadata what it is for."""
        return reversals.update_refund(self._account, self._get("refund", refund)["id"], {"metadata": {INTENT: intent}})

    def fail_refund(self, refund: str) -> Body:
        """The customer's bank sends a refund back."""
        return reversals.fail_refund(self._account, self._get("refund", refund))

    # disputes

    def dispute(
        self,
        payment_intent: str,
        reason: str = "fraudulent",
        amount: int | None = None,
        withdrawn: bool = True,
        inquiry: bool = False,
    ) -> Body:
        """The cardholder disputes, or (`inquiry`) the bank only asks. Without `withdrawn` the money is taken later."""
        charge = self._charge(payment_intent)
        return reversals.open_dispute(self._account, charge, reason, amount=amount, withdrawn=withdrawn, inquiry=inquiry)

    def withdraw_dispute(self, dispute: str) -> Body:
        """The bank takes the money of an open dispute; an inquiry becomes a dispute."""
        return reversals.withdraw_funds(self._account, self._get("dispute", dispute))

    def answer_dispute(self, dispute: str) -> Body:
        return reversals.answer_dispute(self._account, self._get("dispute", dispute))

    def close_dispute(self, dispute: str, won: bool) -> Body:
        return reversals.close_dispute(self._account, self._get("dispute", dispute), won=won)

    def ach_return(self, payment_intent: str, reason: str = "insufficient_funds") -> Body:
        """The bank returns a debit that had succeeded: a dispute that is lost at once."""
        self._charge(payment_intent)
        return reversals.return_debit(self._account, payment_intent, reason)

    # payouts and settings

    def fail_payout(self, payout: str) -> Body:
        """The owner's bank refuses a payout, perhaps days after it was reported as paid."""
        return balance.fail(self._account, self._get("payout", payout))

    def cancel_payout(self, payout: str) -> Body:
        return balance.fail(self._account, self._get("payout", payout), state="canceled")

    def manual_payout(self, amount: int, currency: str = "usd") -> Body:
        """The owner asks for a payout of what is available."""
        return balance.pay_out_by_hand(self._account, amount, currency)

    def set_payouts(self, schedule: str = "daily", debit_negative: bool = True, failed_listed: bool = True) -> None:
        """The owner chooses when money goes to the bank, and whether a negative balance is fetched from there.

        `failed_listed`: whether Stripe ever lists all transactions of a payout that failed on its way.
        """
        if schedule not in SCHEDULES:
            raise ValueError(f"unknown schedule {schedule!r}; known: {', '.join(SCHEDULES)}")
        self._account.payout_schedule = schedule
        self._account.debit_negative = debit_negative
        self._account.failed_payouts_listed = failed_listed

    def restrict(self, charges: bool = True, payouts: bool = True) -> None:
        """Stripe switches charges or payouts of the account off or on, e.g. until it knows more about the owner."""
        self._account.switches = {"charges_enabled": charges, "payouts_enabled": payouts}

    def set_after_retries(self, outcome: str) -> None:
        """What the owner's setting makes of a subscription when the last retry of a payment has failed."""
        if outcome not in AFTER_RETRIES:
            raise ValueError(f"unknown outcome {outcome!r}; known: {', '.join(AFTER_RETRIES)}")
        self._account.after_retries = outcome

    def set_dispute_fee_returned(self, returned: bool) -> None:
        """Whether Stripe gives the fee of a dispute back that was won: its documents say both."""
        self._account.dispute_fee_returned = returned

    # what is nobody's payment

    def stripe_fee(self, amount: int, description: str = "Billing - Usage Fee", category: str = "fee") -> Body:
        """Stripe's own bill (minor units), taken from the balance. `category`: fee, network_cost or tax."""
        if category not in ("fee", "network_cost", "tax"):
            raise ValueError(f"unknown category {category!r}; known: fee, network_cost, tax")
        return self._move(-amount, "tax_fee" if category == "tax" else "stripe_fee", category, description)

    def adjustment(self, amount: int, description: str = "Adjustment by Stripe") -> Body:
        return self._move(amount, "adjustment", "other_adjustment", description)

    def reserve(self, amount: int) -> Body:
        """Stripe holds something back (positive), or lets it go again (negative)."""
        return self._move(-amount, "reserved_funds", "risk_reserved_funds", "Funds held" if amount > 0 else "Funds released")

    def shop_sale(self, amount: int, currency: str = "usd") -> str:
        """A web shop on the same account sells something, without any invoice. The payment intent's id."""
        account = self._account
        number = account.count("shop sale")
        buyer = customers.create(account, {"name": f"Shop buyer {number}", "email": f"shop{number}@shop.example"})
        method, _ = customers.authorise(account, buyer, type="card", behaviour="ok")
        order = {
            "id": None,
            "currency": currency,
            "customer": buyer["id"],
            "payment_settings": {"payment_method_types": ["card"]},
        }
        intent = shapes_money.payment_intent(
            account.id("pi_"), account.now, invoice=order, amount=amount, description=f"Shop order {number}"
        )
        account.add(intent, "payment_intent.created")
        payments.attempt(account, intent, method)
        return str(intent["id"])

    def _move(self, amount: int, type: str, category: str, description: str) -> Body:
        return balance.move(
            self._account, amount=amount, currency="usd", type=type, category=category, source=None, description=description
        )

    def _charge(self, payment_intent: str) -> Body:
        intent = self._get("payment_intent", payment_intent)
        if intent["latest_charge"] is None:
            raise ValueError(f"{payment_intent} was never charged")
        return self._account.get("charge", intent["latest_charge"])

    def _get(self, kind: str, id: str) -> Body:
        body = self._account.find(kind, id)
        if body is None:
            raise ValueError(f"there is no {kind} {id}")
        return body


def refusing(do: Callable[[], Body]) -> Body:
    try:
        return do()
    except StripeError as error:
        raise ValueError(str(error)) from error
