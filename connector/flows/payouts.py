"""Payouts and fees in the books, beside a clearing account: read the gateway's balance, settle how each line is booked,
book it once. The gross of our own payments and reversals is delivered by itself; this is everything else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from connector.errors import ConnectorError, Rejected
from connector.flows.collect import LOOK_AGAIN
from connector.flows.desk import Desk
from connector.model.bookings import Booking
from connector.model.clearing import Waits, account_of, journal, payout_booking, wrong_accounts
from connector.model.payout import BalanceKind, BalanceLine, Payout, PayoutState
from connector.ports import Books, WriteKey
from connector.store import audit, balance, cursors, freshness, ledger, links, settings
from connector.store.balance import Planned
from connector.store.links import Link, LinkState
from connector.store.write_once import write_once

KIND = "balance_booking"  # of links: a booking and its id in the books
WAITS = "payouts.waits"  # sentences for a person
OVERLAP = timedelta(hours=1)  # a line may be listed a little later than it is dated
DOUBT = timedelta(days=1)  # so long a payment that the ledger lacks may still turn out to be ours
_PAYOUTS = (BalanceKind.PAYOUT, BalanceKind.PAYOUT_FAILURE)


@dataclass(kw_only=True, slots=True)
class Booked:
    """What one round did. `waits`: what a person has to see to; what is merely not due is not in it."""

    booked: list[str] = field(default_factory=list)  # names of bookings
    waits: list[str] = field(default_factory=list)


def payouts(desk: Desk) -> Booked:
    """A round in which nothing happened costs one request to the gateway and none to the books."""
    report = Booked()
    if desk.books is None or desk.settings.accounts.method == "payments_only":
        return report
    if desk.settings.accounts.method == "undeposited_funds":
        report.waits.append("Payouts are not entered with books.method: undeposited_funds: make each payout's deposit by hand")
    elif _read(desk):
        _plan(desk, report)
        _book_all(desk, desk.books, report)
    _note_waits(desk, report.waits)
    return report


def _note_waits(desk: Desk, waits: list[str]) -> None:
    with desk.store.begin() as tx:
        if (settings.get(tx, WAITS) or []) != waits:
            settings.set(tx, WAITS, waits, now=desk.now())


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


# Settle how each line is booked


def _plan(desk: Desk, report: Booked) -> None:
    with desk.store.read() as tx:
        lines = balance.unplanned(tx)
    usual = [line for line in lines if line.amount.currency == desk.settings.currency]
    report.waits.extend(
        f"{line.amount} on the gateway's balance ({line.id}) is not in {desk.settings.currency}: enter it by hand"
        for line in lines
        if line not in usual
    )
    for line in usual:
        if line.kind is BalanceKind.PAYOUT:
            _plan_payout(desk, line, usual)
        elif line.kind is BalanceKind.PAYOUT_FAILURE:
            _plan_return(desk, line)
    _plan_days(desk, [line for line in usual if line.kind not in _PAYOUTS], report)


def _plan_payout(desk: Desk, line: BalanceLine, unplanned: Iterable[BalanceLine]) -> None:
    """Dated on its arrival, and not before it; one that came back before it was entered is not entered at all."""
    payout = desk.gateway.payout(line.source)
    if payout is None:
        raise Rejected(f"the gateway does not know the payout {line.source} of its own balance line {line.id}")
    if not payout.stands:
        back = [one for one in unplanned if one.id == payout.returned_by]
        if back:
            _remember(desk, "", [(item, "", desk.local_date(item.at)) for item in (line, *back)])
    elif _arrived(desk, payout):
        _remember(desk, f"payout:{line.id}", [(line, "bank", payout.arrives)])


def _arrived(desk: Desk, payout: Payout) -> bool:
    return payout.arrives <= desk.today() and payout.state in (PayoutState.PAID, PayoutState.IN_TRANSIT)


def _plan_return(desk: Desk, line: BalanceLine) -> None:
    """Money of a payout that is back. While the payout itself is not settled, the two are settled together."""
    with desk.store.read() as tx:
        known = {one.id: planned for one, planned in balance.payouts(tx)}
        of_it = [planned for one, planned in balance.payouts(tx) if one.source == line.source and one.kind is BalanceKind.PAYOUT]
    if known.get(line.id) is None and None not in of_it:
        _remember(desk, f"payout:{line.id}", [(line, "bank", desk.local_date(line.at))])


def _plan_days(desk: Desk, lines: Iterable[BalanceLine], report: Booked) -> None:
    """A day that is over gets one journal; what comes late gets another one, and none is ever changed."""
    days: dict[date, list[tuple[BalanceLine, str, date]]] = {}
    with desk.store.read() as tx:
        for line in lines:
            on = desk.local_date(line.at)
            match _account(desk, tx, line):
                case str(account) if on < desk.today():
                    days.setdefault(on, []).append((line, account, on))
                case Waits(why=why):
                    report.waits.append(why)
                case _:
                    pass  # not due yet
    for on, of_day in sorted(days.items()):
        _plan_day(desk, on, of_day)


def _plan_day(desk: Desk, on: date, lines: list[tuple[BalanceLine, str, date]]) -> None:
    booking = journal(((line, account) for line, account, _ in lines), _ids(desk), dated=on)
    with desk.store.read() as tx:
        number = balance.count(tx, f"day:{on.isoformat()}:") + 1
    _remember(desk, f"day:{on.isoformat()}:{number}" if booking else "", lines)


def _account(desk: Desk, tx: Connection, line: BalanceLine) -> str | Waits | None:
    """None: it cannot be told yet. Whether a payment is ours, the ledger says once the gateway's events have been read."""
    accounts = desk.settings.accounts
    ours = bool(line.payment and ledger.of_payment(tx, line.payment))
    found = account_of(line, ours=ours, books_foreign=accounts.books_foreign, reserves=bool(accounts.reserves))
    doubtful = not ours and line.payment and (found == "foreign" or isinstance(found, Waits))
    return None if doubtful and not _events_read(desk, tx, line.at + DOUBT) else found


def _events_read(desk: Desk, tx: Connection, until: datetime) -> bool:
    last = {row.name: row.last_success for row in freshness.every(tx)}.get(f"{desk.gateway.name}.events")
    return last is not None and last >= until and not settings.get(tx, LOOK_AGAIN)


def _remember(desk: Desk, booking: str, lines: Iterable[tuple[BalanceLine, str, date]]) -> None:
    """Which lines a booking is made of is written with the intent to make it, in one transaction."""
    assert desk.books is not None  # noqa: S101 - `payouts` looked
    planned = [Planned(line=line, booking=booking, account=account, dated=dated) for line, account, dated in lines]
    with desk.store.begin() as tx:
        balance.plan(tx, planned, now=desk.now())
        if booking:
            links.intend(tx, KIND, booking, desk.books.name, now=desk.now())


# Book


def _book_all(desk: Desk, books: Books, report: Booked) -> None:
    with desk.store.read() as tx:
        open_ = [link for link in links.every(tx, KIND, books.name).values() if link.state is LinkState.INTENDED]
    if not open_:
        return
    report.waits.extend(account_problems(desk, books))
    if any(said.startswith("books.accounts.") for said in report.waits):
        return
    for link in open_:
        try:
            _book(desk, books, link)
        except Rejected as error:
            report.waits.append(f"{said_of(link.source)} is not in the books: {error}")
        else:
            report.booked.append(link.source)


def account_problems(desk: Desk, books: Books) -> tuple[str, ...]:
    """Sentences, each beginning with the setting. One request."""
    named = _ids(desk)
    found = books.accounts([id for id in named.values() if id])
    return wrong_accounts(named, found, currency=desk.settings.currency)


def _ids(desk: Desk) -> dict[str, str]:
    accounts = desk.settings.accounts
    return {name: getattr(accounts, name) for name in ("clearing", "bank", "fees", "disputed", "reserves", "foreign")}


def said_of(booking: str) -> str:
    kind, _, rest = booking.partition(":")
    return f"The payout of balance line {rest}" if kind == "payout" else f"The journal of {rest.partition(':')[0]}"


def _book(desk: Desk, books: Books, link: Link) -> None:
    with desk.store.read() as tx:
        booking = _booking(desk, balance.of_booking(tx, link.source))

    def noted(tx: Connection, done: Link) -> None:
        after = {"id": done.target, "amount": str(booking.amount), "dated": booking.dated.isoformat()}
        audit.write(tx, who=desk.settings.worker, what=f"booked {link.source} in {books.name}", after=after, now=desk.now())

    write_once(
        desk.store,
        kind=KIND,
        source=link.source,
        target_system=books.name,
        now=desk.now,
        find=lambda key: _found(books, key),
        send=lambda key: books.book(booking, key=key).id,
        find_lag=books.find_lag,
        noted=noted,
    )


def _found(books: Books, key: WriteKey) -> str | None:
    found = books.find_booking(key)
    return found.id if found else None


def _booking(desk: Desk, lines: list[Planned]) -> Booking:
    first = lines[0]
    if first.line.kind in _PAYOUTS:
        return payout_booking(first.line, _ids(desk), dated=first.dated)
    booking = journal(((one.line, one.account) for one in lines), _ids(desk), dated=first.dated)
    if booking is None:
        raise Rejected(f"nothing is left to book of {first.booking}: the accounts of its lines are the same by now")
    return booking


def problems(desk: Desk) -> tuple[str, ...]:
    """For a check of the configuration: what is wrong with the accounts; empty when the method needs none."""
    if desk.books is None or desk.settings.accounts.method == "payments_only":
        return ()
    try:
        return account_problems(desk, desk.books)
    except ConnectorError as error:
        return (f"books.accounts: they could not be checked: {error}",)
