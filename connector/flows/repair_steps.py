"""What a repair would write, read from the partners just now; or why only a person can mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.errors import Rejected
from connector.flows.books_invoices import known_payer, of_payer
from connector.flows.desk import Desk
from connector.flows.payout_bookings import said_of
from connector.flows.reconcile import Reconciliation
from connector.model.charge import Charge
from connector.model.drift import Drift
from connector.model.invoice import BooksInvoice
from connector.model.ledger import LedgerEntry, net
from connector.model.mend import Mend, MendKind
from connector.model.money import Money
from connector.ports import Books
from connector.store import balance, booking_dates, charges, ledger

DISMISS = "if it stands for this payment: connector dismiss (its number: connector parked)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Steps:
    said: tuple[str, ...]


def of(desk: Desk, mend: Mend) -> Steps | str:
    """A sentence instead of steps: what a person has to do."""
    if mend.kind is MendKind.DELIVER:
        return _to_psa(desk, mend) if mend.target == "psa" else _apply(desk, mend)
    assert desk.books is not None  # noqa: S101 - the difference was found in them
    if mend.kind is MendKind.BOOK_AGAIN:
        return _book(desk, desk.books, mend)
    return _enter(desk, desk.books, mend)


# In the PSA


def _to_psa(desk: Desk, mend: Mend) -> Steps | str:
    charge, entries = _charge(desk, mend.keys)
    invoice = desk.psa.invoice(charge.psa_invoice) if charge.psa_invoice else None
    if invoice is None:
        return f"create invoice {charge.psa_number} in the PSA again: the payment is then recorded on it by itself"
    collected = net(entries, charge.currency)
    last = max(entry.on for entry in entries)
    return Steps(
        said=(
            f"{desk.psa.name}: invoice {invoice.number} ({invoice.total}, open {invoice.balance}) shows {invoice.payments} paid;"
            f" what is missing of {collected}, collected on {last.isoformat()}, is recorded on it",
        )
    )


# In the books


def _apply(desk: Desk, mend: Mend) -> Steps | str:
    charge, _ = _charge(desk, mend.keys)
    (invoice,) = _invoices(desk, charge) or (None,)
    if invoice is None or invoice.balance.minor <= 0:
        return f"invoice {charge.psa_number} is not open in the books: refund the credit, or apply it to another invoice"
    said = f"books: our payment is applied to invoice {invoice.number}, which is open with {invoice.balance}"
    return Steps(said=(said,))


def _enter(desk: Desk, books: Books, mend: Mend) -> Steps | str:
    entry, charge = _entry(desk, mend.keys[0])
    with desk.store.read() as tx:
        dated = booking_dates.dated(tx, entry.key, entry.on)
    invoices = _invoices(desk, charge)
    invoice = invoices[0] if len(invoices) == 1 else None
    new = f"{books.name}: a payment of {entry.amount} dated {dated.isoformat()} is entered"
    if mend.kind is MendKind.REPLACE:
        closed = books.closed_until()
        if closed is not None and dated <= closed:
            return f"the books are closed until {closed.isoformat()}: put payment {mend.record} right there, or open the period"
    room = _room(books, mend, invoice)
    if invoice is not None and room is not None and room < entry.amount:
        return _does_not_fit(books, invoice, entry, room)
    where = (
        f"applied to invoice {invoice.number}" if invoice is not None else "as the customer's credit until its invoice is there"
    )
    void = (f"{books.name}: payment {mend.record} is voided",) if mend.kind is MendKind.REPLACE else ()
    return Steps(said=(*void, f"{new}, {where}"))


def _room(books: Books, mend: Mend, invoice: BooksInvoice | None) -> Money | None:
    """What is open on the invoice, once the payment that is to be voided is off it."""
    if invoice is None or mend.kind is not MendKind.REPLACE:
        return invoice.balance if invoice is not None else None
    old = books.posted([mend.record]).get(mend.record)
    return invoice.balance + old.on_invoices if old is not None and old.invoice == invoice.id else invoice.balance


def _does_not_fit(books: Books, invoice: BooksInvoice, entry: LedgerEntry, room: Money) -> Steps | str:
    by_hand = books.recorded_by_hand(invoice, entry.amount)
    if by_hand is not None:
        said = f"{books.name}: payment {by_hand.id} ({by_hand.amount}), entered by hand, is taken for it; nothing is written"
        return Steps(said=(said,))
    return (
        f"invoice {invoice.number} is open with {room} in the books, so {entry.amount} does not fit on it any more: see what was"
        f" entered there instead; {DISMISS}"
    )


def _book(desk: Desk, books: Books, mend: Mend) -> Steps | str:
    with desk.store.read() as tx:
        lines = balance.of_booking(tx, mend.keys[0])
        dated = booking_dates.dated(tx, mend.keys[0], lines[0].dated)
    name = said_of(mend.keys[0])
    return Steps(said=(f"{books.name}: {name[:1].lower()}{name[1:]} is booked once more, dated {dated.isoformat()}",))


# What it is about


def _charge(desk: Desk, keys: Sequence[str]) -> tuple[Charge, list[LedgerEntry]]:
    with desk.store.read() as tx:
        charge = charges.get(tx, keys[0])
        entries = [entry for key in keys for entry in ledger.entries(tx, charge=key)]
    if charge is None or not entries:
        raise Rejected(f"the charge {keys[0]} is not in the store, or has no payment")
    return charge, entries


def _entry(desk: Desk, key: str) -> tuple[LedgerEntry, Charge]:
    with desk.store.read() as tx:
        entry = ledger.get(tx, key)
        charge = charges.get(tx, entry.charge) if entry is not None else None
    if entry is None or charge is None:
        raise Rejected(f"the payment journal has no entry {key}")
    return entry, charge


def _invoices(desk: Desk, charge: Charge) -> tuple[BooksInvoice, ...]:
    if desk.books is None or not charge.psa_number:
        return ()
    found = desk.books.invoices([charge.psa_number]).get(charge.psa_number, ())
    return of_payer(desk, known_payer(desk, charge.payer), found, billed=lambda: None)


def notes(desk: Desk, drift: Drift, result: Reconciliation) -> tuple[str, ...]:
    """Of a bill that is overpaid: every payment on it, whoever recorded it."""
    row = next((row for row in result.rows if (row.unit, row.period) == (drift.unit, drift.period) and row.charge), None)
    if drift.kind not in ("overpaid_in_psa", "paid_twice") or row is None:
        return ()
    with desk.store.read() as tx:
        charge = charges.get(tx, row.charge)
    found = desk.psa.received(charge.psa_invoice) if charge is not None and charge.psa_invoice else ()
    return tuple(
        f"on it in the PSA: payment {one.id}, {one.amount}, {one.dated.isoformat() if one.dated else 'no date'},"
        f" by {one.by or 'nobody named'}"
        for one in found
    )
