"""What a person or a flow decided and every process must know: the kill switch, the approved plan."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from connector.store.schema import setting as table
from connector.store.sql import for_update, upsert


def get(tx: Connection, name: str, default: Any = None) -> Any:
    """The JSON value; `default` when it was never set."""
    row = tx.execute(for_update(tx, select(table.c.value).where(table.c.name == name))).one_or_none()
    return default if row is None else row.value


def set(tx: Connection, name: str, value: Any, *, now: datetime) -> None:
    upsert(tx, table, {"name": name, "value": value, "changed_at": now})
