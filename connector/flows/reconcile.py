"""Reconcile: compare PSA, gateway and books, per billing unit and period; classify every difference. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from connector.flows import agreements
from connector.flows.bills import UnitBills, read_bills
from connector.flows.desk import Desk
from connector.model.agreement import BillingUnit
from connector.model.charge import Charge, ChargeState
from connector.model.drift import Drift, Row, compare
from connector.model.invoice import BooksInvoice, Posted, PsaInvoice
from connector.model.ledger import EntryKind, LedgerEntry
from connector.model.money import Money, total
from connector.model.period import Period
from connector.store import charges, freshness, ledger, links, outbox, units


@dataclass(frozen=True, kw_only=True, slots=True)
class Reconciliation:
    """Every row that was compared and every difference. `settled`: no difference but those that go away by themselves."""

    rows: tuple[Row, ...]
    drifts: tuple[Drift, ...]
    since: date

    @property
    def ties(self) -> bool:
        return not self.drifts


def reconcile(desk: Desk, *, since: date | None = None) -> Reconciliation:
    """Everything billed since that day (default: 92 days), each partner read anew."""
    since = max(since or desk.today() - timedelta(days=92), desk.settings.policy.collect_from)
    alive, _ = agreements.billing_units(desk, agreements.stored_reading(desk))
    units_ = {unit.key: unit for unit in alive if unit.collect or _has_charges(desk, unit)}
    bills = read_bills(desk, units_.values(), since=since)
    with desk.store.read() as tx:
        recorded = [c for c in charges.every(tx) if c.period.end >= since]
    facts = _Facts(
        charges={(c.unit, c.period): c for c in recorded},
        collected=_collected(desk, recorded),
        books=_books_invoices(desk, bills),
        posted=_posted(desk),
    )
    rows = tuple(
        _row(desk, _name(desk, unit, units_), unit, period, bills.get(unit), facts)
        for unit, period in sorted(_keys(bills, recorded, since), key=lambda k: (k[0], k[1].start))
    )
    drifts = tuple(drift for row in rows for drift in compare(row))
    with desk.store.begin() as tx:
        freshness.succeeded(tx, "reconcile", now=desk.now())
    return Reconciliation(rows=rows, drifts=drifts, since=since)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Facts:
    charges: Mapping[tuple[str, Period], Charge]
    collected: Mapping[str, Money]  # gateway invoice -> net, read at the gateway
    books: Mapping[str, Sequence[BooksInvoice]]  # by number
    posted: Mapping[str, Posted]  # by ledger entry key


def _has_charges(desk: Desk, unit: BillingUnit) -> bool:
    with desk.store.read() as tx:
        return bool(charges.of_unit(tx, unit.key))


def _name(desk: Desk, key: str, known: Mapping[str, BillingUnit]) -> str:
    if key in known:
        return known[key].name
    with desk.store.read() as tx:
        row = units.get(tx, key)
    return row.name if row else key


def _keys(bills: Mapping[str, UnitBills], recorded: Sequence[Charge], since: date) -> set[tuple[str, Period]]:
    billed = {
        (key, period)
        for key, unit_bills in bills.items()
        for period, invoices in unit_bills.bills.by_period.items()
        if any(invoice.dated >= since for invoice in invoices)
    }
    return billed | {(c.unit, c.period) for c in recorded}


def _collected(desk: Desk, recorded: Sequence[Charge]) -> dict[str, Money]:
    """What the gateway says now, net of what went back."""
    result: dict[str, Money] = {}
    wanted = {c.gateway_invoice for c in recorded if c.state in (ChargeState.RELEASED, ChargeState.PAID, ChargeState.ENDED)}
    for number, id in enumerate(sorted(wanted), start=1):
        desk.settings.progress("charges", number, len(wanted))
        payments = desk.gateway.payments(id)
        back = [reversal.amount for p in payments for reversal in desk.gateway.reversals(p.payment)]
        currency = payments[0].amount.currency if payments else desk.settings.currency
        result[id] = total((p.amount for p in payments), currency) - total(back, currency)
    return result


def _books_invoices(desk: Desk, bills: Mapping[str, UnitBills]) -> Mapping[str, Sequence[BooksInvoice]]:
    numbers = {i.number for b in bills.values() for found in b.bills.by_period.values() for i in found}
    return desk.books.invoices(numbers) if desk.books is not None and numbers else {}


def _posted(desk: Desk) -> dict[str, Posted]:
    if desk.books is None:
        return {}
    with desk.store.read() as tx:
        keys = {link.source: link.target for link in links.every(tx, "books_payment", desk.books.name).values() if link.target}
    found = desk.books.posted(set(keys.values())) if keys else {}
    return {source: found[target] for source, target in keys.items() if target in found}


def _row(
    desk: Desk,
    name: str,
    key: str,
    period: Period,
    unit_bills: UnitBills | None,
    facts: _Facts,
) -> Row:
    charge = facts.charges.get((key, period))
    bill = _bill(unit_bills, period)
    currency = charge.currency if charge else bill.total.currency if bill else desk.settings.currency
    entries, pending = _entries(desk, charge)
    in_books = facts.books.get(bill.number, ()) if bill else ()
    zero = Money.zero(currency)
    return Row(
        unit=key,
        name=name,
        period=period,
        state=charge.state if charge else None,
        due=bill is not None and (bill.due_date or bill.dated) < desk.today(),
        psa_number=bill.number if bill else "",
        psa_total=bill.total if bill else None,
        psa_paid=bill.payments if bill else None,
        psa_open=bill.balance if bill else None,
        gateway_collected=facts.collected.get(charge.gateway_invoice, zero) if charge else zero,
        ledger=_net(entries, currency),
        books_open=total((b.balance for b in in_books), currency) if in_books else None,
        books_ours=_books_ours(desk, entries, facts, currency),
        pending_psa=any(target.startswith("psa:") for target in pending),
        pending_books=any(target.startswith("books:") for target in pending),
        writes_psa=desk.settings.psa_payments == "connector",
        writes_books=desk.books is not None and desk.settings.books_payments,
    )


def _bill(unit_bills: UnitBills | None, period: Period) -> PsaInvoice | None:
    found = unit_bills.bills.of(period) if unit_bills else ()
    return found[0] if found else None


def _entries(desk: Desk, charge: Charge | None) -> tuple[list[LedgerEntry], set[str]]:
    """The charge's ledger entries, and the targets that have not got all of them yet."""
    if charge is None:
        return [], set()
    with desk.store.read() as tx:
        entries = ledger.entries(tx, charge=charge.id)
        waiting = [d for e in entries for d in outbox.of_entry(tx, e.key) if d.state in ("ready", "running")]
    return entries, {delivery.target for delivery in waiting}


def _net(entries: Sequence[LedgerEntry], currency: str) -> Money:
    return total((e.amount if e.kind is EntryKind.PAYMENT else -e.amount for e in entries), currency)


def _books_ours(desk: Desk, entries: Sequence[LedgerEntry], facts: _Facts, currency: str) -> Money | None:
    """What the books hold of it: a voided or deleted payment counts nothing."""
    if desk.books is None:
        return None
    return total((facts.posted[e.key].amount for e in entries if e.key in facts.posted), currency)
