"""Payment methods that may not be debited any more, because a debit came back or was disputed; lifted ones are kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from connector.store.schema import method_mark as table
from connector.store.sql import insert_new


@dataclass(frozen=True, kw_only=True, slots=True)
class MethodMark:
    """`reversal` is the gateway's dispute or returned debit, `method` its payment method ("": it did not say which)."""

    reversal: str
    payer: str
    method: str
    reason: str  # dispute | bank_return
    detail: str
    at: datetime


_FIELDS = tuple(table.c[name] for name in MethodMark.__dataclass_fields__)
_ACTIVE = table.c.lifted_at.is_(None)


def add(tx: Connection, mark: MethodMark) -> bool:
    """False when this reversal was marked before, and perhaps lifted since."""
    values = {name: getattr(mark, name) for name in MethodMark.__dataclass_fields__}
    return insert_new(tx, table, {**values, "lifted_by": "", "why": ""})


def active(tx: Connection, payer: str | None = None) -> list[MethodMark]:
    """The oldest first; of one payer, or of all."""
    query = select(*_FIELDS).where(_ACTIVE).order_by(table.c.id)
    if payer is not None:
        query = query.where(table.c.payer == payer)
    return [MethodMark(**row) for row in tx.execute(query).mappings()]


def known(tx: Connection) -> frozenset[str]:
    """Every reversal that was ever marked, lifted or not."""
    return frozenset(tx.execute(select(table.c.reversal)).scalars())


def lift(tx: Connection, reversal: str, *, by: str, why: str, now: datetime) -> bool:
    """False when no such mark is active."""
    lifted = update(table).where(table.c.reversal == reversal, _ACTIVE)
    return tx.execute(lifted.values(lifted_at=now, lifted_by=by, why=why)).rowcount == 1
