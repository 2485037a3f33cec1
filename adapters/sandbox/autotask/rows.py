"""The records that an Autotask holds, by id.

A row has the names of the wire and no nulls: money is Decimal, days and moments are text in UTC. Names that begin with
an underscore are for the sandbox itself and never leave it.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Row = dict[str, Any]
CENT, TENTH_OF_A_MILL = Decimal("0.01"), Decimal("0.0001")


def cents(amount: Decimal) -> Decimal:
    """Halves up, away from zero. Autotask rounds each item at posting, nowhere else to the cent."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def four_places(amount: Decimal) -> Decimal:
    """As Autotask stores every price."""
    return amount.quantize(TENTH_OF_A_MILL, rounding=ROUND_HALF_UP)


def number(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))


def as_date(value: date | str) -> date:
    """From a date, or from text that begins with one."""
    return value if isinstance(value, date) else date.fromisoformat(value[:10])


def day_text(day: date | str) -> str:
    return f"{str(day)[:10]}T00:00:00Z"


def moment_text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


class Table:
    """Rows of one entity, ids ascending. `indexed` are the fields by which rows are found without looking at all of them."""

    def __init__(self, entity: str, *, first_id: int = 1, indexed: Iterable[str] = ()) -> None:
        self.entity = entity
        self.rows: dict[int, Row] = {}
        self._ids: list[int] = []
        self._next_id = first_id
        self._index: dict[str, dict[Any, list[int]]] = {name: {} for name in indexed}

    def insert(self, row: Row) -> Row:
        """Gives it an id, unless it has one. None values are left out."""
        row = {"id": row.get("id", self._next_id), **{name: value for name, value in row.items() if value is not None}}
        id = row["id"]
        self._next_id = max(self._next_id, id + 1)
        self.rows[id] = row
        insort(self._ids, id)
        for name, found in self._index.items():
            insort(found.setdefault(row.get(name), []), id)
        return row

    def update(self, id: int, changes: Row) -> Row:
        """None takes a field away."""
        row = self.rows[id]
        for name in changes.keys() & self._index.keys():
            self._move(id, name, row.get(name), changes[name])
        for name, value in changes.items():
            if value is None:
                row.pop(name, None)
            else:
                row[name] = value
        return row

    def delete(self, id: int) -> None:
        row = self.rows.pop(id)
        self._ids.remove(id)
        for name, found in self._index.items():
            found[row.get(name)].remove(id)

    def of(self, field: str, value: Any) -> list[Row]:
        """The rows whose indexed field has this value, ids ascending."""
        return [self.rows[id] for id in self._index[field].get(value, ())]

    def is_indexed(self, field: str) -> bool:
        return field in self._index

    def after(self, id: int) -> Iterator[Row]:
        """The rows with a greater id, ascending."""
        rows = self.rows
        return (rows[other] for other in self._ids[bisect_right(self._ids, id) :])

    def named(self, field: str, name: Any) -> Row:
        """KeyError when there is none."""
        for row in self.rows.values():
            if row.get(field) == name:
                return row
        raise KeyError(f"no row of {self.entity} has {field} {name!r}")

    def _move(self, id: int, name: str, old: Any, new: Any) -> None:
        if old != new:
            self._index[name][old].remove(id)
            insort(self._index[name].setdefault(new, []), id)
