"""Holds because another product collects from the same payers: after shadow mode, and with a subscription of its own. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from connector.model.guards import Reason
from connector.model.invoice import PsaInvoice
from connector.model.money import Money
from connector.model.period import Cycle

FOREIGN = "foreign_subscription"
SHADOWED = "shadowed"


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignSubscription:
    """A subscription at the gateway that goes on and is not ours. `next_on`: when it bills next."""

    id: str
    customer: str
    description: str
    amount: Money  # a cycle, before tax
    status: str  # the gateway's word
    next_on: date | None
    cycle: Cycle | None  # None: one that we do not know
    bills_on: date  # a day on which it bills
    charges: bool  # false: it takes nothing more (paused so that it makes no bills, or it ends before the next one)

    def __str__(self) -> str:
        when = f", next on {self.next_on.isoformat()}" if self.next_on else ""
        return f"{self.description or 'subscription'} ({self.id}, {self.amount} a cycle{when})"


def holds_of_others(
    *, live_since: date | None, bills: Sequence[PsaInvoice], bill_day: date, foreign: Iterable[ForeignSubscription]
) -> tuple[Reason, ...]:
    return (*_shadowed(live_since, bills, bill_day), *_foreign(foreign))


def _shadowed(live_since: date | None, bills: Sequence[PsaInvoice], bill_day: date) -> Iterator[Reason]:
    dated = min((bill.dated for bill in bills), default=bill_day)
    if live_since is not None and dated < live_since:
        yield Reason(
            name=SHADOWED,
            message=f"it is dated {dated.isoformat()}, before we took over from another product ({live_since.isoformat()}), which"
            " may be collecting it",
            way_on="see that nobody else collects it, then overrule it (connector release)",
        )


def _foreign(subscriptions: Iterable[ForeignSubscription]) -> Iterator[Reason]:
    found = [subscription for subscription in subscriptions if subscription.charges]
    if found:
        yield Reason(
            name=FOREIGN,
            message="the payer's customer at the gateway has a subscription that is not ours and would charge as well: "
            + "; ".join(map(str, found)),
            way_on="end it there, adopt it or say that it is for something else (connector adopt), or overrule this one charge"
            " (connector release)",
        )
