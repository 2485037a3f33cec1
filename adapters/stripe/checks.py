"""What Stripe's account says that the agent depends on, and traces of settings that no API shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adapters.stripe import wire_balance
from adapters.stripe.account import Account
from connector.ports import AccountCheck

GIVEN_UP = ("canceled", "unpaid")  # what Stripe makes of a subscription after the last failed retry, if the owner set it so
WHERE = "Stripe's dashboard, Settings, Billing, Subscriptions and emails, Manage failed payments: leave the subscription past due"


class Checks:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._api = account.api

    def all(self) -> list[AccountCheck]:
        body = self._api.read("read the account", self._api.v1.accounts.retrieve_current)
        account = wire_balance.Account.model_validate(body)
        return [*switches(account), schedule(account), currency(account, self._account.currency), self._after_retries()]

    def _after_retries(self) -> AccountCheck:
        """The setting itself cannot be read; what it has done can."""
        given_up = [self._name(one) for status in GIVEN_UP for one in self._subscriptions(status) if _gave_up(one)]
        return after_retries(given_up)

    def _subscriptions(self, status: str) -> Iterator[wire_balance.EndedSubscription]:
        bodies = self._api.pages(f"list {status} subscriptions", self._api.v1.subscriptions.list, {"status": status})
        found = (wire_balance.EndedSubscription.model_validate(body) for body in bodies)
        return (one for one in found if self._account.owns(one.metadata))

    def _name(self, subscription: wire_balance.EndedSubscription) -> str:
        return f"{subscription.description or subscription.metadata.get('unit', '')} {subscription.id}".strip()


def _gave_up(subscription: wire_balance.EndedSubscription) -> bool:
    details = subscription.cancellation_details
    return subscription.status == "unpaid" or (details is not None and details.reason == "payment_failed")


def switches(account: wire_balance.Account) -> Iterator[AccountCheck]:
    for name, on in (("charges", account.charges_enabled), ("payouts", account.payouts_enabled)):
        said = {
            True: "are switched on",
            False: "are switched off: Stripe's dashboard says what it still wants to know of you",
            None: "may be on or off: Stripe does not say",
        }[on]
        yield AccountCheck(name=name, right=on, message=f"{name.capitalize()} {said}.")


def schedule(account: wire_balance.Account) -> AccountCheck:
    payouts = account.settings.payouts if account.settings else None
    if payouts is None:
        message = "Stripe does not show the payout schedule. It has to be automatic: only then is it known what a payout holds."
        return AccountCheck(name="payout_schedule", right=None, message=message)
    if payouts.schedule.interval == "manual":
        message = "Payouts are asked for by hand, so Stripe cannot say which payments one holds. Set the schedule to automatic."
        return AccountCheck(name="payout_schedule", right=False, message=message)
    return AccountCheck(name="payout_schedule", right=True, message=f"Payouts are automatic ({payouts.schedule.interval}).")


def currency(account: wire_balance.Account, ours: str) -> AccountCheck:
    theirs = account.default_currency.upper()
    if not theirs:
        return AccountCheck(name="currency", right=None, message=f"Stripe does not show its currency; {ours} is configured here.")
    right = theirs == ours.upper()
    said = "as configured here" if right else f"but {ours} is configured here: Stripe may convert what it collects"
    return AccountCheck(name="currency", right=right, message=f"The account's currency is {theirs}, {said}.")


def after_retries(given_up: Sequence[str]) -> AccountCheck:
    if not given_up:
        message = (
            f"What happens after the last failed retry cannot be read; Stripe gave no subscription up so far. Look at {WHERE}."
        )
        return AccountCheck(name="after_failed_retries", right=None, message=message)
    count = "1 subscription" if len(given_up) == 1 else f"{len(given_up)} subscriptions"
    message = f"Stripe itself gave up {count} after failed payments ({', '.join(given_up[:5])}). Change {WHERE}."
    return AccountCheck(name="after_failed_retries", right=False, message=message)
