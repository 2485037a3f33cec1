"""When each thing last succeeded and failed: what health and `status` tell."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select

from connector.store.schema import freshness as table
from connector.store.sql import upsert


@dataclass(frozen=True, kw_only=True, slots=True)
class Freshness:
    """`error` is the last failure's sentence, "" once it succeeded again."""

    name: str
    last_success: datetime | None
    last_failure: datetime | None
    error: str


def succeeded(tx: Connection, name: str, *, now: datetime) -> None:
    upsert(tx, table, {"name": name, "last_success": now, "error": ""})


def failed(tx: Connection, name: str, *, now: datetime, error: str) -> None:
    upsert(tx, table, {"name": name, "last_failure": now, "error": error})


def every(tx: Connection) -> list[Freshness]:
    return [Freshness(**row) for row in tx.execute(select(table).order_by(table.c.name)).mappings()]


def forget(tx: Connection, names: Collection[str]) -> None:
    """These are no longer part of the configuration: what became of them says nothing any more."""
    tx.execute(delete(table).where(table.c.name.in_(names)))
