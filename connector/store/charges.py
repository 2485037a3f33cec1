"""Charges. The unique index on (unit, period start, number) is what makes "once" true."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, select
from sqlalchemy import update as update_rows

from connector.model.charge import BreakdownLine, Charge, ChargeState
from connector.model.money import MixedCurrency, Money
from connector.model.other import PREFIX
from connector.model.period import Period
from connector.store.schema import charge as table
from connector.store.sql import for_update, insert_new

_FIXED = frozenset({"id", "unit", "period", "number", "currency"})
_PLAIN = (
    "id",
    "unit",
    "number",
    "currency",
    "payer",
    "gateway_invoice",
    "psa_invoice",
    "psa_number",
    "charge_date",
    "released_at",
)

# What only an agreement's line has; rows written before these were known lack them.
_OF_A_LINE: dict[str, Callable[[str], Any]] = {
    "name": str,
    "quantity": Decimal,
    "unit_price": Decimal,
    "included": Decimal,
    "starts": date.fromisoformat,
    "ends": date.fromisoformat,
}


def ensure(tx: Connection, charge: Charge, *, now: datetime) -> tuple[Charge, bool]:
    """Insert if this (unit, period start, number) is new (True); else the stored one, unchanged (False)."""
    new = insert_new(tx, table, {**_row(charge), "created_at": now, "changed_at": now})
    start, number = charge.period.start, charge.number
    stored = _one(tx, table.c.unit == charge.unit, table.c.period_start == start, table.c.number == number)
    if stored is None:
        raise ValueError(f"charge {charge.id} cannot be kept: its id or gateway invoice belongs to another charge")
    return stored, new


def update(tx: Connection, charge_id: str, *, now: datetime, **fields: Any) -> Charge:
    """Change fields of a charge; what identifies it never changes. LookupError when there is none."""
    if fields.keys() & _FIXED:
        raise ValueError(f"{', '.join(sorted(fields.keys() & _FIXED))} of charge {charge_id} cannot be changed")
    stored = get(tx, charge_id)
    if stored is None:
        raise LookupError(f"there is no charge {charge_id}")
    changed = replace(stored, **fields)
    tx.execute(update_rows(table).where(table.c.id == charge_id).values(**_row(changed), changed_at=now))
    return changed


def get(tx: Connection, charge_id: str) -> Charge | None:
    return _one(tx, table.c.id == charge_id)


def every(tx: Connection, states: Collection[ChargeState] | None = None) -> list[Charge]:
    """The oldest period first; of these states only, if given."""
    return _all(tx) if states is None else _all(tx, table.c.state.in_(sorted(states)))


def of_unit(tx: Connection, unit: str) -> list[Charge]:
    """The oldest period first."""
    return _all(tx, table.c.unit == unit)


def of_invoices(tx: Connection) -> list[Charge]:
    """Those for invoices that no agreement bills: each has a billing unit of its own, which is in no other table."""
    return _all(tx, table.c.unit.like(f"%:{PREFIX}%"))


def by_gateway_invoice(tx: Connection, id: str) -> Charge | None:
    return _one(tx, table.c.gateway_invoice == id) if id else None


def by_psa_invoice(tx: Connection, id: str) -> list[Charge]:
    """Several when a supplementary charge collects a remainder of the same invoice."""
    return _all(tx, table.c.psa_invoice == id) if id else []


def _one(tx: Connection, *conditions: ColumnElement[bool]) -> Charge | None:
    row = tx.execute(for_update(tx, select(table).where(*conditions))).mappings().one_or_none()
    return None if row is None else _charge(row)


def _all(tx: Connection, *conditions: ColumnElement[bool]) -> list[Charge]:
    query = select(table).where(*conditions).order_by(table.c.period_start, table.c.unit, table.c.number)
    return [_charge(row) for row in tx.execute(query).mappings()]


def _row(charge: Charge) -> dict[str, Any]:
    return {
        **{name: getattr(charge, name) for name in _PLAIN},
        "state": ChargeState(charge.state),
        "period_start": charge.period.start,
        "period_end": charge.period.end,
        "computed_minor": _minor(charge, charge.computed),
        "owed_minor": _minor(charge, charge.owed),
        "collected_minor": _minor(charge, charge.collected),
        "breakdown": _packed(charge.breakdown),
    }


def _minor(charge: Charge, amount: Money | None) -> int | None:
    """One currency for the whole charge, which its row names once."""
    if amount is not None and amount.currency != charge.currency:
        raise MixedCurrency(f"charge {charge.id} is in {charge.currency}, {amount} is not")
    return None if amount is None else amount.minor


def _charge(row: RowMapping) -> Charge:
    return Charge(
        **{name: row[name] for name in _PLAIN},
        period=Period(row["period_start"], row["period_end"]),
        state=ChargeState(row["state"]),
        computed=Money(row["computed_minor"], row["currency"]),
        owed=_money(row["owed_minor"], row["currency"]),
        collected=_money(row["collected_minor"], row["currency"]),
        breakdown=_unpacked(row["breakdown"]),
    )


def _money(minor: int | None, currency: str) -> Money | None:
    return None if minor is None else Money(minor, currency)


def _packed(lines: Sequence[BreakdownLine]) -> list[dict[str, Any]]:
    return [
        {
            "kind": line.kind,
            "description": line.description,
            "minor": line.amount.minor,
            "currency": line.amount.currency,
            "source": line.source,
            **{name: str(value) for name in _OF_A_LINE if (value := getattr(line, name)) not in (None, "")},
        }
        for line in lines
    ]


def _unpacked(lines: list[dict[str, Any]]) -> tuple[BreakdownLine, ...]:
    return tuple(
        BreakdownLine(
            kind=line["kind"],
            description=line["description"],
            amount=Money(line["minor"], line["currency"]),
            source=line["source"],
            **{name: read(line[name]) for name, read in _OF_A_LINE.items() if name in line},
        )
        for line in lines
    )
