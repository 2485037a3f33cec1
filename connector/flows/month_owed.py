"""What each payer owes at a month's end, in the PSA and in the books, and money of theirs that stands on no invoice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from connector.flows import agreements
from connector.flows.bills import read_bills
from connector.flows.books_invoices import company_name
from connector.flows.desk import Desk
from connector.flows.month_books import Entered
from connector.model.agreement import company_of
from connector.model.bookings import Receivable
from connector.model.invoice import PsaInvoice, PsaInvoiceKind
from connector.model.ledger import EntryKind
from connector.model.money import Money, total
from connector.model.month_end import Owed, Unapplied, Unbooked
from connector.model.period import Period
from connector.store import charges, links, payers
from connector.store.payers import PayerRow

DAY = timedelta(days=1)
NEAR = timedelta(days=92)
YEAR = timedelta(days=366)  # an agreement's invoice that is older, and still open, is not found


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
    invoices, after = _invoices(desk, month, rows), _written_after(desk, month, known)
    in_books = desk.books.receivables(on=month.end - DAY) if desk.books is not None else {}
    why = _Why(waiting={one.payer for one in open_}, loose={one.payer for one in loose})
    found = []
    for key, of_company in sorted(_companies(rows).items(), key=lambda item: _called(item[1])):
        theirs = _open(desk, invoices.get(key, ()), after)
        ours = _amount(desk, of_company[0], in_books)
        if ours is not None and ours != theirs:
            theirs = _open(desk, invoices.get(key, ()), _received_after(desk, month, invoices.get(key, ()), after))
        if theirs or ours:
            found.append(Owed(payer=_called(of_company), psa=theirs, books=ours, why=why.of(of_company, theirs, ours)))
    return tuple(found)


def _companies(rows: Mapping[str, PayerRow]) -> dict[str, list[PayerRow]]:
    """The PSA's invoices and the customer in the books are the company's, whichever of its locations pays. The company first."""
    found: dict[str, list[PayerRow]] = {}
    for key in sorted(rows):
        found.setdefault(company_of(key), []).append(rows[key])
    return found


def _called(of_company: Sequence[PayerRow]) -> str:
    first = of_company[0]
    return first.name if first.key == company_of(first.key) else company_name(first)


def _amount(desk: Desk, row: PayerRow, found: Mapping[str, Receivable]) -> Money | None:
    if desk.books is None or not row.books_customer:
        return None
    one = found.get(row.books_customer)
    return one.amount if one is not None else Money.zero(desk.settings.currency)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Why:
    waiting: set[str]
    loose: set[str]

    def of(self, rows: Iterable[PayerRow], psa: Money, books: Money | None) -> str:
        names = {row.name for row in rows}
        if books is None:
            return "no customer in the books is known for this payer"
        if books == psa:
            return ""
        if names & self.waiting:
            return "money of theirs is not booked, see above"
        if names & self.loose:
            return "money of theirs stands on no invoice in the books, see above"
        return "not by payments of the agent: compare their open invoices in the PSA with those in the books"


# The PSA knows what is open now; what was paid after the month's end is put back


def _open(desk: Desk, invoices: Iterable[PsaInvoice], after: Mapping[str, Money]) -> Money:
    zero = Money.zero(desk.settings.currency)
    return total((_signed(one, one.balance + after.get(one.id, zero)) for one in invoices), zero.currency)


def _signed(invoice: PsaInvoice, open_: Money) -> Money:
    """A credit memo lowers what is owed, whichever sign the PSA gives it."""
    return -open_ if invoice.kind is PsaInvoiceKind.CREDIT_MEMO and open_.minor > 0 else open_


def _invoices(desk: Desk, month: Period, rows: Mapping[str, PayerRow]) -> dict[str, tuple[PsaInvoice, ...]]:
    """By payer, dated until the month's end, in the company's currency."""
    since = month.start - YEAR
    alive, _ = agreements.billing_units(desk, agreements.stored_reading(desk))
    found = {invoice.id: invoice for unit in read_bills(desk, alive, since=since).values() for invoice in unit.invoices}
    found |= {invoice.id: invoice for invoice in desk.psa.other_invoices(sorted(_companies(rows)), since=since)}
    of_payer: dict[str, tuple[PsaInvoice, ...]] = {}
    for one in found.values():
        if not one.voided and one.dated < month.end and one.balance.currency == desk.settings.currency:
            of_payer[one.payer] = (*of_payer.get(one.payer, ()), one)
    return of_payer


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


def _received_after(desk: Desk, month: Period, invoices: Iterable[PsaInvoice], ours: Mapping[str, Money]) -> dict[str, Money]:
    """As the PSA lists payments one by one, whoever entered them: asked only where the books say something else."""
    found = dict(ours)
    for one in invoices:
        if one.payments and one.dated >= month.start - NEAR:
            listed = [r for r in desk.psa.received(one.id) if r.dated is not None and r.dated >= month.end]
            found[one.id] = total((r.amount for r in listed), one.balance.currency) if listed else found.get(one.id, _zero(one))
    return found


def _zero(invoice: PsaInvoice) -> Money:
    return Money.zero(invoice.balance.currency)
