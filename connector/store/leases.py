"""Leases: one holder at a time, with a fencing number that grows with every holder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Update, delete, select, update

from connector.store import holders
from connector.store.schema import lease as table
from connector.store.sql import for_update, insert_new


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """Held until `expires`; after that by whoever asks first. A higher `fence` is the later holder."""

    name: str
    holder: str
    fence: int
    expires: datetime


def acquire(tx: Connection, name: str, holder: str, *, now: datetime, ttl_s: float) -> int | None:
    """The fencing number; None while it is held, even by the same name: two containers may well bear one name."""
    insert_new(tx, table, {"name": name, "holder": "", "fence": 0, "expires": now})
    row = tx.execute(for_update(tx, select(table).where(table.c.name == name))).one()
    if row.holder != "" and row.expires > now:
        return None
    values = {"holder": holder, "fence": row.fence + 1, "expires": now + timedelta(seconds=ttl_s)}
    tx.execute(update(table).where(table.c.name == name).values(**values))
    return int(row.fence) + 1


def acquire_from_dead(tx: Connection, name: str, me: str, *, now: datetime, ttl_s: float) -> int | None:
    """As `acquire`, and at once when the holder was a process beside us that was killed."""
    fence = acquire(tx, name, me, now=now, ttl_s=ttl_s)
    other = holder(tx, name)
    if fence is not None or other is None or not holders.is_dead(other.holder):
        return fence
    release(tx, name, other.holder, other.fence, now=now)
    return acquire(tx, name, me, now=now, ttl_s=ttl_s)


def renew(tx: Connection, name: str, holder: str, fence: int, *, now: datetime, ttl_s: float) -> bool:
    """False when another one took it: stop at once. In the transaction of a write it is the proof that we still hold it."""
    return tx.execute(_mine(name, holder, fence).values(expires=now + timedelta(seconds=ttl_s))).rowcount == 1


def release(tx: Connection, name: str, holder: str, fence: int, *, now: datetime) -> bool:
    """False when it was no longer ours. The fencing number stays, so that the next one is higher."""
    return tx.execute(_mine(name, holder, fence).values(holder="", expires=now)).rowcount == 1


def forget(tx: Connection, name: str, holder: str) -> None:
    """A lease on something that is seldom asked for leaves no row behind."""
    tx.execute(delete(table).where(table.c.name == name, table.c.holder == holder))


def holder(tx: Connection, name: str) -> Lease | None:
    """Who has it, or had it last without giving it back (see `expires`)."""
    row = tx.execute(select(table).where(table.c.name == name, table.c.holder != "")).mappings().one_or_none()
    return None if row is None else Lease(**row)


def _mine(name: str, holder: str, fence: int) -> Update:
    return update(table).where(table.c.name == name, table.c.holder == holder, table.c.fence == fence)
