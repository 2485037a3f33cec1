"""Deliver one ledger entry to the books: one payment, applied to the invoice there; a reversal takes it back."""

from __future__ import annotations

from datetime import timedelta

from connector.errors import Rejected
from connector.flows.desk import Desk
from connector.flows.outcome import Done, Later, Outcome
from connector.model.agreement import Payer
from connector.model.charge import Charge
from connector.model.invoice import BooksInvoice, BooksPayment, Posted
from connector.model.ledger import EntryKind, LedgerEntry
from connector.model.money import Money
from connector.ports import Books
from connector.store import charges, ledger, links, payers
from connector.store.links import Link, LinkState
from connector.store.write_once import write_once

WAIT = timedelta(hours=1)
WAIT_UNAPPLIED = timedelta(hours=6)


def deliver(desk: Desk, entry: LedgerEntry) -> Outcome:
    """Post once, then see that it is applied. A payment without its invoice waits, then is posted unapplied."""
    books = desk.books
    if books is None:
        raise Rejected("the configuration names no books")
    if entry.kind is EntryKind.REVERSAL:
        return _reverse(desk, books, entry)
    with desk.store.read() as tx:
        charge = charges.get(tx, entry.charge)
        link = links.find(tx, "books_payment", entry.key, books.name)
    if charge is None:
        raise Rejected(f"the charge {entry.charge} of {entry.key} is not in the store")
    invoice = _invoice(desk, books, charge, entry)
    if link is not None and link.state is LinkState.LINKED:
        return _apply(books, link, invoice)
    if invoice is None and entry.at + timedelta(days=desk.settings.wait_days) > desk.now():
        return Later(note=f"waits for invoice {charge.psa_number or 'of ' + charge.id} in the books", after=WAIT)
    return _post(desk, books, charge, entry, invoice)


def _invoice(desk: Desk, books: Books, charge: Charge, entry: LedgerEntry) -> BooksInvoice | None:
    """Found by number, and by customer where several have it."""
    if not charge.psa_number:
        return None
    found = list(books.invoices([charge.psa_number]).get(charge.psa_number, ()))
    if len(found) > 1:
        customer = books.customer(_payer(desk, entry))
        found = [invoice for invoice in found if invoice.customer == customer]
    if len(found) > 1:
        raise Rejected(f"the books have {len(found)} invoices numbered {charge.psa_number} of one customer; renumber one of them")
    return found[0] if found else None


def _payer(desk: Desk, entry: LedgerEntry) -> Payer:
    with desk.store.read() as tx:
        row = payers.get(tx, entry.payer)
    psa, _, id = entry.payer.partition(":")
    if row is None:
        return Payer(psa=psa, id=id, name=entry.payer)
    return Payer(psa=psa, id=id, name=row.name, email=row.email, books_id=row.books_customer)


def _post(desk: Desk, books: Books, charge: Charge, entry: LedgerEntry, invoice: BooksInvoice | None) -> Outcome:
    if invoice is not None and invoice.balance < entry.amount and not _sent_before(desk, books, entry):
        adopted = books.recorded_by_hand(invoice, entry.amount)
        if adopted is not None:
            return _adopt(desk, books, entry, adopted)
    customer = invoice.customer if invoice else books.customer(_payer(desk, entry))
    if customer is None:
        name = f"{_payer(desk, entry).name} ({entry.payer})"
        return Later(note=f"the books have no customer for {name}: create one, or name its id in the field mapping", after=WAIT)
    payment = _booking(customer, charge, entry, invoice)
    write_once(
        desk.store,
        kind="books_payment",
        source=entry.key,
        target_system=books.name,
        now=desk.now,
        find=lambda key: found.id if (found := books.find(key)) else None,
        send=lambda key: books.post(payment, key=key).id,
        find_lag=books.find_lag,
    )
    with desk.store.read() as tx:
        link = links.find(tx, "books_payment", entry.key, books.name)
    assert link is not None  # noqa: S101 - write_once linked it
    return _apply(books, link, invoice)


def _booking(customer: str, charge: Charge, entry: LedgerEntry, invoice: BooksInvoice | None) -> BooksPayment:
    zero = Money.zero(entry.amount.currency)
    applied = min(entry.amount, max(invoice.balance, zero, key=_minor), key=_minor) if invoice else zero
    return BooksPayment(
        customer=customer,
        invoice=invoice.id if invoice else "",
        applied=applied,
        amount=entry.amount,
        dated=entry.on,
        method=entry.method,
        memo=f"{entry.key} {entry.payment} {entry.invoice}; charge {charge.id}; invoice {charge.psa_number or 'not made yet'}",
    )


def _minor(money: Money) -> int:
    return money.minor


def _sent_before(desk: Desk, books: Books, entry: LedgerEntry) -> bool:
    """What covers the invoice may then be our own payment, not yet visible: it is looked up, not adopted."""
    with desk.store.read() as tx:
        link = links.find(tx, "books_payment", entry.key, books.name)
    return link is not None and link.sent_at is not None


def _adopt(desk: Desk, books: Books, entry: LedgerEntry, adopted: Posted) -> Outcome:
    with desk.store.begin() as tx:
        link = links.intend(tx, "books_payment", entry.key, books.name, now=desk.now())
        links.linked(tx, link, target=adopted.id, detail={"adopted": True}, now=desk.now())
    return Done(external_id=adopted.id, note=f"payment {adopted.id} was recorded in the books by hand already; not written again")


def _apply(books: Books, link: Link, invoice: BooksInvoice | None) -> Outcome:
    """Posted. What is not applied yet is applied as far as the invoice is open; the rest stays the customer's credit."""
    posted = books.posted([link.target]).get(link.target)
    if posted is None:
        return Done(external_id=link.target, note="somebody deleted or voided this payment in the books; it is not made again")
    if posted.unapplied and invoice is None:
        return Later(note=f"posted as {posted.id}, unapplied: waits for its invoice in the books", after=WAIT_UNAPPLIED)
    if posted.unapplied and invoice is not None and invoice.balance:
        amount = min(posted.unapplied, invoice.balance, key=_minor)
        posted = books.apply(posted.id, invoice=invoice.id, amount=amount)
    note = f"{posted.unapplied} of it is the customer's credit in the books" if posted.unapplied else ""
    return Done(external_id=posted.id, note=note)


def _reverse(desk: Desk, books: Books, entry: LedgerEntry) -> Outcome:
    """A whole payment that is in no deposit yet is voided; anything else is for a person, with what to enter."""
    with desk.store.read() as tx:
        payment = next((e for e in ledger.entries(tx, charge=entry.charge) if _is_payment_of(e, entry)), None)
        link = links.find(tx, "books_payment", payment.key, books.name) if payment else None
    if payment is None or link is None or not link.target:
        return Later(note="waits for the payment that it reverses to be posted", after=WAIT)
    if entry.amount != payment.amount:
        raise Rejected(
            f"{entry.amount} of payment {link.target} ({payment.amount}) went back to the payer on {entry.on.isoformat()}"
            f" ({entry.detail}); enter this refund in the books"
        )
    books.void(link.target)
    return Done(external_id=link.target, note=f"voided payment {link.target} ({entry.detail})")


def _is_payment_of(candidate: LedgerEntry, reversal: LedgerEntry) -> bool:
    return candidate.kind is EntryKind.PAYMENT and candidate.payment == reversal.payment
