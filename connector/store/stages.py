"""How far each refund and dispute got, as the gateway told it. Append-only: a row for each stage that was seen."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, insert, select

from connector.model.ledger import GatewayReversal, ReversalReason, ReversalStage, reversal_key
from connector.model.money import Money
from connector.store.schema import reversal_stage as table


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """`reversal`: the key that its ledger entry has, or would have: one whose money never moved has no entry."""

    reversal: str
    charge: str
    payment: str
    reason: ReversalReason
    stage: ReversalStage
    status: str  # the gateway's word
    amount: Money
    on_open_dispute: bool
    at: datetime  # when it was seen


def note(tx: Connection, reversal: GatewayReversal, *, charge: str, now: datetime) -> bool:
    """False when nothing is new about it."""
    key = reversal_key(reversal.id)
    known = latest(tx, [key]).get(key)
    said = (reversal.stage, reversal.status, reversal.on_open_dispute)
    if known is not None and (known.stage, known.status, known.on_open_dispute) == said:
        return False
    values = {
        "reversal": key,
        "charge": charge,
        "payment": reversal.payment,
        "reason": ReversalReason(reversal.reason),
        "stage": ReversalStage(reversal.stage),
        "status": reversal.status,
        "amount_minor": reversal.amount.minor,
        "currency": reversal.amount.currency,
        "on_open_dispute": reversal.on_open_dispute,
        "at": now,
    }
    tx.execute(insert(table).values(values))
    return True


def history(tx: Connection, reversal: str) -> list[Stage]:
    """By ledger key, in the order seen."""
    query = select(table).where(table.c.reversal == reversal).order_by(table.c.id)
    return [_stage(row) for row in tx.execute(query).mappings()]


def latest(tx: Connection, reversals: Collection[str] | None = None) -> dict[str, Stage]:
    """By ledger key, the stage of each that was seen last; of these only, if given."""
    query = select(table).order_by(table.c.id)
    if reversals is not None:
        query = query.where(table.c.reversal.in_(sorted(reversals)))
    return {row["reversal"]: _stage(row) for row in tx.execute(query).mappings()}


def _stage(row: RowMapping) -> Stage:
    return Stage(
        **{name: row[name] for name in ("reversal", "charge", "payment", "status", "on_open_dispute", "at")},
        reason=ReversalReason(row["reason"]),
        stage=ReversalStage(row["stage"]),
        amount=Money(row["amount_minor"], row["currency"]),
    )
