"""What the mirror does about subscriptions of another product: never one of ours beside one that charges; taken over where a
person confirmed it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import Connection

from connector.flows.applied import BEGUN, begun, note
from connector.flows.desk import Desk
from connector.flows.others import LIVE_SINCE, foreign_of
from connector.model.agreement import BillingUnit, Unusable
from connector.model.others import FOREIGN, ForeignSubscription
from connector.model.subscription import Change, Create, TakeOver
from connector.ports import WriteKey
from connector.store import links, units

ADOPTED = "adopted_subscription"  # kind of link: this unit takes over that foreign subscription


def beside_foreign(
    desk: Desk, changes: Sequence[Change], alive: Mapping[str, BillingUnit]
) -> tuple[tuple[Change, ...], tuple[Unusable, ...]]:
    """A subscription that would be made for a payer who has a foreign one: taken over, or not made."""
    customers = {change.customer for change in changes if isinstance(change, Create) and change.customer}
    if not customers:
        return tuple(changes), ()
    foreign = foreign_of(desk, customers)
    with desk.store.read() as tx:
        adopted = {unit: link.target for unit, link in links.every(tx, ADOPTED, desk.gateway.name).items()}
    result: list[Change] = []
    problems: list[Unusable] = []
    for change in changes:
        others = foreign.get(change.customer, []) if isinstance(change, Create) else []
        if not isinstance(change, Create) or not others:
            result.append(change)
            continue
        mine = next((one for one in others if one.id == adopted.get(change.new.unit)), None)
        left = [one for one in others if one.id not in adopted.values()]
        if mine is not None:
            result.append(_take_over(change, mine))
        elif left:
            problems.append(_problem(alive[change.new.unit], left))
        else:
            result.append(change)
    return tuple(result), tuple(problems)


def take_over(desk: Desk, change: TakeOver) -> None:
    """The link is written ahead, so that after a crash the subscription is found as ours (`_link_found` of the mirror)."""
    unit = change.new.unit
    with desk.store.begin() as tx:
        old = links.find(tx, "subscription", unit, desk.gateway.name)
        if old is not None and old.generation < change.generation:
            links.retire(tx, old, now=desk.now())
        link = links.intend(tx, "subscription", unit, desk.gateway.name, now=desk.now(), generation=change.generation)
        link = links.applied(tx, link, fingerprint="", detail={BEGUN: begun(change)}, now=desk.now())
        _note_day(tx, unit, today=desk.today(), now=desk.now())
    key = WriteKey(value=f"take_over:{unit}:{desk.now().isoformat()}", since=desk.now())
    desk.gateway.apply(change, key=key)
    with desk.store.begin() as tx:
        note(desk, tx, unit, links.linked(tx, link, target=change.id, now=desk.now()), begun(change))


def _note_day(tx: Connection, unit: str, *, today: date, now: datetime) -> None:
    """What was billed before this day is the other product's to collect."""
    row = units.get(tx, unit)
    if row is not None and LIVE_SINCE not in row.detail:
        day = today.isoformat()
        units.save(tx, replace(row, detail={**row.detail, LIVE_SINCE: day, "collect_since": day}), now=now)


def _take_over(change: Create, foreign: ForeignSubscription) -> TakeOver:
    return TakeOver(id=foreign.id, new=change.new, customer=change.customer, generation=change.generation, now=foreign.amount)


def _problem(unit: BillingUnit, left: Sequence[ForeignSubscription]) -> Unusable:
    return Unusable(
        ref=unit.root.ref,
        name=unit.name,
        reason=FOREIGN,
        message=f"{unit.name} (agreement {unit.root.ref.id}): its payer has a subscription at the gateway that is not ours and"
        f" would charge as well: {'; '.join(map(str, left))}. None of ours is made beside it. End it there, or adopt it or say"
        " that it is for something else: connector adopt",
    )
