"""The audit: who did what, why, before and after. Append-only, which triggers in the database enforce."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from connector.store.schema import audit as table


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditRow:
    """`before` and `after` are JSON; never a secret."""

    id: int
    at: datetime
    who: str
    what: str
    why: str
    before: Any
    after: Any


def write(tx: Connection, *, who: str, what: str, why: str = "", before: Any = None, after: Any = None, now: datetime) -> None:
    tx.execute(insert(table).values(at=now, who=who, what=what, why=why, before=before, after=after))


def every(tx: Connection, limit: int = 100) -> list[AuditRow]:
    """The newest first."""
    return [AuditRow(**row) for row in tx.execute(select(table).order_by(table.c.id.desc()).limit(limit)).mappings()]
