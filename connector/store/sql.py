"""The few statements that every table's module needs, alike on both databases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select, Table
from sqlalchemy.dialects import postgresql, sqlite

WRITES = "store_writes"  # execution option of a connection whose transaction may write


def _insert(tx: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if tx.dialect.name == "postgresql" else sqlite.insert(table)


def insert_new(tx: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """False, and nothing is written, when a unique index already has such a row."""
    inserted = _insert(tx, table).values(**values).on_conflict_do_nothing().returning(*table.primary_key)
    return tx.execute(inserted).one_or_none() is not None


def upsert(tx: Connection, table: Table, values: Mapping[str, Any]) -> None:
    """Insert, or overwrite the named columns of the row with the same primary key."""
    keys = [column.name for column in table.primary_key]
    others = {name: value for name, value in values.items() if name not in keys}
    tx.execute(_insert(tx, table).values(**values).on_conflict_do_update(index_elements=keys, set_=others))


def for_update(tx: Connection, query: Select[Any]) -> Select[Any]:
    """In a write transaction the row stays ours until the end, so that read, decide, write is one step.

    SQLite has one writer at a time anyway and leaves the clause out.
    """
    return query.with_for_update() if tx.get_execution_options().get(WRITES) else query
