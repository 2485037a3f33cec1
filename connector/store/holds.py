"""Holds: why a charge is not released, now and before. Lifted ones are kept as its history, for as long as `retention` says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from connector.model.charge import Hold
from connector.store.schema import hold as table

AGENT = "agent"  # who lifted it, when its reason was gone
_FIELDS = tuple(table.c[name] for name in Hold.__dataclass_fields__)
_ACTIVE = table.c.lifted_at.is_(None)


def replace(tx: Connection, charge: str, holds: Sequence[Hold], *, now: datetime) -> None:
    """Make the active set of this charge exactly these, by name. Those that stay keep their `since`."""
    wanted = {hold.name: hold for hold in holds}
    there = {hold.name: hold for hold in active(tx, charge)}
    for name in there.keys() - wanted.keys():
        lift(tx, charge, name, by=AGENT, why="the reason is gone", now=now)
    for name, hold in wanted.items():
        if name not in there:
            tx.execute(insert(table).values({**_row(hold), "charge": charge}))
        elif (hold.message, hold.way_on) != (there[name].message, there[name].way_on):
            changed = update(table).where(table.c.charge == charge, table.c.name == name, _ACTIVE)
            tx.execute(changed.values(message=hold.message, way_on=hold.way_on))


def lift(tx: Connection, charge: str, name: str, *, by: str, why: str, now: datetime) -> bool:
    """False when no such hold is active."""
    lifted = update(table).where(table.c.charge == charge, table.c.name == name, _ACTIVE)
    return tx.execute(lifted.values(lifted_at=now, lifted_by=by, why=why)).rowcount == 1


def active(tx: Connection, charge: str | None = None) -> list[Hold]:
    """The oldest first; of one charge, or of all."""
    query = select(*_FIELDS).where(_ACTIVE).order_by(table.c.since, table.c.id)
    if charge is not None:
        query = query.where(table.c.charge == charge)
    return [Hold(**row) for row in tx.execute(query).mappings()]


def _row(hold: Hold) -> dict[str, object]:
    return {
        "name": hold.name,
        "message": hold.message,
        "way_on": hold.way_on,
        "since": hold.since,
        "lifted_by": "",
        "why": "",
    }
