"""The outbox: deliveries of ledger entries to targets, claimed under a lease, in order within a charge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, exists, func, select, update

from connector.errors import ConnectorError
from connector.store.schema import delivery as table
from connector.store.schema import ledger_entry as ledger_table
from connector.store.schema import link as link_table
from connector.store.sql import WRITES, insert_new


class StaleLease(ConnectorError):
    """The delivery was given to another worker meanwhile: what this one did is not noted, the other one looks first."""


class DeliveryState(StrEnum):
    READY = "ready"
    RUNNING = "running"
    DONE = "done"
    PARKED = "parked"  # a person must look; it holds up later deliveries of the same charge to the same target


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """`entry` is a ledger key; `attempts` counts this claim; `note` is the last error or why it is parked.

    `proposed`: the first day that the target takes, where it was parked because it refuses the day on which it happened.
    """

    id: int
    entry: str
    target: str
    state: DeliveryState
    attempts: int
    run_at: datetime
    lease_token: str
    lease_expires: datetime | None
    external_id: str
    note: str
    created_at: datetime
    done_at: datetime | None
    proposed: date | None = None


_FIELDS = tuple(table.c[name] for name in Delivery.__dataclass_fields__)
_FREE: dict[str, Any] = {"lease_token": "", "lease_expires": None}


def add(tx: Connection, *, entry: str, charge: str, target: str, now: datetime) -> bool:
    """False when the entry has a delivery to this target already."""
    values = {
        "entry": entry,
        "charge": charge,
        "target": target,
        "state": DeliveryState.READY,
        "attempts": 0,
        "claims": 0,
        "run_at": now,
        "lease_token": "",
        "external_id": "",
        "note": "",
        "created_at": now,
    }
    return insert_new(tx, table, values)


def claim(tx: Connection, *, now: datetime, lease_s: float, limit: int, worker: str, target: str | None = None) -> list[Delivery]:
    """Take up to `limit` deliveries that are ready, the oldest first. Commit before working on them.

    A delivery waits until every older one of its charge to the same target is done, so two of them are never out at once.
    Expired leases are `reap`'s business: looking for them here made the claim slow.
    """
    ids = list(tx.execute(_claimable(tx, now, limit, target)).scalars())
    # A token is never used twice: `claims` only grows, and nobody else can claim the same delivery at the same count.
    values = {
        "state": DeliveryState.RUNNING,
        "attempts": table.c.attempts + 1,
        "claims": table.c.claims + 1,
        "lease_token": (table.c.claims + 1).cast(table.c.lease_token.type) + f":{worker}",
        "lease_expires": now + timedelta(seconds=lease_s),
    }
    tx.execute(update(table).where(table.c.id.in_(ids)).values(**values))
    return _all(tx, table.c.id.in_(ids))


def _claimable(tx: Connection, now: datetime, limit: int, target: str | None) -> Select[tuple[int]]:
    older = table.alias("older")
    held_up = exists().where(
        older.c.charge == table.c.charge,
        older.c.target == table.c.target,
        older.c.id < table.c.id,
        older.c.state != DeliveryState.DONE,
    )
    query = select(table.c.id).where(table.c.state == DeliveryState.READY, table.c.run_at <= now, ~held_up)
    if target is not None:
        query = query.where(table.c.target == target)
    query = query.order_by(table.c.run_at, table.c.id).limit(limit)
    return query.with_for_update(skip_locked=True, of=table) if tx.get_execution_options().get(WRITES) else query


def reap(tx: Connection, *, now: datetime) -> int:
    """Give back what a dead worker holds. Its number."""
    expired = update(table).where(table.c.state == DeliveryState.RUNNING, table.c.lease_expires <= now)
    values = {**_FREE, "state": DeliveryState.READY, "run_at": now, "note": "the worker that had it stopped answering"}
    return tx.execute(expired.values(**values)).rowcount


def renew(tx: Connection, delivery: Delivery, *, now: datetime, lease_s: float) -> None:
    """Its turn in the batch has come: the lease counts from now. StaleLease when it was given to another worker meanwhile."""
    _release(tx, delivery, lease_token=delivery.lease_token, lease_expires=now + timedelta(seconds=lease_s))


def done(tx: Connection, delivery: Delivery, *, external_id: str, note: str = "", now: datetime) -> None:
    """StaleLease when the delivery is no longer this worker's; so do `later` and `park`."""
    _release(tx, delivery, state=DeliveryState.DONE, external_id=external_id, note=note, done_at=now)


def later(tx: Connection, delivery: Delivery, *, run_at: datetime, note: str, now: datetime) -> None:
    """Not before `run_at`, which is never in the past."""
    _release(tx, delivery, state=DeliveryState.READY, run_at=max(run_at, now), note=note)


def park(tx: Connection, delivery: Delivery, *, why: str, now: datetime, proposed: date | None = None) -> None:
    _release(tx, delivery, state=DeliveryState.PARKED, note=why, run_at=now, proposed=proposed)


def retry_parked(tx: Connection, id: int, *, now: datetime) -> bool:
    """A person put right what was wrong: counted from the first attempt again. False when it is not parked."""
    return _unpark(tx, id, state=DeliveryState.READY, run_at=now, attempts=0)


def wake(tx: Connection, id: int, *, now: datetime) -> bool:
    """What it waits for is there: tried again at once, also where it was parked. False when it is done or at work."""
    waiting = update(table).where(table.c.id == id, table.c.state.in_([DeliveryState.READY, DeliveryState.PARKED]))
    return tx.execute(waiting.values(state=DeliveryState.READY, run_at=now, attempts=0)).rowcount == 1


def dismiss(tx: Connection, id: int, *, why: str, now: datetime) -> bool:
    """A person wrote it there by hand, or it needs no writing. False when it is not parked."""
    return _unpark(tx, id, state=DeliveryState.DONE, note=why, done_at=now)


def reopen(tx: Connection, id: int, *, now: datetime) -> bool:
    """What was delivered to is no more as it was: it is looked at again. False when it is not done."""
    done_before = update(table).where(table.c.id == id, table.c.state == DeliveryState.DONE)
    return tx.execute(done_before.values(state=DeliveryState.READY, run_at=now, attempts=0, done_at=None)).rowcount == 1


def get(tx: Connection, id: int) -> Delivery | None:
    return next(iter(_all(tx, table.c.id == id)), None)


def of_entry(tx: Connection, entry: str) -> list[Delivery]:
    return _all(tx, table.c.entry == entry)


def unlinked(tx: Connection, target: str, kind: str) -> list[Delivery]:
    """Done, with a record there that no link of this kind names (any more)."""
    named = exists().where(link_table.c.kind == kind, link_table.c.source == table.c.entry)
    made = table.c.entry.in_(select(ledger_table.c.key).where(ledger_table.c.kind == "payment"))
    return _all(tx, table.c.target == target, table.c.state == DeliveryState.DONE, table.c.external_id != "", made, ~named)


def undelivered(tx: Connection) -> list[Delivery]:
    """Everything that is not done, the oldest first."""
    return _all(tx, table.c.state != DeliveryState.DONE)


def parked(tx: Connection) -> list[Delivery]:
    """Those that wait for a person, the oldest first."""
    return _all(tx, table.c.state == DeliveryState.PARKED)


def counts(tx: Connection) -> dict[str, int]:
    """By state; every state is there."""
    found = tx.execute(select(table.c.state, func.count()).group_by(table.c.state)).all()
    return {str(state): 0 for state in DeliveryState} | {row[0]: row[1] for row in found}


def oldest_undelivered(tx: Connection) -> datetime | None:
    """When the oldest delivery was written that goes on by itself: a parked one, of which a person was told, is not late,
    and neither is what waits behind it."""
    before = table.alias("before")
    behind = exists().where(
        before.c.charge == table.c.charge,
        before.c.target == table.c.target,
        before.c.id < table.c.id,
        before.c.state == DeliveryState.PARKED,
    )
    goes_on = table.c.state.in_([DeliveryState.READY, DeliveryState.RUNNING])
    query = select(table.c.created_at).where(goes_on, ~behind).order_by(table.c.created_at).limit(1)
    return tx.execute(query).scalar_one_or_none()


def _release(tx: Connection, delivery: Delivery, **values: Any) -> None:
    mine = update(table).where(
        table.c.id == delivery.id,
        table.c.state == DeliveryState.RUNNING,
        table.c.lease_token == delivery.lease_token,
    )
    if tx.execute(mine.values(**{**_FREE, **values})).rowcount != 1:
        raise StaleLease(f"delivery {delivery.id} of {delivery.entry} to {delivery.target} was given to another worker")


def _unpark(tx: Connection, id: int, **values: Any) -> bool:
    parked = update(table).where(table.c.id == id, table.c.state == DeliveryState.PARKED)
    return tx.execute(parked.values(**values)).rowcount == 1


def _all(tx: Connection, *conditions: ColumnElement[bool]) -> list[Delivery]:
    rows = tx.execute(select(*_FIELDS).where(*conditions).order_by(table.c.id)).mappings()
    return [Delivery(**{**row, "state": DeliveryState(row["state"])}) for row in rows]
