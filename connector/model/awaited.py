"""What another tool is to write where we are not the owner: not there yet, or later than it may be. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connector.model.money import Money

if TYPE_CHECKING:
    from connector.model.drift import Row


@dataclass(frozen=True, kw_only=True, slots=True)
class Awaited:
    """`waiting`: its days are not over, it may come by itself."""

    kind: str
    message: str
    repair: str
    waiting: bool


def in_psa(row: Row) -> Awaited | None:
    """What the accounting sync is to bring, or to take back, so that the PSA shows what was collected."""
    if row.psa_paid is None or row.psa_open is None or row.partly_paid:
        return None
    missing = row.to_show - row.psa_paid
    if missing.minor > 0 and row.psa_open.minor > 0:
        return _awaited(row, "psa_payment_awaited", "accounting sync", "brought", missing, "to the PSA")
    if row.went_back and missing.minor < 0 and (row.books_open is None or row.books_open > row.psa_open):
        return _awaited(row, "psa_payment_awaited", "accounting sync", "taken back", -missing, "in the PSA")
    return None


def in_books(row: Row) -> Awaited | None:
    """The PSA shows what we wrote there; the books are to show the same."""
    if row.psa_open is None or row.psa_total is None or not (row.ledger or row.went_back):
        return None
    missing = (row.books_open if row.books_open is not None else row.psa_total) - row.psa_open
    if missing.minor > 0 and row.ledger:
        return _awaited(row, "books_payment_awaited", "PSA's own sync", "brought", missing, "to the books")
    if missing.minor < 0 and row.went_back:
        return _awaited(row, "books_payment_awaited", "PSA's own sync", "taken back", -missing, "in the books")
    return None


def _awaited(row: Row, kind: str, writer: str, verb: str, amount: Money, where: str) -> Awaited:
    said = f"the {writer} has not {verb} {amount} of invoice {row.psa_number} {where}"
    if row.overdue is None:
        way = "it goes away by itself when the sync has run"
        return Awaited(kind=kind, message=f"{said} yet", repair=way, waiting=True)
    said = f"{said} within {row.overdue} days; it is written by that tool alone (write_back)"
    way = "look into its log and run it; or do by hand what it left out, then: connector sync --once"
    return Awaited(kind=kind, message=said, repair=way, waiting=False)
