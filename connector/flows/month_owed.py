"""What each payer owes at a month's end, in the PSA and in the books, and money of theirs that stands on no invoice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from connector.flows import agreements
from connector.flows.bills import read_bills
from connector.flows.desk import Desk
from connector.flows.month_books import Entered
from connector.model.invoice import PsaInvoice, PsaInvoiceKind
from connector.model.ledger import EntryKind
from connector.model.money import Money, total
from connector.model.month_end import Owed, Unapplied, Unbooked
from connector.model.period import Period
from connector.store import charges, links, payers
from connector.store.payers import PayerRow

YEAR = timedelta(days=366)  # an agreement's invoice that is older, and still open, is not found


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rows:
    payers: Mapping[str, PayerRow]
    currency: str


def unapplied(desk: Desk, known: Entered) -> tuple[Unapplied, ...]:
    """As the books say just now. Ours: payments of the month and the weeks before it."""
    if desk.books is None:
        return ()
    with desk.store.read() as tx:
        rows = payers.every(tx)
        posted_as = links.every(tx, "books_payment", desk.books.name)
    named = {row.books_customer: row.name for row in rows if row.books_customer}
    of_others = desk.books.unapplied(sorted(named)) if named else {}
    wanted = {posted_as[e.key].target: e for e in known.entries if e.key in posted_as and e.key in known.dated}
    ours = desk.books.posted(set(wanted)) if wanted else {}
    by_payer = {row.key: row.name for row in rows}
    found = [Unapplied(payer=named[id], amount=amount, ours=False) for id, amount in of_others.items() if amount]
    found += [
        Unapplied(payer=by_payer.get(wanted[id].payer, wanted[id].payer), amount=one.unapplied, ours=True)
        for id, one in ours.items()
        if one.unapplied
    ]
    return tuple(sorted(found, key=lambda one: (one.payer, one.ours)))


def owed(desk: Desk, month: Period, known: Entered, open_: Iterable[Unbooked], loose: Iterable[Unapplied]) -> tuple[Owed, ...]:
    """At the end of the month's last day; who owes nothing in either place is left out."""
    with desk.store.read() as tx:
        rows = {row.key: row for row in payers.every(tx)}
    in_psa = _in_psa(desk, month, known, rows)
    last = month.end - timedelta(days=1)
    in_books = desk.books.receivables(on=last) if desk.books is not None else {}
    waiting, unapplied_of = {one.payer for one in open_}, {one.payer for one in loose}
    found = []
    for key, row in sorted(rows.items(), key=lambda item: item[1].name):
        theirs = in_psa.get(key, Money.zero(desk.settings.currency))
        ours = _amount(desk, row, in_books.get(row.books_customer))
        if theirs or ours:
            found.append(Owed(payer=row.name, psa=theirs, books=ours, why=_why(row, theirs, ours, waiting, unapplied_of)))
    return tuple(found)


def _amount(desk: Desk, row: PayerRow, found: object) -> Money | None:
    if desk.books is None or not row.books_customer:
        return None
    amount = getattr(found, "amount", None)
    return amount if isinstance(amount, Money) else Money.zero(desk.settings.currency)


def _why(row: PayerRow, psa: Money, books: Money | None, waiting: set[str], loose: set[str]) -> str:
    if books is None:
        return "no customer in the books is known for this payer"
    if books == psa:
        return ""
    if row.name in waiting:
        return "money of theirs is not booked, see above"
    if row.name in loose:
        return "money of theirs stands on no invoice in the books, see above"
    return "not by payments of the agent: compare the open invoices of the PSA with those of the books"


def _in_psa(desk: Desk, month: Period, known: Entered, rows: Mapping[str, PayerRow]) -> dict[str, Money]:
    currency = desk.settings.currency
    sums: dict[str, Money] = {}
    after = _written_after(desk, month, known)
    for invoice in _invoices(desk, month, rows):
        if invoice.voided or invoice.dated >= month.end or invoice.balance.currency != currency:
            continue
        open_ = invoice.balance + after.get(invoice.id, Money.zero(currency))
        sign = -1 if invoice.kind is PsaInvoiceKind.CREDIT_MEMO and open_.minor > 0 else 1
        sums[invoice.payer] = sums.get(invoice.payer, Money.zero(currency)) + Money(sign * open_.minor, currency)
    return sums


def _invoices(desk: Desk, month: Period, rows: Mapping[str, PayerRow]) -> Iterable[PsaInvoice]:
    since = month.start - YEAR
    alive, _ = agreements.billing_units(desk, agreements.stored_reading(desk))
    found = {invoice.id: invoice for unit in read_bills(desk, alive, since=since).values() for invoice in unit.invoices}
    found |= {invoice.id: invoice for invoice in desk.psa.other_invoices(sorted(rows), since=since)}
    return found.values()


def _written_after(desk: Desk, month: Period, known: Entered) -> dict[str, Money]:
    """By the PSA's invoice, what we wrote there under a later day: it was open by so much more at the month's end."""
    with desk.store.read() as tx:
        invoice_of = {charge.id: charge.psa_invoice for charge in charges.every(tx)}
    found: dict[str, Money] = {}
    for entry in known.entries:
        written = not any(d.target.startswith("psa:") for d in known.open.get(entry.key, ()))
        invoice = invoice_of.get(entry.charge, "")
        if entry.on >= month.end and written and invoice:
            sign = entry.amount if entry.kind is EntryKind.PAYMENT else -entry.amount
            found[invoice] = total((found.get(invoice, Money.zero(sign.currency)), sign), sign.currency)
    return found
