"""Billing cycles and the half-open periods `[start, end)` they cut time into."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum


class Cycle(StrEnum):
    """How often a billing unit is billed. Values are the words of field mappings."""

    WEEKLY = "weekly"
    BIWEEKLY = "biweekly"
    MONTHLY = "monthly"
    BIMONTHLY = "bimonthly"
    QUARTERLY = "quarterly"
    SEMIANNUAL = "semiannual"
    YEARLY = "yearly"

    @property
    def weeks(self) -> int:
        """Length in weeks, 0 for a cycle counted in months."""
        return {Cycle.WEEKLY: 1, Cycle.BIWEEKLY: 2}.get(self, 0)

    @property
    def months(self) -> int:
        """Length in months, 0 for a cycle counted in weeks."""
        return _MONTHS.get(self, 0)


_MONTHS = {Cycle.MONTHLY: 1, Cycle.BIMONTHLY: 2, Cycle.QUARTERLY: 3, Cycle.SEMIANNUAL: 6, Cycle.YEARLY: 12}


class Timing(StrEnum):
    """Whether a period is billed on its first day or after its last."""

    ADVANCE = "advance"
    ARREARS = "arrears"


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Half-open: `end` is the first day that the next period covers."""

    start: date
    end: date

    def __str__(self) -> str:
        return f"{self.start.isoformat()}..{(self.end - timedelta(days=1)).isoformat()}"

    def __contains__(self, day: date) -> bool:
        return self.start <= day < self.end


def add_months(anchor: date, months: int) -> date:
    """The anchor's day of the month, `months` later; the month's last day where that day does not exist."""
    index = anchor.year * 12 + (anchor.month - 1) + months
    year, month = divmod(index, 12)
    return date(year, month + 1, min(anchor.day, monthrange(year, month + 1)[1]))


def boundary(anchor: date, cycle: Cycle, number: int) -> date:
    """Start of the `number`-th period after the anchor (negative: before). Counted from the anchor: the 31st stays the 31st."""
    if cycle.weeks:
        return anchor + timedelta(weeks=cycle.weeks * number)
    return add_months(anchor, cycle.months * number)


def period_number(anchor: date, cycle: Cycle, day: date) -> int:
    """Which period, counted from the anchor's, covers this day."""
    if cycle.weeks:
        return (day - anchor).days // (7 * cycle.weeks)
    months = (day.year - anchor.year) * 12 + day.month - anchor.month
    number = months // cycle.months
    while boundary(anchor, cycle, number) > day:
        number -= 1
    while boundary(anchor, cycle, number + 1) <= day:
        number += 1
    return number


def nth_period(anchor: date, cycle: Cycle, number: int) -> Period:
    return Period(boundary(anchor, cycle, number), boundary(anchor, cycle, number + 1))


def period_of(anchor: date, cycle: Cycle, day: date) -> Period:
    """The period that covers this day."""
    return nth_period(anchor, cycle, period_number(anchor, cycle, day))


def bill_date(period: Period, timing: Timing) -> date:
    """The day on which the PSA bills this period by its cycle (the real invoice may be dated earlier or later)."""
    return period.start if timing is Timing.ADVANCE else period.end
