"""What may go from the store, and when: the history of what was noted and is no longer so. Nothing that was decided, sent,
collected or entered: the ledger, the audit, decisions, charges, deliveries and links are kept, also as proof of what was
done already, so that a partner may repeat what it said years ago."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, select

from connector.store import holds, touched
from connector.store.schema import books_touched, hold, shadow_charge

FORGETS = (hold, books_touched, shadow_charge)  # all others only grow, or hold one row each of what is so now
AT_ONCE = 500  # rows in one transaction; everybody else waits for a writer on SQLite


def _past(before: datetime) -> Sequence[ColumnElement[bool]]:
    """Which rows of FORGETS are of no more use. What a person lifted or settled stays, for it answers later questions."""
    return (
        (hold.c.lifted_at < before) & (hold.c.lifted_by == holds.AGENT),
        (books_touched.c.settled_at < before) & (books_touched.c.settled_by == touched.AS_IT_WAS),
        shadow_charge.c.bill_day < before.date(),
    )


def prune(tx: Connection, *, before: datetime, limit: int = AT_ONCE) -> dict[str, int]:
    """Delete up to `limit` rows of each table, the oldest first. How many of which; empty when nothing is left to delete."""
    gone = {table.name: _delete(tx, table, past, limit) for table, past in zip(FORGETS, _past(before), strict=True)}
    return {name: count for name, count in gone.items() if count}


def _delete(tx: Connection, table: Table, past: ColumnElement[bool], limit: int) -> int:
    id: ColumnElement[Any] = table.c.id
    oldest = select(id).where(past).order_by(id).limit(limit)
    return tx.execute(delete(table).where(id.in_(oldest))).rowcount
