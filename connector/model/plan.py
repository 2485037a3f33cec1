"""Plan: desired - current -> changes, with a digest and safety limits. Pure.

desired   current                    change
none      live                       Cancel at the end of what was billed
wanted    none                       Create, then Arm
wanted    live, never armed          Arm
wanted    live, equal                nothing
wanted    live, differs              Update
wanted    live, other payer, cycle,  Cancel and Create under the next generation
          bill day or currency
wanted    several live               the newest generation stays, the others are cancelled
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from connector.model.agreement import Unusable
from connector.model.period import Cycle, boundary, period_number
from connector.model.subscription import Arm, Cancel, Change, Create, LiveSubscription, Subscription, Update


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What one billing unit should have. `customer` is "" until the gateway knows the payer."""

    subscription: Subscription
    customer: str
    first_draft: date
    name: str
    generation: int = 0  # of the latest subscription made for the unit, retired ones too


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How much one plan may do without a person. Percent of the live subscriptions; the first few are always allowed."""

    cancels_percent: Decimal
    changes_percent: Decimal
    always_allowed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    changes: tuple[Change, ...]
    names: Mapping[str, str]  # unit -> payer and agreement, for messages
    unusable: tuple[Unusable, ...]
    live: int  # subscriptions of ours before the plan

    @property
    def digest(self) -> str:
        """Names this plan: a person approves exactly these changes."""
        text = "\n".join(repr(change) for change in self.changes)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def count(self, kind: type) -> int:
        return sum(isinstance(change, kind) for change in self.changes)


def diff(wanted: Mapping[str, Wanted], live: Iterable[LiveSubscription], *, today: date) -> tuple[Change, ...]:
    """The truth table above, in the order of the units' keys."""
    current: dict[str, list[LiveSubscription]] = {}
    for subscription in live:
        current.setdefault(subscription.subscription.unit, []).append(subscription)
    changes: list[Change] = []
    for unit in sorted(current.keys() | wanted.keys()):
        changes.extend(_unit_changes(wanted.get(unit), _newest_first(current.get(unit, [])), today))
    return tuple(changes)


def refusals(plan: Plan, limits: Limits, *, allow_cancels: int = 0, allow_changes: int = 0) -> tuple[str, ...]:
    """Why this plan is not carried out without a person: the number, the limit and the way on."""
    result: list[str] = []
    cancels, updates = sum(map(_ends_one, plan.changes)), sum(map(_changes_amounts, plan.changes))
    if _too_many(cancels, plan.live, limits.cancels_percent, max(limits.always_allowed, allow_cancels)):
        result.append(
            f"{cancels} of {plan.live} subscriptions would be cancelled (limit {limits.cancels_percent} %);"
            f" if intended: connector apply --allow-cancels {cancels}"
        )
    if _too_many(updates, plan.live, limits.changes_percent, max(limits.always_allowed, allow_changes)):
        result.append(
            f"{updates} of {plan.live} subscriptions would be changed (limit {limits.changes_percent} %);"
            f" if intended: connector apply --allow-changes {updates}"
        )
    return tuple(result)


def _ends_one(change: Change) -> bool:
    """An agreement that says when it ends is cancelled like one that is gone: a mistaken mass change makes many of either."""
    if isinstance(change, Update):
        before, after = change.old.subscription.ends, change.new.ends
        return after is not None and (before is None or after < before)
    return isinstance(change, Cancel)


def _changes_amounts(change: Change) -> bool:
    """That a payer enrolled, or a description changed, moves no money; and of what ends there is no further charge to change."""
    return isinstance(change, Update) and not _ends_one(change) and change.old.subscription.items != change.new.items


def _too_many(number: int, of: int, percent: Decimal, allowed: int) -> bool:
    return number > allowed and Decimal(number) * 100 > percent * of


def _newest_first(live: Sequence[LiveSubscription]) -> list[LiveSubscription]:
    return sorted(live, key=lambda s: (s.generation, s.created), reverse=True)


def _unit_changes(want: Wanted | None, live: list[LiveSubscription], today: date) -> list[Change]:
    if want is None:
        return [
            _cancel(old, today, "the agreement ended or left the field mapping's filter") for old in live if _goes_on(old, today)
        ]
    surplus: list[Change] = [
        _cancel(old, today, "a second subscription of one billing unit") for old in live[1:] if _goes_on(old, today)
    ]
    keep = [old for old in live[:1] if not _ended_for_good(old, want, today)]
    if not keep:
        return [*surplus, *_create(want, live, today)]
    old = keep[0]
    if _needs_another(old, want):
        cancel: list[Change] = [_cancel(old, today, "payer, cycle, bill day or currency changed")] if _goes_on(old, today) else []
        return [*surplus, *cancel, *_create(want, live, today)]
    if not old.subscription.paused and not old.subscription.automatic:
        return [*surplus, Arm(id=old.id, new=want.subscription)]
    new = _as_it_ends(want.subscription, old.subscription, today)
    return [*surplus, Update(old=old, new=new)] if old.subscription != new else surplus


def _as_it_ends(new: Subscription, old: Subscription, today: date) -> Subscription:
    """Of what ends at the next bill date there is no further draft: what it would charge stays as it was."""
    return replace(new, items=old.items) if new.ends is not None and new.ends <= _next_bill(old, today) else new


def _create(want: Wanted, live: list[LiveSubscription], today: date) -> list[Change]:
    if want.subscription.ends is not None and want.subscription.ends <= max(today, want.first_draft):
        return []  # there is no further draft to make
    generation = max([want.generation, *(old.generation for old in live)]) + 1
    return [Create(new=want.subscription, customer=want.customer, generation=generation, first_draft=want.first_draft)]


def _needs_another(old: LiveSubscription, want: Wanted) -> bool:
    """What the gateway cannot change on a subscription."""
    have, new = old.subscription, want.subscription
    if (have.payer, have.cycle, have.currency) != (new.payer, new.cycle, new.currency):
        return True
    return not same_days(have.bills_on, new.bills_on, new.cycle) or want.customer not in ("", old.customer)


def same_days(one: date, other: date, cycle: Cycle) -> bool:
    """Whether counting from either gives the same days, as after a renewal; a year of them shows every length of month."""
    number = period_number(one, cycle, other)
    return all(boundary(one, cycle, number + step) == boundary(other, cycle, step) for step in range(13))


def _goes_on(old: LiveSubscription, today: date) -> bool:
    """Whether it would still make a draft after the next bill date."""
    return old.subscription.ends is None or old.subscription.ends > _next_bill(old.subscription, today)


def _ended_for_good(old: LiveSubscription, want: Wanted, today: date) -> bool:
    ends = old.subscription.ends
    return ends is not None and ends <= today and (want.subscription.ends is None or want.subscription.ends > today)


def _cancel(old: LiveSubscription, today: date, reason: str) -> Cancel:
    return Cancel(old=old, on=_next_bill(old.subscription, today), reason=reason)


def _next_bill(subscription: Subscription, today: date) -> date:
    number = period_number(subscription.bills_on, subscription.cycle, today) + 1
    return boundary(subscription.bills_on, subscription.cycle, number)
