"""The totals of each month that the three-way check covers: from what it read, and from the gateway's balance and payouts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from connector.flows.desk import Desk
from connector.flows.month_gateway import BEFORE, begins, read_since
from connector.flows.reconcile_subjects import Subject
from connector.flows.year_end import by_months
from connector.model.charge import Charge, ChargeState
from connector.model.invoice import PsaInvoice
from connector.model.ledger import EntryKind, LedgerEntry, is_reinstated
from connector.model.month_end import month_name
from connector.model.period import Period, add_months
from connector.model.totals import Bill, Dated, MonthTotals, month_totals
from connector.model.year_end import YearMonth

MOST = 12  # months


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """`since`: bills before that day are not in the first month."""

    months: tuple[MonthTotals, ...]
    since: date


def totals(desk: Desk, bills: Iterable[Bill], *, since: date) -> Totals:
    """The last twelve months at most. A few requests to the gateway, and one for every hundred movements on its balance."""
    first = max(since.replace(day=1), add_months(desk.today().replace(day=1), 1 - MOST))
    gateway = _gateway(desk, first)
    kept = tuple(bills)
    currencies = sorted({desk.settings.currency, *gateway, *(bill.currency for bill in kept)})
    found = []
    for currency in currencies:
        of = {one.month: one for one in gateway.get(currency, ())}
        found += [month_totals(month, currency, kept, of.get(month)) for month in _names(first, desk.today())]
    return Totals(months=tuple(found), since=max(since, first))


def _gateway(desk: Desk, first: date) -> dict[str, tuple[YearMonth, ...]]:
    balance = read_since(desk, begins(desk, first - BEFORE))
    return by_months(desk, Period(first, add_months(first, MOST)), balance, {})


def _names(first: date, today: date) -> Iterator[str]:
    month = first
    while month <= today:
        yield month_name(month)
        month = add_months(month, 1)


# What became of each bill


def bills_of(desk: Desk, subjects: Iterable[Subject]) -> tuple[Bill, ...]:
    return tuple(bill for subject in subjects for bill in _of(desk, subject))


def _of(desk: Desk, subject: Subject) -> Iterator[Bill]:
    yield Bill(
        name=subject.name,
        number=subject.number,
        currency=subject.currency,
        state=_state(subject),
        invoiced=_invoiced(subject, subject.bill),
        charged=tuple(dated for charge in subject.charges for dated in _charged(desk, subject, charge)),
        collected=tuple(_dated(e) for e in subject.entries if e.kind is EntryKind.PAYMENT and not is_reinstated(e)),
        refunded=tuple(_back(e) for e in subject.entries if e.kind is EntryKind.REVERSAL or is_reinstated(e)),
    )
    for other in subject.further:
        invoiced = _invoiced(subject, other)
        yield Bill(
            name=subject.name,
            number=other.number,
            currency=subject.currency,
            state=None,
            invoiced=invoiced,
            charged=(),
            collected=(),
            refunded=(),
        )


def _state(subject: Subject) -> ChargeState | None:
    return subject.charges[-1].state if subject.charges else None


def _invoiced(subject: Subject, bill: PsaInvoice | None) -> tuple[Dated, ...]:
    """A bill in another currency than its charge is a mismatch of its own, and no part of a total."""
    if bill is None or bill.total.currency != subject.currency or not bill.total:
        return ()
    return (Dated(on=bill.dated, amount=bill.total),)


def _charged(desk: Desk, subject: Subject, charge: Charge) -> Iterator[Dated]:
    amount = charge.owed if charge.owed is not None else charge.computed
    is_out = charge.released_at is not None and charge.state in (ChargeState.RELEASED, ChargeState.PAID, ChargeState.ENDED)
    if is_out and charge.released_at is not None and amount.currency == subject.currency:
        yield Dated(on=desk.local_date(charge.released_at), amount=amount)


def _dated(entry: LedgerEntry) -> Dated:
    return Dated(on=entry.on, amount=entry.amount)


def _back(entry: LedgerEntry) -> Dated:
    return Dated(on=entry.on, amount=-entry.amount if is_reinstated(entry) else entry.amount)
