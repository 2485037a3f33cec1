"""The ledger: append-only, which triggers in the database enforce. An entry and its deliveries are one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, select

from connector.model.invoice import MethodKind
from connector.model.ledger import EntryKind, LedgerEntry
from connector.model.money import Money
from connector.store import outbox
from connector.store.schema import charge as charge_table
from connector.store.schema import ledger_entry as table
from connector.store.schema import ledger_fee
from connector.store.sql import for_update, insert_new

_PLAIN = ("key", "charge", "payer", "invoice", "payment", "detail", "at", "on")


def append(tx: Connection, entry: LedgerEntry, *, targets: Sequence[str], now: datetime) -> bool:
    """Write the entry and one delivery per target. False, and nothing, if its key is there already."""
    if entry.amount.minor < 0:
        raise ValueError(f"ledger entry {entry.key}: the amount is positive, the kind tells the direction")
    # Two writers take turns on a charge, so that its deliveries are numbered in the order in which they become visible.
    tx.execute(for_update(tx, select(charge_table.c.id).where(charge_table.c.id == entry.charge)))
    if not insert_new(tx, table, {**_row(entry), "written_at": now}):
        return False
    if entry.fee is not None:
        add_fee(tx, entry.key, entry.fee)
    for target in targets:
        outbox.add(tx, entry=entry.key, charge=entry.charge, target=target, now=now)
    return True


def get(tx: Connection, key: str) -> LedgerEntry | None:
    row = tx.execute(_query().where(table.c.key == key)).mappings().one_or_none()
    return None if row is None else _entry(row)


def entries(tx: Connection, *, charge: str | None = None, since: date | None = None) -> list[LedgerEntry]:
    """In the order written, with the fees known by now. `since`: the company's date, inclusive."""
    query = _query().order_by(table.c.id)
    if charge is not None:
        query = query.where(table.c.charge == charge)
    if since is not None:
        query = query.where(table.c.on >= since)
    return [_entry(row) for row in tx.execute(query).mappings()]


def of_payment(tx: Connection, payment: str) -> list[LedgerEntry]:
    """Every entry of one payment at the gateway, in the order written."""
    query = _query().where(table.c.payment == payment).order_by(table.c.id)
    return [_entry(row) for row in tx.execute(query).mappings()]


def with_reversals(tx: Connection) -> list[str]:
    """Charges of which money went back at some time, the oldest first."""
    query = select(table.c.charge).where(table.c.kind == EntryKind.REVERSAL).order_by(table.c.id)
    return list(dict.fromkeys(tx.execute(query).scalars()))


def add_fee(tx: Connection, key: str, fee: Money) -> bool:
    """The gateway tells a fee later than the payment. False when one is known already: it stands."""
    return insert_new(tx, ledger_fee, {"key": key, "fee_minor": fee.minor, "currency": fee.currency})


def fee(tx: Connection, key: str) -> Money | None:
    query = select(ledger_fee.c.fee_minor, ledger_fee.c.currency).where(ledger_fee.c.key == key)
    row = tx.execute(query).one_or_none()
    return None if row is None else Money(row.fee_minor, row.currency)


def _query() -> Select[Any]:
    fees = (ledger_fee.c.fee_minor, ledger_fee.c.currency.label("fee_currency"))
    return select(table, *fees).join_from(table, ledger_fee, ledger_fee.c.key == table.c.key, isouter=True)


def _row(entry: LedgerEntry) -> dict[str, Any]:
    return {
        **{name: getattr(entry, name) for name in _PLAIN},
        "kind": EntryKind(entry.kind),
        "method": MethodKind(entry.method),
        "amount_minor": entry.amount.minor,
        "currency": entry.amount.currency,
    }


def _entry(row: RowMapping) -> LedgerEntry:
    known = row["fee_minor"] is not None
    return LedgerEntry(
        **{name: row[name] for name in _PLAIN},
        kind=EntryKind(row["kind"]),
        method=MethodKind(row["method"]),
        amount=Money(row["amount_minor"], row["currency"]),
        fee=Money(row["fee_minor"], row["fee_currency"]) if known else None,
    )
