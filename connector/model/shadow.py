"""What shadow mode saw of one period: what would have been charged, what the PSA billed, what was collected elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from connector.model.charge import BreakdownLine
from connector.model.explain import OF_AGREEMENT
from connector.model.guards import Reason
from connector.model.money import Money, total
from connector.model.period import Period


@dataclass(frozen=True, kw_only=True, slots=True)
class Elsewhere:
    """A payment that another product (or a person) recorded. `where`: the PSA's or the books' name."""

    where: str
    amount: Money
    on: date | None
    by: str = ""

    def __str__(self) -> str:
        when = f" on {self.on.isoformat()}" if self.on else ""
        return f"{self.amount}{when} in {self.where}{f' ({self.by})' if self.by else ''}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ShadowCharge:
    """`amount`: what would have been charged on `charge_date`; None while nothing is billed. Final once `decided`.

    `extra`: what the PSA billed beside the agreement's lines. `collected` is the most that one system shows as paid.
    """

    id: str
    unit: str
    name: str
    payer: str
    period: Period
    bill_day: date
    currency: str
    computed: Money
    amount: Money | None
    charge_date: date | None
    decided: bool
    psa_invoice: str
    psa_number: str
    invoiced: Money | None
    tax: Money | None
    balance: Money | None
    collected: Money
    holds: tuple[Reason, ...]
    payments: tuple[Elsewhere, ...]
    extra: tuple[BreakdownLine, ...]

    @property
    def difference(self) -> Money | None:
        """What was collected elsewhere less what the agent would have charged."""
        return None if self.amount is None else self.collected - self.amount

    @property
    def last_paid(self) -> date | None:
        return max((payment.on for payment in self.payments if payment.on), default=None)


class Outcome(StrEnum):
    MATCHES = "matches"  # to the cent
    DIFFERS = "differs"
    HELD = "held"
    NOT_COLLECTED = "not_collected"  # nobody has paid it yet, though the agent would have charged it
    NOT_DUE = "not_due"
    NO_INVOICE = "no_invoice"


def outcome(row: ShadowCharge, today: date) -> Outcome:
    if row.amount is None:
        return Outcome.HELD if row.psa_invoice else Outcome.NO_INVOICE
    if row.holds:
        return Outcome.HELD
    if row.collected == row.amount:
        return Outcome.MATCHES
    if row.collected:
        return Outcome.DIFFERS
    return Outcome.NOT_DUE if row.charge_date and row.charge_date > today else Outcome.NOT_COLLECTED


def reason(row: ShadowCharge, today: date) -> str:
    """One sentence for a billing admin."""
    match outcome(row, today):
        case Outcome.NO_INVOICE:
            return f"the PSA has no invoice for the period that was to be billed on {row.bill_day.isoformat()}"
        case Outcome.HELD:
            return "; ".join(f"{hold.name}: {hold.message} -> {hold.way_on}" for hold in row.holds) or "it cannot be decided"
        case Outcome.NOT_DUE:
            return f"not due yet: the agent would charge it on {row.charge_date}"
        case Outcome.NOT_COLLECTED:
            return f"nobody has recorded a payment; the agent would have charged it on {row.charge_date}"
        case Outcome.DIFFERS:
            return f"{_more(row)}: {paid(row)}"
        case Outcome.MATCHES:
            return _when(row)


def paid(row: ShadowCharge) -> str:
    return ", ".join(map(str, row.payments)) or f"{row.collected} without a date"


def _more(row: ShadowCharge) -> str:
    change = row.difference or Money.zero(row.currency)
    word = "more" if change.minor > 0 else "less"
    return f"{Money(abs(change.minor), change.currency)} {word} was collected than the agent would have charged"


def _when(row: ShadowCharge) -> str:
    if row.last_paid is None or row.charge_date is None or row.last_paid == row.charge_date:
        return ""
    days = (row.charge_date - row.last_paid).days
    return f"the agent would have charged it {abs(days)} day{'s' if abs(days) != 1 else ''} {'later' if days > 0 else 'earlier'}"


def beside_the_agreement(lines: Iterable[BreakdownLine]) -> tuple[BreakdownLine, ...]:
    """Proration, one-off lines and rounding: why the PSA's invoice is not the agreement's amount plus tax."""
    return tuple(line for line in lines if line.kind not in OF_AGREEMENT and line.kind not in ("tax", "credit", "elsewhere"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Sum:
    """Of one currency."""

    charges: int
    would_charge: Money
    invoiced: Money
    collected: Money


def sums(rows: Sequence[ShadowCharge]) -> tuple[Sum, ...]:
    result = []
    for currency in sorted({row.currency for row in rows}):
        of = [row for row in rows if row.currency == currency]
        result.append(
            Sum(
                charges=len(of),
                would_charge=total((row.amount for row in of if row.amount is not None and not row.holds), currency),
                invoiced=total((row.invoiced for row in of if row.invoiced is not None), currency),
                collected=total((row.collected for row in of), currency),
            )
        )
    return tuple(result)
