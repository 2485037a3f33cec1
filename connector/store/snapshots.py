"""What was last read of each agreement, so that only what changed is read and computed again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from connector.store.schema import psa_snapshot as table
from connector.store.sql import upsert

_AT_ONCE = 500  # ids in one statement; SQLite and PostgreSQL have limits


def known(tx: Connection, psa: str) -> dict[str, str]:
    """Agreement id -> hash of what was read."""
    rows = tx.execute(select(table.c.agreement, table.c.hash).where(table.c.psa == psa).order_by(table.c.agreement))
    return {row.agreement: row.hash for row in rows}


def load(tx: Connection, psa: str) -> dict[str, dict[str, Any]]:
    """Agreement id -> what was saved of it."""
    rows = tx.execute(select(table.c.agreement, table.c.content).where(table.c.psa == psa).order_by(table.c.agreement))
    return {row.agreement: row.content for row in rows}


def save(
    tx: Connection, psa: str, id: str, *, hash: str, content: dict[str, Any], next_change: date | None, now: datetime
) -> None:
    """`next_change`: the day on which the agreement changes without any edit."""
    row = {"psa": psa, "agreement": id, "hash": hash, "content": content, "next_change": next_change, "seen_at": now}
    upsert(tx, table, row)


def due(tx: Connection, psa: str, *, on: date) -> list[str]:
    """Agreements that changed by themselves on or before this day, as their snapshot foresaw."""
    query = select(table.c.agreement).where(table.c.psa == psa, table.c.next_change <= on).order_by(table.c.agreement)
    return list(tx.execute(query).scalars())


def forget(tx: Connection, psa: str, ids: Iterable[str]) -> None:
    left = sorted(set(ids))
    while left:
        some, left = left[:_AT_ONCE], left[_AT_ONCE:]
        tx.execute(delete(table).where(table.c.psa == psa, table.c.agreement.in_(some)))
