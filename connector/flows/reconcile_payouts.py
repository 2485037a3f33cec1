"""The three-way check of payouts: the gateway's list, what the agent read of it, and what the books show.

Two lists are read, a hundred rows a request: the gateway's payouts, and the bookings in the books.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from connector.flows.desk import Desk
from connector.flows.payout_bookings import DEPOSIT, KIND, said_of
from connector.model.bookings import Booked
from connector.model.clearing import journal
from connector.model.drift import Drift
from connector.model.money import Money
from connector.model.payout import BalanceKind, BalanceLine, Payout
from connector.model.payout_check import Entered, InBank, of_booking, of_payout, unread
from connector.store import balance, booking_dates, cursors, links, touched
from connector.store.balance import Planned
from connector.store.links import Link

_PAYOUTS = (BalanceKind.PAYOUT, BalanceKind.PAYOUT_FAILURE)
_READ_BY = timedelta(days=1)  # a payout that is younger may not be on the balance yet


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    lines: list[tuple[BalanceLine, Planned | None]]
    made: Mapping[str, Link]  # by booking
    begun: datetime
    accepted: Mapping[tuple[str, str], frozenset[str]]


def compared(desk: Desk, *, since: date) -> tuple[Drift, ...]:
    """Nothing where payouts are not entered in the books, or none was read yet."""
    known = _known(desk, since)
    if known is None or desk.books is None:
        return ()
    start = datetime.combine(max(since, desk.local_date(known.begun)), time(), desk.settings.time_zone)
    at_gateway = {payout.id: payout for payout in desk.gateway.payouts(start)}
    bookings = {name: link for name, link in known.made.items() if link.target and "by_hand" not in link.detail}
    found = desk.books.booked([link.target for link in bookings.values()]) if bookings else {}
    entered = (_entered(desk, link, known, found.get(link.target)) for link in bookings.values())
    return (
        *_unread(desk, known, at_gateway),
        *(
            drift
            for line, planned in known.lines
            for drift in of_payout(_in_bank(desk, line, planned, known, at_gateway), desk.today())
        ),
        *(drift for one in entered if one is not None for drift in of_booking(one)),
    )


def _known(desk: Desk, since: date) -> _Known | None:
    if desk.books is None or desk.settings.accounts.method == "payments_only":
        return None
    with desk.store.read() as tx:
        begun = cursors.get(tx, f"{desk.gateway.name}.balance.begun")
        every = [(line, planned) for line, planned in balance.payouts(tx) if desk.local_date(line.at) >= since]
        made = links.every(tx, KIND, desk.books.name)
        accepted = touched.accepted(tx)
    if not begun:
        return None
    recent = {name: link for name, link in made.items() if desk.local_date(link.intended_at) >= since}
    return _Known(lines=every, made=recent, begun=datetime.fromisoformat(begun), accepted=accepted)


def _unread(desk: Desk, known: _Known, at_gateway: Mapping[str, Payout]) -> Iterator[Drift]:
    read = {line.source for line, _ in known.lines}
    for payout in at_gateway.values():
        if payout.id not in read and known.begun <= payout.created < desk.now() - _READ_BY:
            yield unread(payout)


def _in_bank(desk: Desk, line: BalanceLine, planned: Planned | None, known: _Known, at_gateway: Mapping[str, Payout]) -> InBank:
    link = known.made.get(planned.booking) if planned else None
    return InBank(
        line=line.id,
        id=line.source or line.id,
        amount=-line.amount,
        on=desk.local_date(line.at),
        returned=line.kind is BalanceKind.PAYOUT_FAILURE,
        payout=at_gateway.get(line.source),
        planned=planned is not None,
        booking=planned.booking if planned else "",
        record=link.target if link else "",
    )


def _entered(desk: Desk, link: Link, known: _Known, found: Booked | None) -> Entered | None:
    with desk.store.read() as tx:
        lines = balance.of_booking(tx, link.source)
        dated = booking_dates.dated(tx, link.source, lines[0].dated) if lines else None
    if dated is None:
        return None
    return Entered(
        booking=link.source,
        said=said_of(link.source),
        record=link.target,
        amount=_deposited(lines) if link.source.startswith(DEPOSIT) else _amount(lines),
        dated=dated,
        found=found,
        by_hand="by_hand" in link.detail,
        accepted=known.accepted.get((link.source, link.target), frozenset()),
    )


def _amount(lines: list[Planned]) -> Money | None:
    """As the books count it: all debits. The accounts' own ids do not matter to that."""
    first = lines[0].line
    if first.kind in _PAYOUTS:
        return None if first.fee else Money(abs(first.amount.minor), first.amount.currency)
    names = {name: name for name in ("clearing", "fees", *(one.account for one in lines if one.account))}
    made = journal(((one.line, one.account) for one in lines), names, dated=lines[0].dated)
    return made.amount if made is not None else None


def _deposited(lines: list[Planned]) -> Money | None:
    """A deposit's total is the bank's line; money that was fetched from the bank is a journal, of accounts we forgot."""
    own = next(one.line.amount for one in lines if one.line.kind in _PAYOUTS)
    return -own if own.minor <= 0 else None
