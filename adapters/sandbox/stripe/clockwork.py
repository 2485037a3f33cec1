"""What Stripe does by itself when a moment comes."""

from __future__ import annotations

from collections.abc import Callable

from adapters.sandbox.stripe import balance, collection, renewals, reversals, sessions, subscriptions
from adapters.sandbox.stripe.account import Account

JOBS: dict[str, Callable[[Account, str], object]] = {
    "ach_return": reversals.return_debit_due,
    "attempt": collection.attempt_due,
    "cancel": subscriptions.cancel_due,
    "expire_session": sessions.expire_session,
    "fetch_negative": balance.fetch_negative,
    "finalize": renewals.finalize_due,
    "give_up": subscriptions.give_up,
    "incomplete": subscriptions.incomplete_due,
    "payout": balance.pay_out,
    "payout_arrives": balance.arrive,
    "payout_leaves": balance.leave,
    "payout_reconciled": balance.reconciled,
    "refund_arrives": reversals.refund_arrives,
    "renew": renewals.renew,
    "resume": subscriptions.resume,
    "settle": collection.settle,
}


def run_due(account: Account) -> None:
    for wake in account.due():
        JOBS[wake.job](account, wake.subject)
