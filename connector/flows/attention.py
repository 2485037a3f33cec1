"""What needs a person because it fails each time it is tried, and what a person says about it: again, or done by hand.

`12` is a payment on its way (`connector status` shows the same number); `t4` is what somebody changed of ours in the books,
`s3` is anything else. Nothing here asks a partner: what is tried again is left to the agent's next round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection

from connector.errors import Rejected
from connector.flows import collect, payout_bookings
from connector.flows.desk import Desk
from connector.flows.reconcile_rows import BY_HAND
from connector.model.ledger import EntryKind, LedgerEntry
from connector.model.money import Money
from connector.store import audit, booking_dates, charges, ledger, outbox, payers, stuck, touched, units
from connector.store.outbox import Delivery
from connector.store.stuck import Stuck, StuckKind
from connector.store.touched import Touched

TOUCHED = "changed by somebody in the books"
OTHERS = {"second_writer": "another tool writes payments in the PSA", "second_payment": "a payment is in the books twice"}
WHAT = {
    StuckKind.CHARGE: "a charge cannot be read at the gateway",
    StuckKind.SUBSCRIPTION: "a change of the subscription is refused by the gateway",
    StuckKind.PAYER: "the payment method cannot be read at the gateway",
    StuckKind.BOOKING: "not in the books",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Parked:
    """`amount` is less than nothing when it went back; None where it is not about an amount. `todo`: what to type.

    `proposed`: the first open day, where the books are closed for its own.
    """

    id: str
    what: str
    name: str
    amount: Money | None
    target: str
    why: str
    since: datetime
    todo: str
    proposed: date | None = None


def parked(desk: Desk, *, target: str = "") -> list[Parked]:
    """The longest parked first. `target`: the beginning of one, e.g. `psa` or `books:quickbooks`."""
    with desk.store.read() as tx:
        names = {row.key: row.name for row in units.every(tx)}
        found = [_delivery(tx, delivery, names) for delivery in outbox.parked(tx)]
        found += [_other(tx, one, names, desk) for one in stuck.parked(tx)]
        found += [_changed(one, desk) for one in touched.open_(tx)]
    return sorted((one for one in found if one.target.startswith(target)), key=lambda one: one.since)


def retry(desk: Desk, id: str, *, who: str, why: str = "", dated: date | None = None) -> Parked:
    """It is tried again in the agent's next round, counted from the first attempt. Rejected: nothing of this id is parked.

    `dated`: the day under which the books are to have it, where they are closed for the day on which it happened.
    """
    one = _known(desk, id)
    if one.id.startswith("t"):
        raise Rejected(f"{one.why}. There is nothing to try again: {one.todo}")
    if dated is not None:
        _choose_day(desk, one, dated, who=who, why=why)
    with desk.store.begin() as tx:
        number = _number(one.id)
        again = stuck.get(tx, number) if one.id.startswith("s") else None
        if again is not None:
            stuck.again(tx, again.id)
        else:
            outbox.retry_parked(tx, number, now=desk.now())
        audit.write(tx, who=who, what=f"tried again: {one.id} ({one.what})", why=why, now=desk.now())
    if again is not None and again.kind is StuckKind.CHARGE:
        collect.look_again(desk, [again.subject])
    return one


def _choose_day(desk: Desk, one: Parked, dated: date, *, who: str, why: str) -> None:
    """Only where the books refused the day on which it happened; never an earlier day, nor one that is to come."""
    if one.proposed is None:
        raise Rejected(
            f"{one.id} ({one.what}) did not fail because of its day, so no other one can be given: connector retry {one.id}"
        )
    if dated < one.proposed:
        raise Rejected(f"the books are closed for {dated.isoformat()}; the first open day is {one.proposed.isoformat()}")
    if dated > desk.today():
        raise Rejected(f"{dated.isoformat()} is still to come; today is {desk.today().isoformat()}")
    with desk.store.begin() as tx:
        booking_dates.choose(tx, _booking(tx, one), dated, who=who, why=why, now=desk.now())


def _booking(tx: Connection, one: Parked) -> str:
    """As its flow names the booking (`store.booking_dates`)."""
    other = stuck.get(tx, _number(one.id)) if one.id.startswith("s") else None
    if other is not None:
        return other.subject
    delivery = outbox.get(tx, _number(one.id))
    assert delivery is not None  # noqa: S101 - it was listed
    return delivery.entry


def retry_all(desk: Desk, *, target: str = "", who: str, why: str = "") -> list[Parked]:
    return [retry(desk, one.id, who=who, why=why) for one in parked(desk, target=target) if not one.id.startswith("t")]


def dismiss(desk: Desk, id: str, *, who: str, why: str) -> Parked:
    """A person entered it there by hand, in a way that cannot be seen from here; or nothing need be done about it.

    Rejected when nobody takes the word for it, or nothing of this id is parked.
    """
    if not (who.strip() and why.strip()):
        raise Rejected("say what you entered instead (--why) and who you are (--as): both are kept in the audit")
    one = _known(desk, id)
    if one.what == WHAT[StuckKind.SUBSCRIPTION]:
        raise Rejected(f"{one.name}: nobody can enter this by hand. Take the payer out of autopay, or: connector retry {one.id}")
    with desk.store.begin() as tx:
        if one.id.startswith("s"):
            _dismiss_stuck(desk, tx, _number(one.id), said=f"{who}: {why}")
        elif one.id.startswith("t"):
            touched.settle(tx, _number(one.id), by=f"{who}: {why}", now=desk.now())
        else:
            outbox.dismiss(tx, _number(one.id), why=f"{BY_HAND}{why} ({who})", now=desk.now())
        audit.write(tx, who=who, what=f"dismissed {one.id} ({one.what} to {one.target})", why=why, now=desk.now())
    return one


def _dismiss_stuck(desk: Desk, tx: Connection, number: int, *, said: str) -> None:
    other = stuck.get(tx, number)
    if other is not None and other.kind is StuckKind.BOOKING:
        payout_bookings.entered_by_hand(desk, tx, other.subject, said=said)
    stuck.forget(tx, number)


def _known(desk: Desk, id: str) -> Parked:
    wanted = id.strip().casefold().removeprefix("#")
    found = next((one for one in parked(desk) if one.id == wanted), None)
    if found is None:
        raise Rejected(f"nothing with the number {id} needs attention; what does, with its number: connector parked")
    return found


def _number(id: str) -> int:
    return int(id.lstrip("st"))


def _delivery(tx: Connection, delivery: Delivery, names: dict[str, str]) -> Parked:
    entry = ledger.get(tx, delivery.entry)
    charge = charges.get(tx, entry.charge) if entry else None
    typed = f"connector retry {delivery.id}"
    return Parked(
        id=str(delivery.id),
        what=_what(entry) if entry else delivery.entry,
        name=names.get(charge.unit, charge.unit) if charge else "",
        amount=signed(entry) if entry else None,
        target=delivery.target,
        why=delivery.note,
        since=delivery.run_at,  # it was parked then
        todo=f"{_first(delivery.proposed, typed)} - {_or_by_hand(str(delivery.id))}",
        proposed=delivery.proposed,
    )


def _first(proposed: date | None, typed: str) -> str:
    if proposed is None:
        return f"put it right, then: {typed}"
    return f"enter it on the first open day: {typed} --date {proposed.isoformat()} - or open the period, then: {typed}"


def _or_by_hand(id: str) -> str:
    return f"or, if you entered it by hand: connector dismiss {id} --as NAME --why TEXT"


def _what(entry: LedgerEntry) -> str:
    return f"payment of {entry.on}" if entry.kind is EntryKind.PAYMENT else f"money that went back on {entry.on}"


def signed(entry: LedgerEntry) -> Money:
    return entry.amount if entry.kind is EntryKind.PAYMENT else -entry.amount


def _other(tx: Connection, one: Stuck, names: dict[str, str], desk: Desk) -> Parked:
    name, amount = _SUBJECTS[one.kind](tx, one.subject, names)
    if one.kind is StuckKind.BOOKING:
        return _booking_parked(one, name, amount, desk)
    return Parked(
        id=f"s{one.id}",
        what=WHAT[one.kind],
        name=name,
        amount=amount,
        target=f"gateway:{desk.gateway.name}",
        why=f"{one.why} (tried {one.attempts} times)",
        since=one.parked_at or one.last_at,
        todo=f"put it right, then: connector retry s{one.id}",
    )


def _booking_parked(one: Stuck, name: str, amount: Money | None, desk: Desk) -> Parked:
    id = f"s{one.id}"
    return Parked(
        id=id,
        what=WHAT[one.kind],
        name=name,
        amount=amount,
        target=f"books:{desk.books.name if desk.books is not None else ''}",
        why=one.why,
        since=one.parked_at or one.last_at,
        todo=f"{_first(one.proposed, f'connector retry {id}')} - {_or_by_hand(id)}",
        proposed=one.proposed,
    )


def _changed(one: Touched, desk: Desk) -> Parked:
    return Parked(
        id=f"t{one.id}",
        what=OTHERS.get(one.what, TOUCHED),
        name="",
        amount=None,
        target=f"psa:{desk.psa.name}" if one.what == "second_writer" else f"books:{desk.books.name if desk.books else ''}",
        why=one.said,
        since=one.at,
        todo=touched.todo(one),
    )


def _charge(tx: Connection, subject: str, names: dict[str, str]) -> tuple[str, Money | None]:
    charge = charges.get(tx, subject)
    return (names.get(charge.unit, charge.unit), charge.owed or charge.computed) if charge else (subject, None)


def _unit(_: Connection, subject: str, names: dict[str, str]) -> tuple[str, Money | None]:
    return names.get(subject, subject), None


def _payer(tx: Connection, subject: str, _: dict[str, str]) -> tuple[str, Money | None]:
    return next((row.name for row in payers.every(tx) if row.customer == subject), subject), None


def _payout(tx: Connection, subject: str, _: dict[str, str]) -> tuple[str, Money | None]:
    return payout_bookings.name_of(tx, subject), payout_bookings.amount_of(tx, subject)


_SUBJECTS: dict[StuckKind, Callable[[Connection, str, dict[str, str]], tuple[str, Money | None]]] = {
    StuckKind.CHARGE: _charge,
    StuckKind.SUBSCRIPTION: _unit,
    StuckKind.PAYER: _payer,
    StuckKind.BOOKING: _payout,
}
