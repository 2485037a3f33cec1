"""The records that a ConnectWise holds, as they stand in its answers.

A record is the JSON that is sent: no null fields, money as Decimal, dates as text. `BASE` in a link stands for the
address under which the client reached us, and is put in when an answer leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Row = dict[str, Any]
BASE = "@base@"
CENT = Decimal("0.01")
_MEMBER_WIDTH = 15  # updatedBy is padded with blanks to this width


def cents(amount: Decimal) -> Decimal:
    """The one place where amounts are rounded: to the cent, halves up."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def number(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))


def as_date(value: Any) -> date:
    """From a date, or from text that begins with one."""
    return value if isinstance(value, date) else date.fromisoformat(str(value)[:10])


def day_text(day: date | str) -> str:
    return f"{str(day)[:10]}T00:00:00Z"


def moment_text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def without_nulls(row: Row) -> Row:
    return {name: value for name, value in row.items() if value is not None}


class Table:
    """Records of one kind by id, ids ascending. `owner` tells the id of the record that one hangs on, if it does."""

    def __init__(
        self, label: str, path: str, now: Callable[[], datetime], *, first_id: int = 1, owner: Callable[[Row], int] | None = None
    ) -> None:
        self.label = label
        self.path = path
        self.rows: dict[int, Row] = {}
        self._now = now
        self._next_id = first_id
        self._owner = owner
        self._children: dict[int, dict[int, Row]] = {}

    def insert(self, row: Row, *, by: str) -> Row:
        """Gives it an id and its `_info`."""
        row = {"id": self._next_id, **without_nulls(row)}
        self._next_id += 1
        entered = moment_text(self._now())
        row["_info"] = {"lastUpdated": entered, "updatedBy": by.ljust(_MEMBER_WIDTH), "dateEntered": entered, "enteredBy": by}
        self.rows[row["id"]] = row
        if self._owner:
            self._children.setdefault(self._owner(row), {})[row["id"]] = row
        return row

    def update(self, id: int, changes: Row, *, by: str) -> Row:
        """None takes a field away."""
        row = self.rows[id]
        for name, value in changes.items():
            if value is None:
                row.pop(name, None)
            else:
                row[name] = value
        self.touch(row, by=by)
        return row

    def touch(self, row: Row, *, by: str) -> None:
        row["_info"] = {**row["_info"], "lastUpdated": moment_text(self._now()), "updatedBy": by.ljust(_MEMBER_WIDTH)}

    def delete(self, id: int) -> None:
        """No tombstone stays."""
        row = self.rows.pop(id)
        if self._owner:
            self._children[self._owner(row)].pop(id)

    def of(self, owner: int) -> dict[int, Row]:
        return self._children.get(owner, {})

    def named(self, name: str) -> Row:
        """The record with this name or identifier; KeyError when there is none."""
        for row in self.rows.values():
            if name in (row.get("name"), row.get("identifier")):
                return row
        raise KeyError(f"no {self.label} is called {name!r}")

    def reference(self, row: Row, *fields: str) -> Row:
        """How other records point at this one."""
        key = self.label[0].lower() + self.label[1:] + "_href"
        # The double slash is ConnectWise's own.
        href = f"{BASE}//{self.path.strip('/')}/{row['id']}"
        found = {name: row[name] for name in ("id", *fields) if name in row}
        return {**found, "_info": {key: href}}
