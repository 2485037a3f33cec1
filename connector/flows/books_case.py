"""One ledger entry on its way to the books, and what is needed to enter it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from connector.flows.books_invoices import known_payer
from connector.flows.desk import Desk
from connector.model.agreement import Payer
from connector.model.charge import Charge
from connector.model.invoice import BooksInvoice
from connector.model.ledger import LedgerEntry
from connector.ports import Books
from connector.store import booking_dates, links
from connector.store.links import Link

Invoices = Mapping[str, tuple[BooksInvoice, ...]]
PAYMENT = "books_payment"  # of links: a ledger entry and the payment that it is in the books


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One entry on its way to the books, with the charge's entries in the order written."""

    desk: Desk
    books: Books
    charge: Charge
    entry: LedgerEntry
    entries: tuple[LedgerEntry, ...]
    ahead: Invoices

    def invoices(self, number: str) -> tuple[BooksInvoice, ...]:
        if not number:
            return ()
        return self.ahead[number] if number in self.ahead else tuple(self.books.invoices([number]).get(number, ()))

    def link(self, entry: LedgerEntry | None = None) -> Link | None:
        with self.desk.store.read() as tx:
            return links.find(tx, PAYMENT, (entry or self.entry).key, self.books.name)

    def dated(self, own: date | None = None) -> date:
        """The day on which it happened, or the later one that a person chose because the books are closed for that day."""
        with self.desk.store.read() as tx:
            return booking_dates.dated(tx, self.entry.key, own or self.entry.on)

    def payer(self) -> Payer:
        return known_payer(self.desk, self.entry.payer)
