"""Who approved which charge at which amount. Append-only; what counts is decided in the model."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select
from sqlalchemy.engine import RowMapping

from connector.model.approval import Approval
from connector.model.money import Money
from connector.store.schema import approval as table


def add(tx: Connection, given: Approval) -> None:
    values = {"charge": given.charge, "what": given.what, "who": given.who, "why": given.why, "at": given.at}
    tx.execute(insert(table).values(**values, amount_minor=given.amount.minor, currency=given.amount.currency))


def of(tx: Connection, charge: str) -> tuple[Approval, ...]:
    """The oldest first."""
    rows = tx.execute(select(table).where(table.c.charge == charge).order_by(table.c.id)).mappings()
    return tuple(_approval(row) for row in rows)


def every(tx: Connection) -> dict[str, Sequence[Approval]]:
    """By charge."""
    found: dict[str, list[Approval]] = {}
    for row in tx.execute(select(table).order_by(table.c.id)).mappings():
        found.setdefault(row["charge"], []).append(_approval(row))
    return dict(found)


def _approval(row: RowMapping) -> Approval:
    amount = Money(row["amount_minor"], row["currency"])
    return Approval(charge=row["charge"], what=row["what"], amount=amount, who=row["who"], why=row["why"], at=row["at"])
