"""What the books show of payouts and of a day's fees, beside what the gateway moved. Pure.

kind               what it means
payout_unread      the gateway made a payout, and the agent has not read it
payout_missing     it is at the bank, and not in the books
payout_returned    it came back, and the books still show it at the bank
booking_removed    what was entered of it (or of a day's fees) was deleted in the books
booking_amount     somebody changed its amount there
booking_date       somebody gave it another day there
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from connector.model.bookings import Booked
from connector.model.drift import SYNC, Drift, mended_by
from connector.model.mend import Mend, MendKind
from connector.model.money import Money
from connector.model.payout import Payout

PATIENCE = timedelta(days=3)  # after its arrival: weekends, and a day until it is certain what it is made of
LISTED = "connector payouts says what it waits for"


@dataclass(frozen=True, kw_only=True, slots=True)
class InBank:
    """A payout's line on the gateway's balance, or its return (`returned`). `booking` "": it is not entered, and need not be.

    `payout` None: the gateway did not list it, because it is older than what was asked for.
    """

    line: str
    id: str
    amount: Money  # as the bank sees it
    on: date
    returned: bool
    payout: Payout | None
    planned: bool
    booking: str
    record: str  # its id in the books, "" while it is not entered


@dataclass(frozen=True, kw_only=True, slots=True)
class Entered:
    """A booking that was made. `accepted`: what somebody changed, and said that it is right so."""

    booking: str
    said: str  # what it is, for a person
    record: str
    amount: Money | None  # None where it is not known any more
    dated: date
    found: Booked | None
    by_hand: bool
    accepted: frozenset[str]


def of_payout(one: InBank, today: date) -> Iterator[Drift]:
    if one.record or (one.planned and not one.booking):
        return
    due = one.on if one.payout is None or one.returned else one.payout.arrives
    if due >= today:
        return
    kind = "payout_returned" if one.returned else "payout_missing"
    what = "came back" if one.returned else "arrived at the bank"
    said = f"{one.amount} {what} on {due.isoformat()} and is not in the books"
    waiting = due + PATIENCE >= today
    stale = "" if waiting else f"; stale: it should be there since {(due + PATIENCE).isoformat()}"
    yield _drift(kind, f"payout {one.id}", f"{said}{stale}", LISTED, about=one.line, amount=one.amount, waiting=waiting)


def unread(payout: Payout) -> Drift:
    said = f"the gateway made a payout of {payout.amount} that arrives on {payout.arrives.isoformat()}; it was not read yet"
    return _drift("payout_unread", f"payout {payout.id}", said, SYNC, about=payout.id, amount=payout.amount, waiting=True)


def of_booking(one: Entered) -> Iterator[Drift]:
    name = f"{one.said[:1].lower()}{one.said[1:]}"
    for kind, noted, said, by_hand in _changed(one):
        if noted not in one.accepted:
            found = _drift(kind, name, said, by_hand, about=one.booking, amount=one.amount)
            again = Mend(kind=MendKind.BOOK_AGAIN, target="books", keys=(one.booking,), record=one.record)
            yield mended_by(found, again) if kind == "booking_removed" and not one.by_hand else found


def _changed(one: Entered) -> Iterator[tuple[str, str, str, str]]:
    if one.found is None:
        yield "booking_removed", "gone", f"{one.record} was deleted in the books", "enter it in the books again"
        return
    if one.by_hand:
        return
    if one.amount is not None and one.found.amount != one.amount:
        said = f"{one.record} was changed to {one.found.amount} in the books; it was entered with {one.amount}"
        yield "booking_amount", "amount", said, f"make {one.record} {one.amount} again in the books"
    if one.found.dated != one.dated:
        said = f"{one.record} was dated {one.found.dated.isoformat()} in the books; it was entered on {one.dated.isoformat()}"
        yield "booking_date", "date", said, f"date {one.record} {one.dated.isoformat()} again in the books"


def _drift(kind: str, name: str, message: str, repair: str, *, about: str, amount: Money | None, waiting: bool = False) -> Drift:
    return Drift(
        kind=kind, unit="", name=name, period=None, message=message, repair=repair, waiting=waiting, about=about, amount=amount
    )
