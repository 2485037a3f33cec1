"""Billing units as the flows last saw them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select

from connector.store.schema import billing_unit as table
from connector.store.sql import for_update, upsert


@dataclass(frozen=True, kw_only=True, slots=True)
class UnitRow:
    """`payer` is Payer.key; `members` are agreement ids, the root first; `detail` is what else the flows remember."""

    key: str
    payer: str
    payer_name: str
    name: str
    state: str  # awaiting_enrolment, active, ending, ended, not_collected
    members: list[str]
    currency: str
    cycle: str
    timing: str
    anchor: date
    ends: date | None
    detail: dict[str, Any]


_FIELDS = tuple(table.c[name] for name in UnitRow.__dataclass_fields__)


def save(tx: Connection, row: UnitRow, *, now: datetime) -> None:
    upsert(tx, table, {**asdict(row), "changed_at": now})


def get(tx: Connection, key: str) -> UnitRow | None:
    row = tx.execute(for_update(tx, select(*_FIELDS).where(table.c.key == key))).mappings().one_or_none()
    return None if row is None else UnitRow(**row)


def every(tx: Connection) -> list[UnitRow]:
    return [UnitRow(**row) for row in tx.execute(select(*_FIELDS).order_by(table.c.key)).mappings()]


def by_member(tx: Connection) -> dict[str, str]:
    """Agreement id -> key of its billing unit. A unit that ended yields to one that is ending, both to one that goes on."""
    rows = sorted(every(tx), key=_goes_on)
    return {member: row.key for row in rows for member in row.members}


def charging(tx: Connection, open_charges: Collection[str]) -> dict[str, str]:
    """Of these, the units that charge what their agreements are billed: collected ones, and those with `open_charges`."""
    collected = {row.key for row in every(tx) if row.state in ("active", "awaiting_enrolment")}
    return {member: key for member, key in by_member(tx).items() if key in collected or key in open_charges}


def _goes_on(row: UnitRow) -> int:
    return {"ended": 0, "ending": 1}.get(row.state, 2)
