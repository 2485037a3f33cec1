"""What people changed or removed of ours in the books. Kept until it is as it was again, or a person said that it is so; then
`retention` says for how long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, insert, select, update

from connector.store.schema import books_touched as table

_SWITCH_OFF = {
    "second_writer": "switch its payment sync off, or set write_back.psa_payments: accounting_sync; delete what is twice",
    "second_payment": "switch the PSA's own sync of payments off, or set write_back.books: psa_sync; delete one of the two",
}
AS_IT_WAS = "as it was again"
CHANGED_AGAIN = "changed again"


@dataclass(frozen=True, kw_only=True, slots=True)
class Touched:
    """`kind` is the link's; `source` what it is of (a ledger key, a booking, a payer); `record` its id in the books."""

    id: int
    kind: str
    source: str
    record: str
    what: str  # gone, amount, date, customer, off_invoice; second_writer, second_payment
    said: str  # a sentence
    at: datetime


_FIELDS = tuple(table.c[name] for name in Touched.__dataclass_fields__)
_OPEN = table.c.settled_at.is_(None)


def note(tx: Connection, *, kind: str, source: str, record: str, what: str, said: str, now: datetime) -> bool:
    """False when it is known, also where a person has settled just this."""
    same = (table.c.source == source, table.c.record == record, table.c.what == what, table.c.said == said)
    known = tx.execute(select(table.c.id).where(*same, table.c.settled_by != AS_IT_WAS)).first()
    if known is not None:
        return False
    superseded = update(table).where(table.c.source == source, table.c.record == record, table.c.what == what, _OPEN)
    tx.execute(superseded.values(settled_at=now, settled_by=CHANGED_AGAIN))
    values = {"kind": kind, "source": source, "record": record, "what": what, "said": said, "at": now, "settled_by": ""}
    tx.execute(insert(table).values(values))
    return True


def settle(tx: Connection, id: int, *, by: str, now: datetime) -> bool:
    """False when there is none, or it is settled."""
    row = update(table).where(table.c.id == id, _OPEN)
    return tx.execute(row.values(settled_at=now, settled_by=by)).rowcount == 1


def as_it_was(tx: Connection, source: str, record: str, *, but: frozenset[str], now: datetime) -> None:
    """Everything of this record that is not so any more (`but`: what still is)."""
    row = update(table).where(table.c.source == source, table.c.record == record, table.c.what.not_in(but), _OPEN)
    tx.execute(row.values(settled_at=now, settled_by=AS_IT_WAS))


def accepted(tx: Connection) -> dict[tuple[str, str], frozenset[str]]:
    """By source and record, what of it was changed last and a person said is right so."""
    latest: dict[tuple[str, str, str], str] = {}
    for row in tx.execute(select(*_FIELDS, table.c.settled_by).order_by(table.c.id)):
        latest[row.source, row.record, row.what] = row.settled_by
    found: dict[tuple[str, str], frozenset[str]] = {}
    for (source, record, what), by in latest.items():
        if by and by not in (AS_IT_WAS, CHANGED_AGAIN):
            found[source, record] = found.get((source, record), frozenset()) | {what}
    return found


def open_(tx: Connection) -> list[Touched]:
    """The oldest first."""
    return _all(tx, _OPEN)


def told_since(tx: Connection, source: str, since: datetime) -> bool:
    """Whether something of this source is open, or was settled after that."""
    row = select(table.c.id).where(table.c.source == source, _OPEN | (table.c.settled_at > since))
    return tx.execute(row.limit(1)).first() is not None


def _all(tx: Connection, *conditions: ColumnElement[bool]) -> list[Touched]:
    rows = tx.execute(select(*_FIELDS).where(*conditions).order_by(table.c.id)).mappings()
    return [Touched(**row) for row in rows]


def todo(one: Touched) -> str:
    """What to type."""
    if one.what in _SWITCH_OFF:
        return f"{_SWITCH_OFF[one.what]}; then, or if it is right as it is: connector dismiss t{one.id} --as NAME --why TEXT"
    return f"put it back in the books as it was, or, if it is right as it is: connector dismiss t{one.id} --as NAME --why TEXT"
