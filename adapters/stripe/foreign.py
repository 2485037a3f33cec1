"""Subscriptions that another product (or a person) made for customers of ours."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date

from adapters.stripe import translate, wire
from adapters.stripe.account import Account
from adapters.stripe.client import Body
from connector.model.others import ForeignSubscription
from connector.model.period import Cycle

ONE_BY_ONE = 5  # up to here subscriptions are listed by customer, beyond it all of the account's
ENDED = frozenset({"canceled", "incomplete_expired", "incomplete"})


class Foreign:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._api = account.api

    def subscriptions(self, customers: Collection[str]) -> list[ForeignSubscription]:
        wanted = set(customers)
        if not wanted:
            return []
        bodies = list(self._of_each(wanted) if len(wanted) <= ONE_BY_ONE else self._list({}))
        found = [wire.Subscription.model_validate(body) for body in bodies if not self._account.owns(body.get("metadata") or {})]
        return [_foreign(one) for one in found if one.customer in wanted and one.status not in ENDED]

    def _of_each(self, customers: Collection[str]) -> Iterator[Body]:
        for customer in sorted(customers):
            yield from self._list({"customer": customer})

    def _list(self, params: Body) -> Iterator[Body]:
        yield from self._api.pages("list subscriptions", self._api.v1.subscriptions.list, params)


def _foreign(found: wire.Subscription) -> ForeignSubscription:
    next_on = _next(found)
    ends = translate.ends(found)
    return ForeignSubscription(
        id=found.id,
        customer=found.customer,
        description=found.description,
        amount=translate.money(sum(_amount(item) for item in found.items.data), found.currency),
        status=found.status,
        next_on=next_on,
        cycle=_cycle(found),
        bills_on=translate.day(found.billing_cycle_anchor),
        charges=ends is None or next_on is None or next_on < ends,
    )


def _cycle(found: wire.Subscription) -> Cycle | None:
    said = {(r.interval, r.interval_count) for item in found.items.data if (r := item.price.recurring) is not None}
    known = {translate.interval(cycle): cycle for cycle in Cycle} | {("month", 12): Cycle.YEARLY}
    return known.get(next(iter(said))) if len(said) == 1 else None


def _amount(item: wire.SubscriptionItem) -> int:
    return (item.price.unit_amount or 0) * (1 if item.quantity is None else item.quantity)


def _next(found: wire.Subscription) -> date | None:
    ends = [item.current_period_end for item in found.items.data if item.current_period_end]
    return translate.day(min(ends)) if ends else None
