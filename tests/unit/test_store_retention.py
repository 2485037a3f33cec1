"""What leaves the store with time, and what never does."""

from __future__ import annotations

from datetime import date

from sqlalchemy import func, insert, select

from connector.model.charge import Hold
from connector.store import Store, holds, retention, schema, touched
from tests.unit.store_databases import NOW, later, with_charge

pytest_plugins = ("tests.unit.store_fixtures",)

A_YEAR = 365 * 24 * 60  # minutes


def _held(store: Store, charge: str, name: str, *, lifted_by: str = "") -> None:
    with store.begin() as tx:
        wanted = Hold(charge=charge, name=name, message="It waits.", way_on="wait", since=NOW)
        holds.replace(tx, charge, [*holds.active(tx, charge), wanted], now=NOW)
        if lifted_by:
            holds.lift(tx, charge, name, by=lifted_by, why="enough", now=NOW)


def _touched(store: Store, record: str, *, by: str) -> None:
    with store.begin() as tx:
        touched.note(tx, kind="books_payment", source=record, record=record, what="gone", said=f"{record} is gone", now=NOW)
        if by == touched.AS_IT_WAS:
            touched.as_it_was(tx, record, record, but=frozenset(), now=NOW)
        elif by:
            touched.settle(tx, next(t.id for t in touched.open_(tx) if t.record == record), by=by, now=NOW)


def _left(store: Store, column: str, table: str) -> list[str]:
    found = schema.metadata.tables[table]
    with store.read() as tx:
        return sorted(tx.execute(select(found.c[column])).scalars())


def _prune(store: Store, minutes: float, *, limit: int = retention.AT_ONCE) -> dict[str, int]:
    with store.begin() as tx:
        return retention.prune(tx, before=later(minutes), limit=limit)


def test_only_what_the_agent_lifted_and_what_is_as_it_was_goes(store: Store) -> None:
    charge = with_charge(store).id
    _held(store, charge, "stale", lifted_by=holds.AGENT)
    _held(store, charge, "cap", lifted_by="Dana")
    _held(store, charge, "no_method")
    for record, by in (("undone", touched.AS_IT_WAS), ("accepted", "Dana"), ("open", "")):
        _touched(store, record, by=by)
    with store.begin() as tx:
        for day in (date(2026, 2, 27), date(2026, 3, 1)):
            row = {"id": str(day), "unit": "cw:1", "bill_day": day, "content": {}, "changed_at": NOW}
            tx.execute(insert(schema.shadow_charge).values(row))

    assert _prune(store, 0) == {"shadow_charge": 1}  # nothing was lifted before just now
    assert _prune(store, 1) == {"hold": 1, "books_touched": 1}
    assert _prune(store, A_YEAR) == {"shadow_charge": 1}
    assert _prune(store, A_YEAR) == {}
    assert _left(store, "name", "hold") == ["cap", "no_method"]
    assert _left(store, "record", "books_touched") == ["accepted", "open"]


def test_the_oldest_go_first_a_few_at_a_time(store: Store) -> None:
    charge = with_charge(store).id
    for number in range(5):
        _held(store, charge, f"hold {number}", lifted_by=holds.AGENT)

    assert _prune(store, 1, limit=2) == {"hold": 2}
    assert _left(store, "name", "hold") == ["hold 2", "hold 3", "hold 4"]
    assert [_prune(store, 1, limit=2) for _ in range(3)] == [{"hold": 2}, {"hold": 1}, {}]


def test_no_other_table_loses_a_row(store: Store) -> None:
    """A new table is kept for good until somebody has thought about it."""
    charge = with_charge(store).id
    _held(store, charge, "stale", lifted_by=holds.AGENT)
    forgotten = {"hold", "books_touched", "shadow_charge"}

    _prune(store, A_YEAR)

    assert {table.name for table in retention.FORGETS} == forgotten
    assert not forgotten & set(schema.APPEND_ONLY)
    with store.read() as tx:
        assert tx.execute(select(func.count()).select_from(schema.charge)).scalar_one() == 1
