"""The gateway's mirror of a billing unit: what it should be, what it is, and the changes between."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from connector.model.money import Money
from connector.model.period import Cycle


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One line of a subscription. `unit_amount` x `quantity` is charged per cycle; quantity is a whole number.

    `key` is stable: the PSA line's id, "base:<agreement id>", or "rollup:<tax treatment>".
    """

    key: str
    product: str  # stable product key of ours; the adapter makes a gateway product of it
    name: str  # what the customer reads
    unit_amount: Money
    quantity: int

    @property
    def amount(self) -> Money:
        return Money(self.unit_amount.minor * self.quantity, self.unit_amount.currency)


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscription:
    """What the gateway's subscription of one billing unit should be (or, read back, is).

    It never charges by itself while `paused`: its invoices stay drafts until released.
    `automatic` is false until the payer has a payment method; then the gateway would send bills instead of charging.
    """

    unit: str  # BillingUnit.key
    payer: str  # Payer.key
    description: str
    currency: str
    cycle: Cycle
    bills_on: date  # a day on which a draft is made; the others follow by the cycle (midday UTC)
    items: tuple[Item, ...]  # sorted by key, at most 20
    ends: date | None = None  # no draft is made on or after this day
    paused: bool = True
    automatic: bool = False

    @property
    def amount(self) -> Money:
        return Money(sum(item.amount.minor for item in self.items), self.currency)


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveSubscription:
    """One of ours as the gateway has it now. `generation` tells the n-th subscription made for the same unit."""

    id: str
    customer: str
    generation: int
    subscription: Subscription
    status: str  # the gateway's word
    created: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Create:
    """Make it so that it cannot charge before `Arm`: future anchor, bills instead of debits (payments.md 1.13)."""

    new: Subscription
    customer: str
    generation: int
    first_draft: date  # the first day on which it makes a draft; after today


@dataclass(frozen=True, kw_only=True, slots=True)
class Arm:
    """Second call after Create: pause it (drafts only) and, if the payer has a method, charge automatically."""

    id: str
    new: Subscription


@dataclass(frozen=True, kw_only=True, slots=True)
class Update:
    old: LiveSubscription
    new: Subscription


@dataclass(frozen=True, kw_only=True, slots=True)
class Cancel:
    """End at `on` (the end of what was billed): no draft is made on or after that day, nothing is prorated."""

    old: LiveSubscription
    on: date
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TakeOver:
    """A subscription that another product made becomes ours, in place: marker, items and drafts only, in one write.

    Its billing day stays, so it must be the unit's. `now` is what it charges a cycle before that.
    """

    id: str
    new: Subscription
    customer: str
    generation: int
    now: Money


Change = Create | Arm | Update | Cancel | TakeOver
