"""Which holds a charge has because another product collects from the same payer."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from connector.flows.desk import Desk
from connector.model.guards import Reason
from connector.model.invoice import PsaInvoice
from connector.model.others import ForeignSubscription, holds_of_others
from connector.store import links, shadow, units

NOT_THE_SAME = "unrelated_subscription"  # kind of link: a person said that this foreign subscription is for something else
LIVE_SINCE = "live_since"  # in a unit's detail: the day on which its foreign subscription was taken over


@dataclass(frozen=True, kw_only=True, slots=True)
class Others:
    """Read once a round. `foreign`: by the gateway's customer, those that nobody declared to be for something else."""

    foreign: Mapping[str, Sequence[ForeignSubscription]]
    live_since: date | None
    of_units: Mapping[str, date]

    def holds(self, unit: str, customer: str, bills: Sequence[PsaInvoice], bill_day: date) -> tuple[Reason, ...]:
        days = [day for day in (self.live_since, self.of_units.get(unit)) if day is not None]
        return holds_of_others(
            live_since=max(days, default=None), bills=bills, bill_day=bill_day, foreign=self.foreign.get(customer, ())
        )


NOBODY = Others(foreign={}, live_since=None, of_units={})


def read_others(desk: Desk, customers: Collection[str]) -> Others:
    with desk.store.read() as tx:
        since = shadow.live_since(tx)
        of_units = {row.key: date.fromisoformat(row.detail[LIVE_SINCE]) for row in units.every(tx) if LIVE_SINCE in row.detail}
    return Others(foreign=foreign_of(desk, customers), live_since=since, of_units=of_units)


def foreign_of(desk: Desk, customers: Collection[str]) -> dict[str, list[ForeignSubscription]]:
    """Those that would charge, by customer; without those that a person said are for something else."""
    with desk.store.read() as tx:
        unrelated = links.every(tx, NOT_THE_SAME, desk.gateway.name)
    found: dict[str, list[ForeignSubscription]] = {}
    for subscription in desk.gateway.foreign_subscriptions(customers) if customers else ():
        if subscription.charges and subscription.id not in unrelated:
            found.setdefault(subscription.customer, []).append(subscription)
    return found
