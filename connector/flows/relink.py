"""Links to payments in the books, also those that were lost: what was delivered says which record it was."""

from __future__ import annotations

from connector.flows.desk import Desk
from connector.store import links, outbox
from connector.store.links import Link


def relinked(desk: Desk, books: str) -> dict[str, Link]:
    """Every link, by ledger key."""
    with desk.store.begin() as tx:
        journals = links.every(tx, "reversal_booking", books)  # what was undone may be one, and no payment
        for delivery in (d for d in outbox.unlinked(tx, f"books:{books}", "books_payment") if d.entry not in journals):
            link = links.intend(tx, "books_payment", delivery.entry, books, now=desk.now())
            detail = {"adopted": True} if "recorded in the books by hand" in delivery.note else {}
            links.linked(tx, link, target=delivery.external_id, detail=detail, now=desk.now())
        return links.every(tx, "books_payment", books)
