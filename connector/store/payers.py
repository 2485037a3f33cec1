"""Payers: who they are at the gateway and in the books, and how far their enrolment is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select

from connector.store.schema import payer as table
from connector.store.sql import for_update, upsert


@dataclass(frozen=True, kw_only=True, slots=True)
class PayerRow:
    """`customer` is the gateway's id or ""; `link` the enrolment page; `detail` is what else the flows remember."""

    key: str
    name: str
    email: str
    customer: str
    method: str  # "", card, bank_debit, other
    method_last4: str
    method_expires: date | None
    state: str  # awaiting_enrolment, enrolled, method_returned, link_expired
    link: str
    link_expires: datetime | None
    books_customer: str
    detail: dict[str, Any]


_FIELDS = tuple(table.c[name] for name in PayerRow.__dataclass_fields__)


def save(tx: Connection, row: PayerRow, *, now: datetime) -> None:
    upsert(tx, table, {**asdict(row), "changed_at": now})


def get(tx: Connection, key: str) -> PayerRow | None:
    row = tx.execute(for_update(tx, select(*_FIELDS).where(table.c.key == key))).mappings().one_or_none()
    return None if row is None else PayerRow(**row)


def every(tx: Connection) -> list[PayerRow]:
    return [PayerRow(**row) for row in tx.execute(select(*_FIELDS).order_by(table.c.key)).mappings()]
