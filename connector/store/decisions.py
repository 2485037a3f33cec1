"""What people decided after money came back: what a refund is for, and what becomes of the charge. Append-only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from connector.model.decision import ChargeDecision
from connector.model.ledger import RefundIntent
from connector.model.money import Money
from connector.store.schema import charge_decision, reversal_decision


@dataclass(frozen=True, kw_only=True, slots=True)
class Classified:
    """What a person said that a refund is for. `entry`: the ledger key of the reversal."""

    entry: str
    intent: RefundIntent
    who: str
    why: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """What is to become of a charge of which `back` had gone back when it was decided. More than that is a new question."""

    charge: str
    decision: ChargeDecision
    back: Money
    next: str  # with RECOLLECT: the charge that collects it again; else ""
    who: str
    why: str
    at: datetime


def classify(tx: Connection, entry: str, intent: RefundIntent, *, who: str, why: str, now: datetime) -> None:
    """The last word about one reversal counts; the earlier ones are kept."""
    values = {"entry": entry, "intent": RefundIntent(intent), "who": who, "why": why, "at": now}
    tx.execute(insert(reversal_decision).values(values))


def intent(tx: Connection, entry: str) -> RefundIntent | None:
    """What a person said last about the reversal with this ledger key; None when nobody has."""
    found = classified(tx, [entry]).get(entry)
    return None if found is None else found.intent


def classified(tx: Connection, entries: Collection[str] | None = None) -> dict[str, Classified]:
    """By ledger key, the last word; of these reversals only, if given."""
    query = select(reversal_decision).order_by(reversal_decision.c.id)
    if entries is not None:
        query = query.where(reversal_decision.c.entry.in_(sorted(entries)))
    return {
        row["entry"]: Classified(
            entry=row["entry"], intent=RefundIntent(row["intent"]), who=row["who"], why=row["why"], at=row["at"]
        )
        for row in tx.execute(query).mappings()
    }


def decide(
    tx: Connection, charge: str, decision: ChargeDecision, *, back: Money, who: str, why: str, now: datetime, next: str = ""
) -> None:
    """`back`: what had gone back of the charge by then."""
    values = {
        "charge": charge,
        "decision": ChargeDecision(decision),
        "next": next,
        "back_minor": back.minor,
        "currency": back.currency,
        "who": who,
        "why": why,
        "at": now,
    }
    tx.execute(insert(charge_decision).values(values))


def decided(tx: Connection, charge: str) -> Decided | None:
    """The last word about one charge."""
    return every(tx).get(charge)


def every(tx: Connection) -> dict[str, Decided]:
    """By charge, the last word."""
    rows = tx.execute(select(charge_decision).order_by(charge_decision.c.id)).mappings()
    return {
        row["charge"]: Decided(
            charge=row["charge"],
            decision=ChargeDecision(row["decision"]),
            back=Money(row["back_minor"], row["currency"]),
            next=row["next"],
            who=row["who"],
            why=row["why"],
            at=row["at"],
        )
        for row in rows
    }
