"""The day that a person chose for a booking whose own day the books refuse. Append-only: the last word counts.

A booking is named as whoever makes it names it: a delivery's by the key of its ledger entry.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Connection, insert, select

from connector.store.schema import booking_date as table


def choose(tx: Connection, booking: str, dated: date, *, who: str, why: str, now: datetime) -> None:
    tx.execute(insert(table).values(booking=booking, dated=dated, who=who, why=why, at=now))


def chosen(tx: Connection, booking: str) -> date | None:
    query = select(table.c.dated).where(table.c.booking == booking).order_by(table.c.id.desc()).limit(1)
    return tx.execute(query).scalar_one_or_none()


def dated(tx: Connection, booking: str, own: date) -> date:
    """`own` is the day on which it happened; a person may choose a later one, never an earlier."""
    return max(own, chosen(tx, booking) or own)
