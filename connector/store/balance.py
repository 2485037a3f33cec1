"""The gateway's balance as it was read, line by line, and with which booking each line is entered in the books."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, select

from connector.model.money import Money
from connector.model.payout import BalanceKind, BalanceLine
from connector.store.schema import balance_booking as planned
from connector.store.schema import balance_entry as table
from connector.store.sql import insert_new

_PLAIN = ("source", "payment", "description", "category", "at")


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """A line and how it is booked. `account`: what its gross is booked against, by its name in the configuration.

    `account` "": the gross is booked elsewhere (it is a payment or a reversal of ours), the fee alone here.
    `booking` "": there is nothing to book.
    """

    line: BalanceLine
    booking: str
    account: str
    dated: date


def add(tx: Connection, line: BalanceLine, *, now: datetime) -> bool:
    """False when the line was read before."""
    amounts = {"amount_minor": line.amount.minor, "fee_minor": line.fee.minor, "net_minor": line.net.minor}
    named = {name: getattr(line, name) for name in _PLAIN}
    values = {"line": line.id, "kind": BalanceKind(line.kind), "currency": line.amount.currency, "read_at": now}
    return insert_new(tx, table, {**values, **amounts, **named})


def get(tx: Connection, line: str) -> BalanceLine | None:
    row = tx.execute(select(table).where(table.c.line == line)).mappings().one_or_none()
    return None if row is None else _line(row)


def unplanned(tx: Connection, kinds: Collection[BalanceKind] = ()) -> list[BalanceLine]:
    """Lines (of these kinds) of which it is not settled yet with what they are booked, oldest first."""
    query = select(table).join_from(table, planned, planned.c.line == table.c.line, isouter=True)
    query = query.where(planned.c.line.is_(None)).order_by(table.c.at, table.c.line)
    if kinds:
        query = query.where(table.c.kind.in_(kinds))
    return [_line(row) for row in tx.execute(query).mappings()]


def plan(tx: Connection, lines: Iterable[Planned], *, now: datetime) -> None:
    """Settled for good: a line is in one booking."""
    for item in lines:
        values = {"line": item.line.id, "booking": item.booking, "account": item.account, "dated": item.dated}
        if not insert_new(tx, planned, {**values, "planned_at": now}):
            raise ValueError(f"the balance line {item.line.id} is in a booking already")


def of_booking(tx: Connection, booking: str) -> list[Planned]:
    return [_planned(row) for row in tx.execute(_joined().where(planned.c.booking == booking)).mappings()]


def planned_line(tx: Connection, line: str) -> Planned | None:
    row = tx.execute(_joined().where(table.c.line == line)).mappings().one_or_none()
    return None if row is None else _planned(row)


def since(tx: Connection, moment: datetime) -> dict[str, Planned]:
    """How the lines from that moment on are booked, by line; those that are not settled yet are missing."""
    return {row["line"]: _planned(row) for row in tx.execute(_joined().where(table.c.at >= moment)).mappings()}


def payouts(tx: Connection) -> list[tuple[BalanceLine, Planned | None]]:
    """Lines of payouts, and of payouts that came back, newest first."""
    kinds = (BalanceKind.PAYOUT, BalanceKind.PAYOUT_FAILURE)
    query = select(table).where(table.c.kind.in_(kinds)).order_by(table.c.at.desc(), table.c.line)
    lines = [_line(row) for row in tx.execute(query).mappings()]
    found = {row["line"]: _planned(row) for row in tx.execute(_joined().where(table.c.kind.in_(kinds))).mappings()}
    return [(line, found.get(line.id)) for line in lines]


def count(tx: Connection, prefix: str) -> int:
    """How many bookings have a name that begins so."""
    query = select(planned.c.booking).where(planned.c.booking.startswith(prefix, autoescape=True)).distinct()
    return len(tx.execute(query).all())


def _joined() -> Select[Any]:
    columns = (planned.c.booking, planned.c.account, planned.c.dated)
    query = select(table, *columns).join_from(table, planned, planned.c.line == table.c.line)
    return query.order_by(table.c.at, table.c.line)


def _planned(row: RowMapping) -> Planned:
    return Planned(line=_line(row), booking=row["booking"], account=row["account"], dated=row["dated"])


def _line(row: RowMapping) -> BalanceLine:
    values: dict[str, Any] = {name: Money(row[f"{name}_minor"], row["currency"]) for name in ("amount", "fee", "net")}
    values |= {name: row[name] for name in _PLAIN}
    return BalanceLine(id=row["line"], kind=BalanceKind(row["kind"]), **values)
