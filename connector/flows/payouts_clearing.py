"""Payouts and fees beside a clearing account: settle how each line of the gateway's balance is entered.

The gross of our own payments and reversals is delivered by itself; this is everything else.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from connector.errors import Rejected
from connector.flows.desk import Desk
from connector.flows.payout_bookings import (
    PAYOUTS,
    Round,
    account_for,
    arrived,
    ids,
    payout_of,
    plan_return,
    remember,
    settle_returned,
    usual,
)
from connector.model.bookings import Booking
from connector.model.clearing import Waits, journal
from connector.model.payout import BalanceKind, BalanceLine
from connector.store import balance
from connector.store.balance import Planned


def plan(desk: Desk, report: Round) -> None:
    with desk.store.read() as tx:
        lines = balance.unplanned(tx)
    mine = usual(desk, lines, report)
    for line in mine:
        if line.kind is BalanceKind.PAYOUT:
            _plan_payout(desk, line, mine)
        elif line.kind is BalanceKind.PAYOUT_FAILURE:
            plan_return(desk, line, "bank")
    _plan_days(desk, [line for line in mine if line.kind not in PAYOUTS], report)


def _plan_payout(desk: Desk, line: BalanceLine, unplanned: Iterable[BalanceLine]) -> None:
    """Dated on its arrival, and not before it; one that came back before it was entered is not entered at all."""
    payout = payout_of(desk, line)
    if not payout.stands:
        settle_returned(desk, line, payout, unplanned)
    elif arrived(desk, payout):
        remember(desk, f"payout:{line.id}", [(line, "bank", payout.arrives)])


def _plan_days(desk: Desk, lines: Iterable[BalanceLine], report: Round) -> None:
    """A day that is over gets one journal; what comes late gets another one, and none is ever changed."""
    days: dict[date, list[tuple[BalanceLine, str, date]]] = {}
    with desk.store.read() as tx:
        for line in lines:
            on = desk.local_date(line.at)
            match account_for(desk, tx, line):
                case str(account) if on < desk.today():
                    days.setdefault(on, []).append((line, account, on))
                case Waits(why=why):
                    report.waits.append(why)
                case _:
                    pass  # not due yet
    for on, of_day in sorted(days.items()):
        _plan_day(desk, on, of_day)


def _plan_day(desk: Desk, on: date, lines: list[tuple[BalanceLine, str, date]]) -> None:
    booking = journal(((line, account) for line, account, _ in lines), ids(desk), dated=on)
    with desk.store.read() as tx:
        number = balance.count(tx, f"day:{on.isoformat()}:") + 1
    remember(desk, f"day:{on.isoformat()}:{number}" if booking else "", lines)


def booking_of(desk: Desk, lines: list[Planned], *, dated: date) -> Booking:
    """A day's journal."""
    booking = journal(((one.line, one.account) for one in lines), ids(desk), dated=dated)
    if booking is None:
        raise Rejected(f"nothing is left to book of {lines[0].booking}: the accounts of its lines are the same by now")
    return booking
