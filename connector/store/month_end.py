"""Month ends that were frozen. A report is written once and never changed, which triggers in the database enforce."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from connector.store.schema import month_end as table
from connector.store.sql import insert_new


@dataclass(frozen=True, kw_only=True, slots=True)
class Frozen:
    """`content` is JSON; `digest` is the SHA-256 of it, as it was written. `why` is "" where nothing had to be said."""

    month: str
    content: Any
    digest: str
    who: str
    why: str
    frozen_at: datetime


_FIELDS = tuple(table.c[name] for name in Frozen.__dataclass_fields__)


def get(tx: Connection, month: str) -> Frozen | None:
    row = tx.execute(select(*_FIELDS).where(table.c.month == month)).mappings().one_or_none()
    return None if row is None else Frozen(**row)


def freeze(tx: Connection, frozen: Frozen) -> bool:
    """False, and nothing is written, when the month is frozen already."""
    return insert_new(tx, table, {name: getattr(frozen, name) for name in Frozen.__dataclass_fields__})
