"""Payouts in the books: read the gateway's balance, settle how each line is entered, enter it once.

Beside a clearing account every line that is no payment or reversal of ours is entered by itself (`payouts_clearing`); with
undeposited funds each payout is one deposit of exactly its payments (`payouts_deposits`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from connector.errors import ConnectorError, Rejected
from connector.flows import payout_bookings, payouts_clearing, payouts_deposits
from connector.flows.desk import Desk
from connector.flows.payout_bookings import DEPOSIT, KIND, PAYOUTS, WAIT_OF, WAITS, Round
from connector.model.bookings import Booked, Booking
from connector.model.clearing import Waits, payout_booking, wrong_accounts
from connector.ports import Books, WriteKey
from connector.store import audit, balance, booking_dates, cursors, links, settings, stuck
from connector.store.links import Link, LinkState
from connector.store.stuck import StuckKind
from connector.store.write_once import write_once

OVERLAP = timedelta(hours=1)  # a line may be listed a little later than it is dated


def payouts(desk: Desk) -> Round:
    """A round in which nothing happened costs one request to the gateway and none to the books."""
    report = Round()
    if desk.books is None or desk.settings.accounts.method == "payments_only":
        return report
    if _read(desk):
        by_deposit = desk.settings.accounts.method == "undeposited_funds"
        payouts_deposits.plan(desk, report) if by_deposit else payouts_clearing.plan(desk, report)
        _book_all(desk, desk.books, report)
    _note_waits(desk, report)
    return report


def _note_waits(desk: Desk, report: Round) -> None:
    with desk.store.begin() as tx:
        for name, said in ((WAITS, report.waits), (WAIT_OF, report.wait_of)):
            if (settings.get(tx, name) or type(said)()) != said:
                settings.set(tx, name, said, now=desk.now())


# Read


def _read(desk: Desk) -> bool:
    """Keep the lines since the last time. False in the first round: from then on, and not before, lines are booked."""
    name, begun, now = f"{desk.gateway.name}.balance", f"{desk.gateway.name}.balance.begun", desk.now()
    with desk.store.read() as tx:
        start, until = cursors.get(tx, begun), cursors.get(tx, name)
    if not start:
        with desk.store.begin() as tx:
            cursors.set(tx, begun, now.isoformat(), now=now)
            cursors.set(tx, name, now.isoformat(), now=now)
        return False
    since = max(datetime.fromisoformat(start), datetime.fromisoformat(until) - OVERLAP)
    lines = list(desk.gateway.balance_lines(since, now))
    with desk.store.begin() as tx:
        for line in lines:
            balance.add(tx, line, now=now)
        cursors.set(tx, name, now.isoformat(), now=now)
    return True


# Book


def _book_all(desk: Desk, books: Books, report: Round) -> None:
    with desk.store.read() as tx:
        open_ = [link for link in links.every(tx, KIND, books.name).values() if link.state is LinkState.INTENDED]
        parked = payout_bookings.parked(desk, tx)
    due = [link for link in open_ if link.source not in parked]
    if not due:
        return
    wrong = account_problems(desk, books)
    report.waits.extend(wrong)
    for link in () if wrong else due:
        try:
            _book(desk, books, link, report)
        except Rejected as error:
            payout_bookings.park(desk, link.source, error, report)


def _book(desk: Desk, books: Books, link: Link, report: Round) -> None:
    """What is entered is worked out after the books were asked whether they have it: our own must not be in the way."""
    deposit = payouts_deposits.prepared(desk, books, link) if link.source.startswith(DEPOSIT) else None
    if isinstance(deposit, Waits):
        report.waits.append(deposit.why)
        report.wait_of[link.source] = deposit.why
        return
    there: list[Booked] = []

    def send(key: WriteKey) -> str:
        there.append(books.book(deposit.checked() if deposit is not None else _booking(desk, books, link), key=key))
        return there[-1].id

    def find(key: WriteKey) -> str | None:
        there.extend(filter(None, [books.find_booking(key)]))
        return there[-1].id if there else None

    write_once(
        desk.store,
        kind=KIND,
        source=link.source,
        target_system=books.name,
        now=desk.now,
        find=find,
        send=send,
        find_lag=books.find_lag,
        noted=lambda tx, done: _noted(desk, tx, books, done, there[-1]),
    )
    report.booked.append(link.source)


def _noted(desk: Desk, tx: Connection, books: Books, done: Link, booked: Booked) -> None:
    stuck.worked(tx, StuckKind.BOOKING, done.source)
    what = f"booked {done.source} in {books.name}"
    after = {"id": done.target, "amount": str(booked.amount), "dated": booked.dated.isoformat()}
    audit.write(tx, who=desk.settings.worker, what=what, after=after, now=desk.now())


def _booking(desk: Desk, books: Books, link: Link) -> Booking:
    with desk.store.read() as tx:
        lines = balance.of_booking(tx, link.source)
        dated = booking_dates.dated(tx, link.source, lines[0].dated)
    first = lines[0]
    if first.line.kind not in PAYOUTS:
        return payouts_clearing.booking_of(desk, lines, dated=dated)
    ends = payout_bookings.ids(desk)
    if first.account == payouts_deposits.UNDEPOSITED:
        ends["clearing"] = payouts_deposits.undeposited_of(books)
    return payout_booking(first.line, ends, dated=dated)


# The accounts


def account_problems(desk: Desk, books: Books) -> tuple[str, ...]:
    """Sentences, each beginning with the setting. One request."""
    named = payout_bookings.ids(desk)
    found = books.accounts([id for id in named.values() if id])
    return wrong_accounts(named, found, currency=desk.settings.currency)


def problems(desk: Desk) -> tuple[str, ...]:
    """For a check of the configuration: what is wrong with the accounts; empty when the method needs none."""
    if desk.books is None or desk.settings.accounts.method == "payments_only":
        return ()
    try:
        return account_problems(desk, desk.books)
    except ConnectorError as error:
        return (f"books.accounts: they could not be checked: {error}",)
