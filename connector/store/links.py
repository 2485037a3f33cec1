"""Links: this record there is that record here. One per (kind, source, target system) while not retired."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, select, update

from connector.errors import OutcomeUnknown, Rejected, RetryLater
from connector.store.schema import link as table
from connector.store.sql import for_update, insert_new


class LinkState(StrEnum):
    INTENDED = "intended"  # about to be made; with `sent_at` its outcome is unknown
    LINKED = "linked"
    RETIRED = "retired"


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """`target` is "" while intended. `sent_at` and `attempt` tell of the latest send; `detail` is what the flows remember."""

    id: int
    kind: str
    source: str
    target_system: str
    target: str
    fingerprint: str
    generation: int
    state: LinkState
    intended_at: datetime
    sent_at: datetime | None
    attempt: int
    detail: dict[str, Any]

    @property
    def past(self) -> tuple[str, ...]:
        """What was its target before a person removed it, or had it replaced: may still be found at the target system."""
        return tuple(self.detail.get(_PAST, ()))


_PAST = "past"
_FIELDS = tuple(table.c[name] for name in Link.__dataclass_fields__)
_LIVE = table.c.state != LinkState.RETIRED


def find(tx: Connection, kind: str, source: str, target_system: str) -> Link | None:
    """The one that is not retired."""
    return _one(tx, table.c.kind == kind, table.c.source == source, table.c.target_system == target_system, _LIVE)


def by_target(tx: Connection, kind: str, target_system: str, target: str) -> Link | None:
    """The latest one to this target that is not retired."""
    return _one(tx, table.c.kind == kind, table.c.target_system == target_system, table.c.target == target, _LIVE)


def every(tx: Connection, kind: str, target_system: str) -> dict[str, Link]:
    """Those not retired, by source."""
    query = select(*_FIELDS).where(table.c.kind == kind, table.c.target_system == target_system, _LIVE).order_by(table.c.id)
    return {row["source"]: _link(row) for row in tx.execute(query).mappings()}


def latest_generation(tx: Connection, kind: str, source: str, target_system: str) -> int:
    """The latest that was made; retired ones count. 0 when none.

    One that is only intended does not count yet: whoever asks for the next generation then asks for that very one, and
    finishes what a crash interrupted instead of making a second one.
    """
    query = select(func.max(table.c.generation)).where(
        table.c.kind == kind,
        table.c.source == source,
        table.c.target_system == target_system,
        table.c.state != LinkState.INTENDED,
    )
    return tx.execute(query).scalar_one() or 0


def intend(
    tx: Connection,
    kind: str,
    source: str,
    target_system: str,
    *,
    now: datetime,
    generation: int = 1,
    detail: dict[str, Any] | None = None,
) -> Link:
    """Note that it is about to be made. Answers the one that is not retired if there is one, whatever its state."""
    values = {
        "kind": kind,
        "source": source,
        "target_system": target_system,
        "target": "",
        "fingerprint": "",
        "generation": generation,
        "state": LinkState.INTENDED,
        "intended_at": now,
        "attempt": 0,
        "detail": detail or {},
        "changed_at": now,
    }
    insert_new(tx, table, values)
    found = find(tx, kind, source, target_system)
    assert found is not None  # noqa: S101 - it was inserted, or was in the way
    return found


def sending(tx: Connection, link: Link, *, now: datetime, attempt: int) -> Link:
    """Note the send before it happens; a converging write is sent again and again on a link that stays linked.

    RetryLater when another process sent or linked since `link` was read: its outcome counts.
    """
    return _change(tx, link, now=now, sent_at=now, attempt=attempt)


def unsent(tx: Connection, link: Link, *, now: datetime) -> Link:
    """The target refused the latest send: nothing was made."""
    return _change(tx, link, now=now, sent_at=None)


def linked(
    tx: Connection, link: Link, *, target: str, fingerprint: str = "", now: datetime, detail: dict[str, Any] | None = None
) -> Link:
    """It was made (or found). `detail` is merged into what is there.

    Rejected when the link came to name another target since `link` was read: two records were made, a person decides.
    """
    stored = _stored(tx, link)
    if stored.state is not LinkState.INTENDED and stored.target != target and _version(stored) != _version(link):
        raise Rejected(
            f"{link.kind} of {link.source}: {link.target_system} has two records of it, {stored.target or 'none'} and {target}."
            f" The first one counts ({stored.state}); remove the second one there.",
            code="made_twice",
        )
    merged = {**stored.detail, **(detail or {})}
    return _write(tx, stored, now, {"target": target, "fingerprint": fingerprint, "state": LinkState.LINKED, "detail": merged})


def applied(tx: Connection, link: Link, *, fingerprint: str, now: datetime, detail: dict[str, Any] | None = None) -> Link:
    """What was last applied to the target. `detail` is merged into what is there."""
    stored = _stored(tx, link)
    return _write(tx, stored, now, {"fingerprint": fingerprint, "detail": {**stored.detail, **(detail or {})}})


def retire(tx: Connection, link: Link, *, now: datetime) -> None:
    """Make room for the next generation. OutcomeUnknown while a send may still have made the target: look it up first."""
    stored = _stored(tx, link)
    if stored.state is LinkState.INTENDED and stored.sent_at is not None:
        raise OutcomeUnknown(
            f"{link.kind} of {link.source}: it is not known yet whether {link.target_system} made it;"
            " it is looked up in the next cycle"
        )
    _write(tx, stored, now, {"state": LinkState.RETIRED})


def unlink(tx: Connection, link: Link, *, now: datetime, detail: dict[str, Any] | None = None) -> Link:
    """Its target was removed by a person, or is to be: about to be made once more, under the same key and as a further attempt.

    `detail` replaces what is there. RetryLater when another process sent or linked since `link` was read.
    """
    past = {_PAST: [*link.past, link.target]} if link.target else {}
    changes = {
        "state": LinkState.INTENDED,
        "target": "",
        "fingerprint": "",
        "sent_at": None,
        "detail": {**(detail or {}), **past},
    }
    return _change(tx, link, now=now, **changes)


def move(tx: Connection, link: Link, *, source: str, now: datetime) -> Link:
    """The same target now belongs to another source. Rejected when that one has a link of its own."""
    stored = _stored(tx, link)
    if source != stored.source and find(tx, stored.kind, source, stored.target_system) is not None:
        raise Rejected(f"{stored.kind} of {source} is linked in {stored.target_system} already", code="already_linked")
    return _write(tx, stored, now, {"source": source})


def _one(tx: Connection, *conditions: ColumnElement[bool]) -> Link | None:
    query = select(*_FIELDS).where(*conditions).order_by(table.c.id.desc()).limit(1)
    row = tx.execute(for_update(tx, query)).mappings().one_or_none()
    return None if row is None else _link(row)


def _stored(tx: Connection, link: Link) -> Link:
    stored = _one(tx, table.c.id == link.id)
    if stored is None:
        raise LookupError(f"there is no link {link.id}")
    return stored


def _change(tx: Connection, link: Link, *, now: datetime, **changes: Any) -> Link:
    """Only if nobody sent or linked since `link` was read."""
    stored = _stored(tx, link)
    if stored.state is LinkState.RETIRED or _version(stored) != _version(link):
        raise RetryLater(f"{link.kind} of {link.source}: another process is writing it", after_s=5.0)
    return _write(tx, stored, now, changes)


def _version(link: Link) -> tuple[LinkState, int, datetime | None]:
    return (link.state, link.attempt, link.sent_at)


def _write(tx: Connection, link: Link, now: datetime, changes: dict[str, Any]) -> Link:
    tx.execute(update(table).where(table.c.id == link.id).values(changed_at=now, **changes))
    return _stored(tx, link)


def _link(row: RowMapping) -> Link:
    return Link(**{**row, "state": LinkState(row["state"])})
