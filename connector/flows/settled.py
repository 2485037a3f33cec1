"""For a PSA that knows an invoice as paid or open, and nothing between: is it settled in full, by our payments together with
what others recorded? A part stays in our ledger, and is told as what that PSA cannot hold."""

from __future__ import annotations

from dataclasses import replace

from connector.flows.books_invoices import known_payer, of_payer
from connector.flows.desk import Desk
from connector.model.charge import Charge
from connector.model.invoice import BooksInvoice, PaidRecord, PaidState, PsaInvoice
from connector.model.ledger import EntryKind, LedgerEntry
from connector.model.money import Money, total
from connector.ports import Books, Capability
from connector.store import charges, ledger, links, settings

PARTLY_PAID = "partly_paid"  # setting: id of the charge -> what is told of its invoice


def holds_parts(desk: Desk) -> bool:
    return Capability.PARTIAL_SETTLEMENT in desk.psa.can


def partly_paid(desk: Desk) -> dict[str, str]:
    """By charge, what is told."""
    with desk.store.read() as tx:
        return dict(settings.get(tx, PARTLY_PAID) or {})


def with_others(desk: Desk, charge: Charge, state: PaidState) -> PaidState:
    """With the day of the last payment, and what others recorded of the invoice, as far as the books show it."""
    if holds_parts(desk):
        return state
    entries = _entries(desk, charge)
    state = replace(state, dated=max((e.on for e in entries if e.kind is EntryKind.PAYMENT), default=state.dated))
    invoice = desk.psa.invoice(charge.psa_invoice) if desk.books is not None and state.collected.minor > 0 else None
    if desk.books is None or invoice is None or state.collected >= invoice.total:
        return state
    return replace(state, elsewhere=_elsewhere(desk, desk.books, charge.payer or invoice.payer, invoice, entries))


def remember(desk: Desk, charge: Charge, record: PaidRecord, collected: Money) -> str:
    """What is told of an invoice that is paid in part, until it is settled or nothing is left of it; "" for any other."""
    partly = not holds_parts(desk) and collected.minor > 0 and not record.recorded and record.balance.minor > 0
    psa = desk.psa.name.capitalize()
    said = f"invoice {charge.psa_number}: {collected} of {record.balance} collected; partly paid, {psa} cannot hold this"
    with desk.store.begin() as tx:
        known = dict(settings.get(tx, PARTLY_PAID) or {})
        fresh = {id: text for id, text in known.items() if id != charge.id}
        if partly:
            fresh[charge.id] = f"{said} and shows it open until it is paid in full."
        if fresh != known:
            settings.set(tx, PARTLY_PAID, fresh, now=desk.now())
    return said if partly else ""


def paid_by_others(invoice: BooksInvoice, ours: Money) -> Money:
    """What the books show as paid on it, besides what we booked there."""
    others = invoice.total - invoice.balance - ours
    return others if others.minor > 0 else Money.zero(others.currency)


def _entries(desk: Desk, charge: Charge) -> list[LedgerEntry]:
    with desk.store.read() as tx:
        together = charges.by_psa_invoice(tx, charge.psa_invoice)
        return [entry for c in together for entry in ledger.entries(tx, charge=c.id)]


def _elsewhere(desk: Desk, books: Books, payer: str, invoice: PsaInvoice, entries: list[LedgerEntry]) -> Money | None:
    numbered = books.invoices([invoice.number]).get(invoice.number, ())
    mine = of_payer(desk, known_payer(desk, payer), numbered, billed=lambda: invoice.total)
    found = [other for other in mine if other.total == invoice.total]
    if len(found) != 1:
        return None
    return paid_by_others(found[0], _ours_in(desk, books, entries))


def _ours_in(desk: Desk, books: Books, entries: list[LedgerEntry]) -> Money:
    with desk.store.read() as tx:
        every = links.every(tx, "books_payment", books.name)
    ids = {link.target for entry in entries if (link := every.get(entry.key)) is not None and link.target}
    posted = books.posted(ids).values() if ids else ()
    return total((payment.on_invoices for payment in posted), entries[0].amount.currency)
