"""How far a stream of the partners' was read."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from connector.store.schema import cursor as table
from connector.store.sql import for_update, upsert


def get(tx: Connection, name: str) -> str:
    """ "" before the first."""
    return tx.execute(for_update(tx, select(table.c.value).where(table.c.name == name))).scalar_one_or_none() or ""


def set(tx: Connection, name: str, value: str, *, now: datetime) -> None:
    upsert(tx, table, {"name": name, "value": value, "changed_at": now})
