"""What shadow mode saw, period by period, and since when it is (or was) on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, select

from connector.model.shadow import ShadowCharge
from connector.store import settings
from connector.store.schema import shadow_charge as table
from connector.store.sql import upsert

MODE = "shadow"
_row: TypeAdapter[ShadowCharge] = TypeAdapter(ShadowCharge)


def save(tx: Connection, row: ShadowCharge, *, now: datetime) -> None:
    content = _row.dump_python(row, mode="json")
    upsert(tx, table, {"id": row.id, "unit": row.unit, "bill_day": row.bill_day, "content": content, "changed_at": now})


def every(tx: Connection, *, first: date | None = None, last: date | None = None) -> list[ShadowCharge]:
    """Billed between these two days, both included; by bill date."""
    query = select(table.c.content).order_by(table.c.bill_day, table.c.id)
    if first is not None:
        query = query.where(table.c.bill_day >= first)
    if last is not None:
        query = query.where(table.c.bill_day <= last)
    return [_row.validate_python(content) for content in tx.execute(query).scalars()]


def mode(tx: Connection) -> Mapping[str, Any]:
    """`since` and `until` (ISO dates; until is null while it is on). Empty when shadow mode was never on."""
    return settings.get(tx, MODE) or {}


def is_on(tx: Connection) -> bool:
    said = mode(tx)
    return bool(said) and said.get("until") is None


def begin(tx: Connection, *, today: date, now: datetime) -> None:
    settings.set(tx, MODE, {"since": today.isoformat(), "until": None}, now=now)


def end(tx: Connection, *, today: date, now: datetime) -> None:
    settings.set(tx, MODE, {**mode(tx), "until": today.isoformat()}, now=now)


def live_since(tx: Connection) -> date | None:
    """The day on which shadow mode ended; None when it was never on, or still is."""
    until = mode(tx).get("until")
    return date.fromisoformat(until) if until else None
