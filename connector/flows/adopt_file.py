"""The review file: one row for each payer's agreement and proposal, which a person edits and gives back."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from connector.errors import ConfigError, Problem
from connector.flows.adopt import Proposals
from connector.model.adopt import Proposal

COLUMNS = (
    "payer payer_name payer_email agreement unit agreement_amount customer customer_name customer_email method last4 subscription"
    " subscription_amount next_charge books_customer books_matched_by matched_by confidence note fingerprint decision"
).split()
DECISIONS = ("yes", "customer", "unrelated", "no")
MAX_ROWS = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """`line` in the file, counted from 1."""

    line: int
    payer: str
    unit: str
    customer: str
    subscription: str
    books_customer: str
    fingerprint: str
    decision: str


def as_csv(proposals: Proposals) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_row(row, proposals.books) for row in proposals.rows)
    return text.getvalue()


def _row(row: Proposal, books: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    customer, subscription = row.customer, row.subscription
    method = customer.default_method if customer else None
    in_books, by = books.get(row.payer.key, ("", ""))
    cells = {
        "payer": row.payer.key,
        "payer_name": row.payer.name,
        "payer_email": row.payer.email,
        "agreement": row.unit.root.name if row.unit else "",
        "unit": row.unit.key if row.unit else "",
        "agreement_amount": str(row.amount) if row.amount is not None else "",
        "customer": customer.id if customer else "",
        "customer_name": customer.name if customer else "",
        "customer_email": customer.email if customer else "",
        "method": str(method.kind) if method else "",
        "last4": method.last4 if method else "",
        "subscription": subscription.id if subscription else "",
        "subscription_amount": str(subscription.amount) if subscription else "",
        "next_charge": subscription.next_on.isoformat() if subscription and subscription.next_on else "",
        "books_customer": in_books,
        "books_matched_by": by,
        "matched_by": row.matched_by,
        "confidence": row.confidence,
        "note": row.note,
        "fingerprint": row.fingerprint,
        "decision": "",
    }
    return {name: _plain(value) for name, value in cells.items()}


def _plain(text: str) -> str:
    """A spreadsheet would take a cell that begins like this for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text


def read(path: Path) -> list[Row]:
    """The rows with a decision. ConfigError for a file that is not a review file, with line and column."""
    try:
        lines = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(Problem(file=str(path), line=0, column=0, message=f"it cannot be read: {error}")) from None
    if not lines:
        raise ConfigError(Problem(file=str(path), line=1, column=1, message="it is empty; make one with: connector adopt"))
    missing = [name for name in COLUMNS if name not in lines[0]]
    if missing or len(lines) > MAX_ROWS:
        said = f"columns are missing: {', '.join(missing)}" if missing else f"more than {MAX_ROWS} rows"
        raise ConfigError(Problem(file=str(path), line=1, column=1, message=f"{said}; make a new one with: connector adopt"))
    rows = [_read(number, dict(zip(lines[0], cells, strict=False))) for number, cells in enumerate(lines[1:], start=2) if cells]
    return [row for row in rows if row.decision and row.decision != "no"]


def _read(line: int, cells: Mapping[str, str]) -> Row:
    def text(name: str) -> str:
        return cells.get(name, "").strip().removeprefix("'")

    decision = text("decision")
    return Row(
        line=line,
        payer=text("payer"),
        unit=text("unit"),
        customer=text("customer"),
        subscription=text("subscription"),
        books_customer=text("books_customer"),
        fingerprint=text("fingerprint"),
        decision=decision.lower() if decision.lower() in DECISIONS else decision,
    )
