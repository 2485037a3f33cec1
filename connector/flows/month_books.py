"""What of a month's money is in the books and in the PSA, and what is not: movements, open entries, who owes what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime

from connector.flows.books_case import PAYMENT
from connector.flows.deliver_reversals import KIND as REVERSAL
from connector.flows.desk import Desk
from connector.flows.month_gateway import BEFORE, begins
from connector.flows.payout_bookings import KIND
from connector.model.bookings import Booked
from connector.model.invoice import Posted
from connector.model.ledger import EntryKind, LedgerEntry
from connector.model.month_end import Movement, Unbooked
from connector.model.payout import BalanceKind, BalanceLine
from connector.model.period import Period
from connector.ports import Books
from connector.store import balance as lines_store
from connector.store import booking_dates, charges, cursors, ledger, links, outbox, payers
from connector.store.balance import Planned
from connector.store.links import LinkState
from connector.store.outbox import Delivery, DeliveryState

_OF_PAYMENTS = frozenset(
    (BalanceKind.CHARGE, BalanceKind.REFUND, BalanceKind.REFUND_FAILURE, BalanceKind.DISPUTE, BalanceKind.DISPUTE_REVERSAL)
)
_WHAT = {
    BalanceKind.CHARGE: "payments not collected by the agent",
    BalanceKind.REFUND: "refunds and disputes",
    BalanceKind.REFUND_FAILURE: "refunds and disputes",
    BalanceKind.DISPUTE: "refunds and disputes",
    BalanceKind.DISPUTE_REVERSAL: "refunds and disputes",
    BalanceKind.FEE: "fees",
    BalanceKind.ADJUSTMENT: "fees",
    BalanceKind.RESERVE: "held back by the gateway",
    BalanceKind.PAYOUT: "payouts",
    BalanceKind.PAYOUT_FAILURE: "payouts",
}
_PAYOUTS = (BalanceKind.PAYOUT, BalanceKind.PAYOUT_FAILURE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Entered:
    """Ledger entries, lines of the balance, and the day under which each is in the books."""

    entries: tuple[LedgerEntry, ...]
    open: Mapping[str, tuple[Delivery, ...]]  # by ledger key, deliveries that are not done
    dated: Mapping[str, date]  # by ledger key, of those that are in the books
    elsewhere: frozenset[str]  # ledger keys of payments that the books have in another account than clearing
    planned: Mapping[str, Planned]  # by line
    booked: frozenset[str]  # bookings that were made
    begun: datetime | None  # since when the gateway's balance is entered

    def line_booked(self, line: BalanceLine) -> date | None:
        plan = self.planned.get(line.id)
        if plan is None or (plan.booking and plan.booking not in self.booked):
            return None
        return plan.dated

    def is_gone(self, desk: Desk, entry: LedgerEntry) -> bool:
        """It was entered in the books, and is no more."""
        written = desk.books is not None and desk.settings.books_payments and entry.key not in self.dated
        return written and not any(d.target.startswith("books:") for d in self.open.get(entry.key, ()))


def entered(desk: Desk, month: Period) -> Entered:
    since = month.start - BEFORE
    with desk.store.read() as tx:
        undelivered = outbox.undelivered(tx)
        known = {e.key: e for e in ledger.entries(tx, since=since)}
        older = (ledger.get(tx, delivery.entry) for delivery in undelivered)
        known |= {entry.key: entry for entry in older if entry is not None}
        begun = cursors.get(tx, f"{desk.gateway.name}.balance.begun")
        planned = lines_store.since(tx, begins(desk, since))
        made = links.every(tx, KIND, desk.books.name) if desk.books is not None else {}
    entries = tuple(known.values())
    open_: dict[str, tuple[Delivery, ...]] = {}
    for delivery in undelivered:
        open_[delivery.entry] = (*open_.get(delivery.entry, ()), delivery)
    dated, elsewhere = _in_books(desk, entries, open_)
    return Entered(
        entries=entries,
        open=open_,
        dated=dated,
        elsewhere=elsewhere,
        planned=planned,
        booked=frozenset(name for name, link in made.items() if link.state is LinkState.LINKED),
        begun=datetime.fromisoformat(begun) if begun else None,
    )


def _in_books(
    desk: Desk, entries: Sequence[LedgerEntry], open_: Mapping[str, Sequence[Delivery]]
) -> tuple[dict[str, date], frozenset[str]]:
    """What is in the books, by the day under which they have it, and what of it went to another account than clearing.

    A payment that is void there, or a journal that somebody deleted, is not in the books.
    """
    if desk.books is None:
        return {}, frozenset()
    done = [e for e in entries if not any(d.target.startswith("books:") for d in open_.get(e.key, ()))]
    with desk.store.read() as tx:
        days = {entry.key: booking_dates.dated(tx, entry.key, entry.on) for entry in done}
    written, posted = _read_again(desk, desk.books, days.keys())
    gone = written - posted.keys()
    days |= {key: one.dated for key, one in posted.items() if one.dated is not None}
    voided = {entry.key: _taken_back(entries, entry, days) for entry in done if entry.key in gone}
    dated = {key: on for key, on in days.items() if key not in gone} | {key: on for key, on in voided.items() if on is not None}
    clearing = desk.settings.accounts.clearing
    return dated, frozenset(key for key, one in posted.items() if isinstance(one, Posted) and one.account not in ("", clearing))


def _read_again(desk: Desk, books: Books, keys: Set[str]) -> tuple[Set[str], dict[str, Posted | Booked]]:
    """By ledger key, of these: which were written, as a payment or as a journal, and which of them are there still."""
    with desk.store.read() as tx:
        paid = {key: link.target for key, link in links.every(tx, PAYMENT, books.name).items() if link.target and key in keys}
        back = {key: link.target for key, link in links.every(tx, REVERSAL, books.name).items() if link.target and key in keys}
    posted = books.posted(set(paid.values())) if paid else {}
    booked = books.booked(set(back.values())) if back else {}
    found: dict[str, Posted | Booked] = {key: posted[id] for key, id in paid.items() if id in posted}
    return paid.keys() | back.keys(), found | {key: booked[id] for key, id in back.items() if id in booked}


def _taken_back(entries: Sequence[LedgerEntry], paid: LedgerEntry, days: Mapping[str, date]) -> date | None:
    """A payment that was voided because it went back: it and what took it back leave the books together."""
    back = [e.key for e in entries if e.kind is EntryKind.REVERSAL and e.payment == paid.payment]
    return max((days[key] for key in back if key in days), default=None)


# Movements, to compare the clearing account with the gateway


def movements(desk: Desk, month: Period, lines: Iterable[BalanceLine], known: Entered) -> tuple[Movement, ...]:
    """Of the company's currency. What moved before the agent began to enter the balance, and before the month, is left out."""
    of_lines = [one for line in lines if _counts(desk, month, line, known) for one in _of_line(desk, line, known)]
    with desk.store.read() as tx:
        names = {row.key: row.name for row in payers.every(tx)}
    of_entries = [_of_entry(entry, known, names) for entry in known.entries if not _is_old(month, entry, known)]
    return (*of_lines, *of_entries)


def _counts(desk: Desk, month: Period, line: BalanceLine, known: Entered) -> bool:
    old = known.begun is None or line.at < known.begun
    return line.amount.currency == desk.settings.currency and not (old and desk.local_date(line.at) < month.start)


def _is_old(month: Period, entry: LedgerEntry, known: Entered) -> bool:
    entered_there = entry.key in known.dated and entry.key not in known.elsewhere
    return not entered_there and entry.on < month.start and (known.begun is None or entry.at < known.begun)


def _of_line(desk: Desk, line: BalanceLine, known: Entered) -> Iterable[Movement]:
    """The gross of our own payments and what went back of them is the ledger's; all else is the line's."""
    ours = line.kind in _OF_PAYMENTS and _is_ours(line, known)
    amount = -line.fee if ours else line.net
    if amount:
        what = "fees" if ours else _WHAT.get(line.kind, "other movements")
        yield Movement(
            what=what,
            source=line.source or line.id,
            amount=amount,
            at=desk.local_date(line.at),
            booked=_line_booked(desk, line, known),
        )


def _is_ours(line: BalanceLine, known: Entered) -> bool:
    return any(entry.payment == line.payment for entry in known.entries if line.payment)


def _line_booked(desk: Desk, line: BalanceLine, known: Entered) -> date | None:
    """A payout that came back before it was entered is entered at no time: it is settled when its money is back."""
    plan = known.planned.get(line.id)
    if plan is not None and not plan.booking and line.kind in _PAYOUTS:
        back = [one.line.at for one in known.planned.values() if one.line.source == line.source]
        return desk.local_date(max(back))
    return known.line_booked(line)


def _of_entry(entry: LedgerEntry, known: Entered, names: Mapping[str, str]) -> Movement:
    payment = entry.kind is EntryKind.PAYMENT
    elsewhere = entry.key in known.elsewhere
    return Movement(
        what=f"{'payments' if payment else 'refunds and disputes'}{', entered in another account' if elsewhere else ''}",
        source=names.get(entry.payer, entry.payer),
        amount=entry.amount if payment else -entry.amount,
        at=entry.on,
        booked=None if elsewhere else known.dated.get(entry.key),
    )


# What is not where it belongs


def unbooked(desk: Desk, month: Period, lines: Iterable[BalanceLine], known: Entered) -> tuple[Unbooked, ...]:
    """Dated in the month or before it. The oldest first."""
    found = [
        _entry_open(desk, entry, delivery)
        for entry in known.entries
        if entry.on < month.end
        for delivery in known.open.get(entry.key, ())
    ]
    found += [_entry_gone(desk, entry) for entry in known.entries if entry.on < month.end and known.is_gone(desk, entry)]
    if desk.settings.accounts.method == "clearing_account":
        found += [_line_open(desk, line, known) for line in lines if _is_open(desk, month, line, known)]
    return tuple(sorted(found, key=lambda one: (one.on, one.payer, one.target)))


def _entry_open(desk: Desk, entry: LedgerEntry, delivery: Delivery) -> Unbooked:
    parked = delivery.state is DeliveryState.PARKED
    target = "PSA" if delivery.target.startswith("psa:") else "books"
    do = f"put it right, then: connector retry {delivery.id} --as NAME" if parked else "connector sync tries it at once"
    return _of(desk, entry, target=target, why=delivery.note or "it was not written yet", do=do)


def _entry_gone(desk: Desk, entry: LedgerEntry) -> Unbooked:
    why = "it was entered, and somebody deleted or voided it there"
    return _of(desk, entry, target="books", why=why, do="enter it again in the books; connector reconcile lists it")


def _of(desk: Desk, entry: LedgerEntry, *, target: str, why: str, do: str) -> Unbooked:
    with desk.store.read() as tx:
        charge, row = charges.get(tx, entry.charge), payers.get(tx, entry.payer)
    back = entry.kind is EntryKind.REVERSAL
    number = charge.psa_number if charge is not None else ""
    return Unbooked(
        payer=row.name if row is not None else entry.payer,
        what=f"{entry.detail or 'money that went back' if back else 'payment'} on invoice {number or 'not known yet'}",
        on=entry.on,
        amount=-entry.amount if back else entry.amount,
        target=target,
        why=why,
        do=do,
    )


def _is_open(desk: Desk, month: Period, line: BalanceLine, known: Entered) -> bool:
    """A payout before its arrival is on its way, and nothing is missing."""
    if known.begun is None or line.at < known.begun or known.line_booked(line) is not None:
        return False
    on = known.planned[line.id].dated if line.id in known.planned else desk.local_date(line.at)
    return on < month.end and not (line.id not in known.planned and line.kind in _PAYOUTS)


def _line_open(desk: Desk, line: BalanceLine, known: Entered) -> Unbooked:
    fee_only = line.kind in _OF_PAYMENTS and _is_ours(line, known)
    return Unbooked(
        payer="",
        what=f"{'fee' if fee_only else _WHAT.get(line.kind, line.category)} of {line.source or line.id} on the gateway's balance",
        on=desk.local_date(line.at),
        amount=-line.fee if fee_only else line.net,
        target="books",
        why="it is not entered yet",
        do="connector payouts",
    )
