"""What both ways of entering payouts share: which account a line goes to, and what is remembered of a booking.

A booking is named once and for good: `day:` a day's journal, `payout:` a payout (or its return) between two accounts,
`deposit:` a payout's deposit. The last two are followed by the id of the payout's own line of the balance.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from connector.errors import Rejected
from connector.flows.collect import LOOK_AGAIN
from connector.flows.desk import Desk
from connector.model.clearing import Waits, account_of
from connector.model.money import Money
from connector.model.payout import BalanceKind, BalanceLine, Payout, PayoutState
from connector.store import balance, freshness, ledger, links, settings, stuck
from connector.store.balance import Planned
from connector.store.stuck import StuckKind

KIND = "balance_booking"  # of links: a booking and its id in the books
WAITS = "payouts.waits"  # sentences for a person
WAIT_OF = "payouts.wait_of"  # booking -> what it waits for
DEPOSIT = "deposit:"
BY_HAND = "by hand"  # the target of a link: a person entered it
DOUBT = timedelta(days=1)  # so long a payment that the ledger lacks may still turn out to be ours
PAYOUTS = (BalanceKind.PAYOUT, BalanceKind.PAYOUT_FAILURE)
NAMES = ("clearing", "bank", "fees", "disputed", "reserves", "foreign")


@dataclass(kw_only=True, slots=True)
class Round:
    """What one round did. `waits`: what a person has to see to; what is merely not due is not in it."""

    booked: list[str] = field(default_factory=list)  # names of bookings
    parked: list[str] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)
    wait_of: dict[str, str] = field(default_factory=dict)


# Which account


def ids(desk: Desk) -> dict[str, str]:
    return {name: getattr(desk.settings.accounts, name) for name in NAMES}


def account_for(desk: Desk, tx: Connection, line: BalanceLine) -> str | Waits | None:
    """None: it cannot be told yet. Whether a payment is ours, the ledger says once the gateway's events have been read."""
    accounts = desk.settings.accounts
    ours = bool(line.payment and ledger.of_payment(tx, line.payment))
    found = account_of(line, ours=ours, books_foreign=accounts.books_foreign, reserves=bool(accounts.reserves))
    doubtful = not ours and line.payment and (found == "foreign" or isinstance(found, Waits))
    return None if doubtful and not events_read(desk, tx, line.at + DOUBT) else found


def events_read(desk: Desk, tx: Connection, until: datetime) -> bool:
    last = {row.name: row.last_success for row in freshness.every(tx)}.get(f"{desk.gateway.name}.events")
    return last is not None and last >= until and not settings.get(tx, LOOK_AGAIN)


# What is remembered


def usual(desk: Desk, lines: Iterable[BalanceLine], report: Round) -> list[BalanceLine]:
    """Those in the company's currency; the others are told."""
    found, currency = list(lines), desk.settings.currency
    report.waits.extend(
        f"{line.amount} on the gateway's balance ({line.id}) is not in {currency}: enter it by hand"
        for line in found
        if line.amount.currency != currency
    )
    return [line for line in found if line.amount.currency == currency]


def remember(
    desk: Desk, booking: str, lines: Sequence[tuple[BalanceLine, str, date]], detail: dict[str, Any] | None = None
) -> None:
    """Which lines a booking is made of is written with the intent to make it, in one transaction."""
    assert desk.books is not None  # noqa: S101 - `payouts` looked
    planned = [Planned(line=line, booking=booking, account=account, dated=dated) for line, account, dated in lines]
    with desk.store.begin() as tx:
        for line, _, _ in lines:
            balance.add(tx, line, now=desk.now())
        balance.plan(tx, planned, now=desk.now())
        if booking:
            links.intend(tx, KIND, booking, desk.books.name, now=desk.now(), detail=detail)


def payout_of(desk: Desk, line: BalanceLine) -> Payout:
    payout = desk.gateway.payout(line.source)
    if payout is None:
        raise Rejected(f"the gateway does not know the payout {line.source} of its own balance line {line.id}")
    return payout


def arrived(desk: Desk, payout: Payout) -> bool:
    return payout.arrives <= desk.today() and payout.state in (PayoutState.PAID, PayoutState.IN_TRANSIT)


def settle_returned(desk: Desk, line: BalanceLine, payout: Payout, unplanned: Iterable[BalanceLine]) -> None:
    """A payout that came back before it was entered: neither it nor its return is entered."""
    back = [one for one in unplanned if one.id == payout.returned_by]
    if back:
        remember(desk, "", [(item, "", desk.local_date(item.at)) for item in (line, *back)])
        with desk.store.begin() as tx:
            stuck.worked(tx, StuckKind.BOOKING, f"{DEPOSIT}{line.id}")


def plan_return(desk: Desk, line: BalanceLine, account: str) -> None:
    """Money of a payout that is back. While the payout itself is not settled, the two are settled together."""
    with desk.store.read() as tx:
        known = {one.id: planned for one, planned in balance.payouts(tx)}
        of_it = [planned for one, planned in balance.payouts(tx) if one.source == line.source and one.kind is BalanceKind.PAYOUT]
    if known.get(line.id) is None and None not in of_it:
        remember(desk, f"payout:{line.id}", [(line, account, desk.local_date(line.at))])


# What needs a person


def tried(desk: Desk) -> str:
    """What is configured just now: with another configuration it is tried again by itself."""
    return hashlib.sha256(repr(desk.settings.accounts).encode()).hexdigest()[:16]


def parked(desk: Desk, tx: Connection) -> frozenset[str]:
    """Names of bookings that are not tried again until a person says so."""
    found = stuck.parked(tx, StuckKind.BOOKING)
    return frozenset(one.subject for one in found if one.tried == tried(desk))


def park(desk: Desk, booking: str, error: Rejected, report: Round) -> None:
    proposed = first_open_day(desk, error)
    with desk.store.begin() as tx:
        stuck.park(tx, StuckKind.BOOKING, booking, why=str(error), tried=tried(desk), proposed=proposed, now=desk.now())
    report.parked.append(booking)


def first_open_day(desk: Desk, error: Rejected) -> date | None:
    """Where the books are closed for the day on which it happened."""
    if desk.books is None or error.code != "closed_period":
        return None
    closed = desk.books.closed_until()
    return closed + timedelta(days=1) if closed else None


def entered_by_hand(desk: Desk, tx: Connection, booking: str, *, said: str) -> None:
    """A person made it: it is not made by us any more. Rejected while it may just have been sent."""
    assert desk.books is not None  # noqa: S101 - something of it was parked
    line = balance.get(tx, booking.partition(":")[2])
    link = links.find(tx, KIND, booking, desk.books.name)
    if link is None and line is not None:
        planned = Planned(line=line, booking=booking, account="bank", dated=desk.local_date(line.at))
        balance.plan(tx, [planned], now=desk.now())
    link = link or links.intend(tx, KIND, booking, desk.books.name, now=desk.now())
    if link.sent_at is not None:
        raise Rejected(f"{name_of(tx, booking)} may just have been entered: it is looked up in the agent's next round")
    links.linked(tx, link, target=BY_HAND, detail={"by_hand": said}, now=desk.now())


# What it is called


def said_of(booking: str) -> str:
    kind, _, rest = booking.partition(":")
    return f"The journal of {rest.partition(':')[0]}" if kind == "day" else f"The payout of balance line {rest}"


def line_of(tx: Connection, booking: str) -> BalanceLine | None:
    """A payout's own line; None for a day's journal."""
    return None if booking.startswith("day:") else balance.get(tx, booking.partition(":")[2])


def name_of(tx: Connection, booking: str) -> str:
    line = line_of(tx, booking)
    if line is None:
        return said_of(booking)
    what = "The payout" if line.kind is BalanceKind.PAYOUT else "The return of payout"
    return f"{what} {line.source or line.id} of {-line.amount if line.kind is BalanceKind.PAYOUT else line.amount}"


def amount_of(tx: Connection, booking: str) -> Money | None:
    line = line_of(tx, booking)
    return -line.amount if line is not None else None
