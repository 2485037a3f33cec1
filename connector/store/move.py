"""Move a whole store into another, empty database: all rows or none, compared by count and content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Integer, Row, Table, func, insert, select, text

from connector.errors import ConfigError
from connector.store import migrate
from connector.store.database import Store
from connector.store.schema import metadata

BATCH = 1000
OWN = frozenset({"lease", "budget"})  # what the processes on a database have of their own


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    table: str
    rows: int
    content: str  # hash of all rows


def counts(source: Store) -> dict[str, int]:
    """By table, those with rows."""
    with source.read() as tx:
        found = {table.name: _count(tx, table) for table in _tables()}
    return {name: number for name, number in found.items() if number}


def move(source: Store, target: Store, *, progress: Callable[[str, int, int], None] = lambda *_: None) -> list[Moved]:
    """ConfigError when the target is not empty, or does not hold the same afterwards; then it is not usable, and says so."""
    _prepare(target)
    tables = _tables()
    moved: list[Moved] = []
    with source.read() as old, target.moving() as new:
        for number, table in enumerate(tables, start=1):
            progress("tables", number, len(tables))
            for batch in _batches(old, table):
                new.execute(insert(table), [dict(row._mapping) for row in batch])
            moved.append(_compared(old, new, table))
            _count_on(new, table)
        migrate.set_version(new, migrate.HEAD)
    return moved


def _prepare(target: Store) -> None:
    """The tables, and the word that they are not filled yet: an interrupted move leaves just that, and may be repeated."""
    target.upgrade(unfinished_too=True)
    with target.moving() as tx:
        filled = [table.name for table in _tables() if _count(tx, table)]
        if filled:
            raise ConfigError(
                f"the database that it is to be moved to is not empty ({', '.join(filled[:3])}). Nothing was written."
                " Give it a new, empty database."
            )
        migrate.set_version(tx, migrate.MOVING)


def _tables() -> list[Table]:
    """Those that others refer to first."""
    return [table for table in metadata.sorted_tables if table.name not in OWN]


def _count(tx: Connection, table: Table) -> int:
    return int(tx.execute(select(func.count()).select_from(table)).scalar_one())


def _batches(tx: Connection, table: Table) -> Iterator[list[Row[Any]]]:
    result = tx.execute(select(table).order_by(*table.primary_key).execution_options(yield_per=BATCH))
    for batch in result.partitions():
        yield list(batch)


def _compared(old: Connection, new: Connection, table: Table) -> Moved:
    there, here = _content(new, table), _content(old, table)
    if there != here:
        raise ConfigError(
            f"the table {table.name} came over differently ({there[0]} of {here[0]} rows). The new database is not usable;"
            " the old one is as it was."
        )
    return Moved(table=table.name, rows=here[0], content=here[1])


def _content(tx: Connection, table: Table) -> tuple[int, str]:
    """Count, and a hash over the rows whatever their order is: databases sort text differently."""
    number, together = 0, 0
    for batch in _batches(tx, table):
        for row in batch:
            line = json.dumps([_plain(value) for value in row], sort_keys=True, ensure_ascii=False)
            together = (together + int.from_bytes(hashlib.sha256(line.encode()).digest())) % 2**256
            number += 1
    return number, f"{together:064x}"


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value


def _count_on(tx: Connection, table: Table) -> None:
    """Numbers that the database gives go on after the highest."""
    keys = list(table.primary_key)
    if tx.dialect.name != "postgresql" or len(keys) != 1 or not isinstance(keys[0].type, Integer):
        return
    highest = tx.execute(select(func.max(keys[0]))).scalar_one()
    if highest is not None:
        named = {"table": table.name, "column": keys[0].name, "highest": highest}
        tx.execute(text("SELECT setval(pg_get_serial_sequence(:table, :column), :highest)"), named)
