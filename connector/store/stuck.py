"""What fails each time it is tried, beside deliveries: counted, and parked for a person after so many attempts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, delete, select, update

from connector.store.schema import stuck as table
from connector.store.sql import for_update

ATTEMPTS = 8  # a delivery that fails for no known reason is tried as often


class StuckKind(StrEnum):
    CHARGE = "charge"  # cannot be read at the gateway; `subject` is its id
    SUBSCRIPTION = "subscription"  # its change is refused by the gateway; `subject` is the billing unit
    PAYER = "payer"  # the payment method cannot be read at the gateway; `subject` is the gateway's customer
    BOOKING = "booking"  # a payout or a day's journal cannot be entered in the books; `subject` is the booking


@dataclass(frozen=True, kw_only=True, slots=True)
class Stuck:
    """`tried` says what exactly was tried: something else counts from the first attempt again.

    `proposed`: the first open day, where the books are closed for its own.
    """

    id: int
    kind: StuckKind
    subject: str
    tried: str
    why: str
    attempts: int
    first_at: datetime
    last_at: datetime
    parked_at: datetime | None
    proposed: date | None = None


_FIELDS = tuple(table.c[name] for name in Stuck.__dataclass_fields__)


def failed(tx: Connection, kind: StuckKind, subject: str, *, why: str, tried: str = "", now: datetime) -> bool:
    """Once more. True when that was often enough: it is parked, and not tried again until a person says so."""
    known = _one(tx, table.c.kind == kind, table.c.subject == subject)
    if known is None or known.tried != tried:
        values = {"tried": tried, "why": why, "attempts": 1, "first_at": now, "last_at": now, "parked_at": None}
        if known is None:
            tx.execute(table.insert().values(kind=kind, subject=subject, **values))
        else:
            tx.execute(update(table).where(table.c.id == known.id).values(**values))
        return False
    attempts = known.attempts + 1
    parked_at = known.parked_at or (now if attempts >= ATTEMPTS else None)
    changed = {"why": why, "attempts": attempts, "last_at": now, "parked_at": parked_at}
    tx.execute(update(table).where(table.c.id == known.id).values(**changed))
    return parked_at is not None


def park(
    tx: Connection, kind: StuckKind, subject: str, *, why: str, tried: str = "", proposed: date | None = None, now: datetime
) -> None:
    """At once: the same would be refused again."""
    known = _one(tx, table.c.kind == kind, table.c.subject == subject)
    values = {"tried": tried, "why": why, "last_at": now, "proposed": proposed}
    if known is None:
        tx.execute(table.insert().values(kind=kind, subject=subject, attempts=1, first_at=now, parked_at=now, **values))
        return
    changed = {"attempts": known.attempts + 1, "parked_at": known.parked_at or now}
    tx.execute(update(table).where(table.c.id == known.id).values(**values, **changed))


def worked(tx: Connection, kind: StuckKind, subject: str) -> None:
    """Nothing is left to be told."""
    tx.execute(delete(table).where(table.c.kind == kind, table.c.subject == subject))


def again(tx: Connection, id: int) -> None:
    """A person put right what was wrong: counted from the first attempt again."""
    tx.execute(update(table).where(table.c.id == id).values(attempts=0, parked_at=None))


def forget(tx: Connection, id: int) -> None:
    tx.execute(delete(table).where(table.c.id == id))


def parked(tx: Connection, kind: StuckKind | None = None) -> list[Stuck]:
    """Those that wait for a person, the oldest first."""
    query = select(*_FIELDS).where(table.c.parked_at.is_not(None)).order_by(table.c.id)
    if kind is not None:
        query = query.where(table.c.kind == kind)
    return [_stuck(dict(row)) for row in tx.execute(query).mappings()]


def get(tx: Connection, id: int) -> Stuck | None:
    return _one(tx, table.c.id == id)


def every(tx: Connection, kind: StuckKind) -> dict[str, Stuck]:
    """By subject, parked or not."""
    return {row["subject"]: _stuck(dict(row)) for row in tx.execute(select(*_FIELDS).where(table.c.kind == kind)).mappings()}


def _one(tx: Connection, *conditions: ColumnElement[bool]) -> Stuck | None:
    row = tx.execute(for_update(tx, select(*_FIELDS).where(*conditions))).mappings().one_or_none()
    return None if row is None else _stuck(dict(row))


def _stuck(row: dict[str, object]) -> Stuck:
    return Stuck(**{**row, "kind": StuckKind(str(row["kind"]))})  # type: ignore[arg-type]
