"""Repair one difference of the three-way check: first the plan, then, once a person has said so, its work is left to `deliver`.

Nothing is written to a partner here, and never past the outbox: what was removed is delivered again under its old key, as a
further attempt of the same write, so that it cannot be there twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from connector.errors import Rejected
from connector.flows import repair_steps
from connector.flows.books_case import PAYMENT
from connector.flows.deliver_books import REPLACES
from connector.flows.desk import Desk
from connector.flows.payout_bookings import KIND as BOOKING
from connector.flows.reconcile import Reconciliation, reconcile
from connector.flows.repair_steps import Steps
from connector.model.drift import Drift
from connector.model.ledger import EntryKind
from connector.model.mend import Mend, MendKind
from connector.store import audit, ledger, links, outbox, touched
from connector.store.links import Link
from connector.store.outbox import Delivery, DeliveryState

CHANGED = "is no longer as the plan says; look again: connector reconcile"
_OFF = frozenset({"gone", "amount", "date"})  # what applying a payment again does not put right


@dataclass(frozen=True, kw_only=True, slots=True)
class Repair:
    """`steps`: what is written where, empty where only a person can mend it. `notes`: what helps the person."""

    drift: Drift
    steps: tuple[str, ...]
    by_hand: str
    notes: tuple[str, ...] = ()


def plan(desk: Desk, id: str, *, since: date | None = None) -> Repair:
    """Compares everything anew. Rejected when there is no such difference (any more)."""
    result = reconcile(desk, since=since)
    drift = find(result, id)
    if drift is None:
        raise Rejected(f"no mismatch has the number {id} (any more); those that there are: connector reconcile")
    if drift.waiting:
        return Repair(drift=drift, steps=(), by_hand=f"it goes away by itself; to do it now: {drift.repair}")
    if drift.mend is None:
        return Repair(drift=drift, steps=(), by_hand=drift.repair, notes=repair_steps.notes(desk, drift, result))
    found = repair_steps.of(desk, drift.mend)
    steps = found.said if isinstance(found, Steps) else ()
    return Repair(drift=drift, steps=steps, by_hand="" if isinstance(found, Steps) else found)


def find(result: Reconciliation, id: str) -> Drift | None:
    wanted = id.strip().casefold()
    return next((drift for drift in result.drifts if drift.id == wanted), None)


def carry_out(desk: Desk, repair: Repair, *, who: str, why: str) -> str:
    """In the store alone; the flow that then does it (`deliver` or `payouts`). Rejected when it has changed meanwhile."""
    mend = repair.drift.mend
    if mend is None or not repair.steps:
        raise Rejected(f"the agent cannot mend {repair.drift.id} by itself: {repair.by_hand}")
    if not (who.strip() and why.strip()):
        raise Rejected("say who you are (--as) and why it is to be written (--why): both are kept in the audit")
    with desk.store.begin() as tx:
        _begin(desk, tx, mend)
        what = f"repair {repair.drift.id} ({repair.drift.kind}): {'; '.join(repair.steps)}"
        audit.write(tx, who=who, what=what, why=why, before={"found": repair.drift.message}, now=desk.now())
    return "payouts" if mend.kind is MendKind.BOOK_AGAIN else "deliver"


def _begin(desk: Desk, tx: Connection, mend: Mend) -> None:
    match mend.kind:
        case MendKind.DELIVER:
            _deliver(desk, tx, mend)
        case MendKind.ENTER_AGAIN | MendKind.REPLACE:
            _enter_again(desk, tx, mend)
        case MendKind.BOOK_AGAIN:
            link = _link(desk, tx, BOOKING, mend)
            links.unlink(tx, link, now=desk.now(), detail=link.detail)
            touched.as_it_was(tx, link.source, link.target, but=frozenset(), now=desk.now())


def _deliver(desk: Desk, tx: Connection, mend: Mend) -> None:
    for key in mend.keys:
        _nothing_is_on_its_way(tx, key, mend.target)
    again = [d for d in deliveries(tx, mend) if outbox.reopen(tx, d.id, now=desk.now())]
    if not again:
        raise Rejected(f"what was to be delivered {CHANGED}")
    for delivery in again if mend.target == "books" else ():
        touched.as_it_was(tx, delivery.entry, delivery.external_id, but=_OFF, now=desk.now())


def deliveries(tx: Connection, mend: Mend) -> list[Delivery]:
    """Of the payments of these charges, those that were made; what a person took over stays theirs."""
    paid = [e.key for charge in mend.keys for e in ledger.entries(tx, charge=charge) if e.kind is EntryKind.PAYMENT]
    found = (d for key in paid for d in outbox.of_entry(tx, key) if d.target.startswith(f"{mend.target}:"))
    return [d for d in found if d.state is DeliveryState.DONE and d.external_id]


def _enter_again(desk: Desk, tx: Connection, mend: Mend) -> None:
    link = _link(desk, tx, PAYMENT, mend)
    entry = ledger.get(tx, link.source)
    if entry is None:
        raise Rejected(f"the payment journal has no entry {link.source}")
    _nothing_is_on_its_way(tx, entry.charge, mend.target)
    links.unlink(tx, link, now=desk.now(), detail={REPLACES: mend.record} if mend.kind is MendKind.REPLACE else {})
    touched.as_it_was(tx, link.source, link.target, but=frozenset(), now=desk.now())
    again = [d for d in outbox.of_entry(tx, link.source) if d.target == f"books:{link.target_system}"]
    if not any(outbox.reopen(tx, delivery.id, now=desk.now()) for delivery in again):
        raise Rejected(f"the payment {CHANGED}")


def _link(desk: Desk, tx: Connection, kind: str, mend: Mend) -> Link:
    link = links.find(tx, kind, mend.keys[0], desk.books.name if desk.books is not None else "")
    if link is None or link.target != mend.record:
        raise Rejected(f"{mend.record} {CHANGED}")
    return link


def _nothing_is_on_its_way(tx: Connection, charge: str, target: str) -> None:
    """A reversal that is being delivered looks at the same payment."""
    open_ = [
        d for e in ledger.entries(tx, charge=charge) for d in outbox.of_entry(tx, e.key) if d.state is not DeliveryState.DONE
    ]
    for delivery in (d for d in open_ if d.target.startswith(f"{target}:")):
        raise Rejected(f"{delivery.entry} is still on its way to {delivery.target}: wait for it, or see connector parked")
