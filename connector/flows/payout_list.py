"""The payouts that the agent has read, and where each stands in the books: from the store alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from connector.flows.desk import Desk
from connector.flows.payout_bookings import BY_HAND, DEPOSIT, KIND, WAIT_OF, WAITS
from connector.model.money import Money
from connector.model.payout import BalanceKind, BalanceLine
from connector.store import balance, links, settings, stuck
from connector.store.balance import Planned
from connector.store.links import Link, LinkState
from connector.store.stuck import StuckKind


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedPayout:
    """`amount` as the bank sees it: more than nothing is money that arrived there. `booked` is "" until it is booked."""

    payout: str
    created: date
    amount: Money
    returned: bool  # the line of a payout that failed or was called off
    booked: str
    state: str  # a sentence

    def as_json(self) -> dict[str, Any]:
        return {
            "payout": self.payout,
            "created": self.created.isoformat(),
            "amount_minor": self.amount.minor,
            "currency": self.amount.currency,
            "returned": self.returned,
            "booked_as": self.booked or None,
            "state": self.state,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class PayoutList:
    rows: tuple[ListedPayout, ...]  # the newest first
    waits: tuple[str, ...]
    said: str


def listed(desk: Desk) -> PayoutList:
    books = desk.books.name if desk.books is not None else ""
    with desk.store.read() as tx:
        found = balance.payouts(tx)
        made = links.every(tx, KIND, books)
        waits = tuple(settings.get(tx, WAITS) or ())
        why = {booking: f"waits: {said}" for booking, said in (settings.get(tx, WAIT_OF) or {}).items()}
        why |= {one.subject: f"needs attention (s{one.id}): {one.why}" for one in stuck.parked(tx, StuckKind.BOOKING)}
    rows = []
    for line, planned in found:
        booking = planned.booking if planned else f"{DEPOSIT}{line.id}"
        rows.append(_row(desk, line, planned, made.get(booking), why.get(booking, "")))
    return PayoutList(rows=tuple(rows), waits=waits, said=_said(desk, tuple(rows)))


def _said(desk: Desk, rows: tuple[ListedPayout, ...]) -> str:
    method = desk.settings.accounts.method
    if method == "payments_only":
        return f"Payouts are not entered in the books with books.method: {method}."
    return f"{len(rows)} payouts since the agent enters them." if rows else "No payout since the agent enters them."


def _row(desk: Desk, line: BalanceLine, planned: Planned | None, link: Link | None, why: str) -> ListedPayout:
    booked = link.target if link is not None and link.state is LinkState.LINKED else ""
    return ListedPayout(
        payout=line.source or line.id,
        created=desk.local_date(line.at),
        amount=-line.amount,
        returned=line.kind is BalanceKind.PAYOUT_FAILURE,
        booked=booked,
        state=_state(planned, booked) if booked or not why else why,
    )


def _state(planned: Planned | None, booked: str) -> str:
    if planned is None:
        return "waits for its arrival"
    if not planned.booking:
        return "came back before it was booked: not entered"
    if booked == BY_HAND:
        return "entered by hand"
    return f"booked as {booked}, dated {planned.dated.isoformat()}" if booked else "waits for the books"
