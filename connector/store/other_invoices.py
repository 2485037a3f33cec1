"""Open invoices that no agreement bills and that are not collected, as they were last read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, delete, select

from connector.model.money import Money
from connector.store.schema import other_invoice as table

_PLAIN = ("psa_invoice", "number", "payer", "payer_name", "sort", "dated", "due", "why")


@dataclass(frozen=True, kw_only=True, slots=True)
class Uncollected:
    """`sort`: project, time_and_materials, product, or "" where nobody can tell. `why`: it is not collected by autopay."""

    psa_invoice: str
    number: str
    payer: str
    payer_name: str
    sort: str
    dated: date
    due: date | None
    open: Money
    why: str


def replace_all(tx: Connection, rows: Iterable[Uncollected], *, now: datetime) -> None:
    """Nothing is written while they are the same."""
    wanted = {row.psa_invoice: row for row in rows}
    there = {row.psa_invoice: row for row in every(tx)}
    if gone := [id for id, row in there.items() if wanted.get(id) != row]:
        tx.execute(delete(table).where(table.c.psa_invoice.in_(gone)))
    for id, row in wanted.items():
        if there.get(id) != row:
            tx.execute(table.insert().values(**_row(row), seen_at=now))


def every(tx: Connection) -> list[Uncollected]:
    """By payer, the oldest first."""
    query = select(table).order_by(table.c.payer_name, table.c.payer, table.c.dated, table.c.psa_invoice)
    return [
        Uncollected(**{name: row[name] for name in _PLAIN}, open=Money(row["open_minor"], row["currency"]))
        for row in tx.execute(query).mappings()
    ]


def _row(row: Uncollected) -> dict[str, object]:
    plain = {name: getattr(row, name) for name in _PLAIN}
    return {**plain, "open_minor": row.open.minor, "currency": row.open.currency}
