"""Charges that collect again what went back, because a person decided so."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection

from connector.flows.decisions import reversals_of
from connector.flows.desk import Desk
from connector.model.charge import Charge
from connector.model.decision import ChargeDecision, taken_back
from connector.model.money import Money, total
from connector.store import decisions


def every(tx: Connection) -> frozenset[str]:
    """Ids of the charges that were made to collect again."""
    return frozenset(said.next for said in decisions.every(tx).values() if said.next)


def describe(charge: Charge, collected_again: Collection[str]) -> str:
    """What the payer reads on the invoice."""
    what = "Collected again" if charge.id in collected_again else "Billed in addition"
    return f"{what}: invoice {charge.psa_number}"


def given_up(desk: Desk, charges: Sequence[Charge], currency: str) -> Money:
    """What these charges no longer stand for, because it went back, is still away, and another charge is to collect it."""
    with desk.store.read() as tx:
        said = decisions.every(tx)
        again = [charge for charge in charges if (d := said.get(charge.id)) and d.decision is ChargeDecision.RECOLLECT]
        backs = [min(said[c.id].back, taken_back(reversals_of(tx, c.id), currency), key=_minor) for c in again]
    return total(backs, currency)


def _minor(money: Money) -> int:
    return money.minor
