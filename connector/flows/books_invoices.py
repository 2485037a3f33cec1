"""The books' invoices of one number: which of them is the payer's. A bookkeeper uses numbers of the PSA for others, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from connector.flows.desk import Desk
from connector.model.agreement import Payer
from connector.model.invoice import BooksInvoice
from connector.model.money import Money
from connector.store import payers
from connector.store.payers import PayerRow

BOOKS = "books"  # in `PayerRow.detail`: what the field mapping says about the payer in the books


def of_payer(
    desk: Desk, payer: Payer, found: Sequence[BooksInvoice], *, billed: Callable[[], Money | None]
) -> tuple[BooksInvoice, ...]:
    """Of the invoices that share a number, those of the payer's customer: usually one; none when all are somebody else's.

    Where the books know no customer for the payer, an only one counts if its total is what was `billed` (the PSA invoice's
    total, asked for only then; None: it is gone). A look-up in the books only when no invoice is of the customer that is
    remembered. Rejected when several customers of the books could be the payer.
    """
    if desk.books is None or not found:
        return ()
    mine = _of_customer(found, remembered(desk, payer.key))
    if mine:
        return mine
    customer = look_up(desk, payer)
    if customer:
        return _of_customer(found, customer)
    return tuple(found) if len(found) == 1 and found[0].total == billed() else ()


def customer_of(desk: Desk, payer: Payer) -> str:
    """The payer's customer in the books, as remembered, else looked up; "" when there is none. Rejected: several."""
    return remembered(desk, payer.key) or look_up(desk, payer)


def remembered(desk: Desk, payer: str) -> str:
    with desk.store.read() as tx:
        row = payers.get(tx, payer)
    return row.books_customer if row else ""


def look_up(desk: Desk, payer: Payer) -> str:
    """Ask the books, and remember the answer with the payer. "" when they know no such customer."""
    customer = (desk.books.customer(payer) if desk.books is not None else None) or ""
    with desk.store.begin() as tx:
        row = payers.get(tx, payer.key)
        if row is not None and row.books_customer != customer:
            payers.save(tx, replace(row, books_customer=customer), now=desk.now())
    return customer


def known_payer(desk: Desk, key: str) -> Payer:
    """The payer as last seen in the PSA, also one that none of today's agreements names; at least its id."""
    with desk.store.read() as tx:
        row = payers.get(tx, key)
    if row is None:
        return Payer.of_key(key)
    said = row.detail.get(BOOKS, {})
    payer = Payer.of_key(key, name=row.name, email=row.email)
    return replace(payer, books_id=said.get("id", ""), books_name=said.get("name", ""))


def company_name(row: PayerRow) -> str:
    """The name under which the books know the payer: of a location that of its company."""
    return row.detail.get(BOOKS, {}).get("name", "") or row.name


def with_mapped(row: PayerRow, payer: Payer) -> PayerRow:
    """The row with what the field mapping says of the payer in the books; a customer remembered otherwise is looked up anew."""
    said = {"id": payer.books_id, "name": payer.books_name}
    if row.detail.get(BOOKS, {"id": "", "name": ""}) == said:
        return row
    return replace(row, books_customer=payer.books_id, detail={**row.detail, BOOKS: said})


def _of_customer(found: Sequence[BooksInvoice], customer: str) -> tuple[BooksInvoice, ...]:
    return tuple(invoice for invoice in found if customer and invoice.customer == customer)
