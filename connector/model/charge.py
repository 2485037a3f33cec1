"""Charges: one collection for one period of one billing unit, and what explains and holds them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from connector.model.money import Money
from connector.model.period import Period


class ChargeState(StrEnum):
    WAITING = "waiting"  # a draft is there, its charge date is not: not yet due
    HELD = "held"  # due, but a hold with a name keeps it back
    RELEASED = "released"  # the gateway collects it
    PAID = "paid"
    WRITTEN_OFF = "written_off"  # nothing was owed any more
    ENDED = "ended"  # voided or given up at the gateway by someone else


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakdownLine:
    """`kind`: base, line, tax, elsewhere, credit, rounding, true_up, supplement, unexplained. `source` names the PSA record.

    The rest is set for an agreement's line: `quantity` is what is billed, after the `included`; `[starts, ends)`.
    """

    kind: str
    description: str
    amount: Money
    source: str = ""
    name: str = ""
    quantity: Decimal | None = None
    unit_price: Decimal | None = None
    included: Decimal | None = None
    starts: date | None = None
    ends: date | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """Unique on (unit, period, number). Number 0 is the regular charge, further ones are supplementary."""

    id: str  # charge_id(...)
    unit: str
    period: Period
    number: int
    state: ChargeState
    currency: str
    computed: Money  # what the agreement says, before tax and true-up
    payer: str = ""  # Payer.key of whoever was charged; "" in rows older than this column
    gateway_invoice: str = ""
    psa_invoice: str = ""
    psa_number: str = ""
    charge_date: date | None = None
    owed: Money | None = None  # what was released
    collected: Money | None = None  # net of reversals
    released_at: datetime | None = None
    breakdown: tuple[BreakdownLine, ...] = ()


def charge_id(unit: str, period: Period, number: int = 0) -> str:
    suffix = f"/{number}" if number else ""
    return f"{unit}/{period.start.isoformat()}{suffix}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """A named reason why a charge is not released. `way_on` tells what to do; lifted by itself when the reason is gone."""

    charge: str
    name: str
    message: str
    way_on: str
    since: datetime
