"""Billing periods of a service: whole months, counted from the day on which its contract starts."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

MONTHLY, QUARTERLY, SEMI_ANNUAL, YEARLY = 2, 3, 4, 5  # Services.periodType
MONTHS = {MONTHLY: 1, QUARTERLY: 3, SEMI_ANNUAL: 6, YEARLY: 12}


@dataclass(frozen=True, slots=True)
class Span:
    start: date
    last: date  # inclusive, as Autotask's `endDate`

    @property
    def days(self) -> int:
        return (self.last - self.start).days + 1


def span(anchor: date, period_type: int, number: int) -> Span:
    months = MONTHS[period_type]
    return Span(_moved(anchor, months * number), _moved(anchor, months * (number + 1)) - timedelta(days=1))


def number_on(anchor: date, period_type: int, day: date) -> int:
    """Which period covers this day."""
    months = (day.year - anchor.year) * 12 + day.month - anchor.month
    guess = months // MONTHS[period_type]
    return guess - 1 if span(anchor, period_type, guess).start > day else guess


def _moved(day: date, months: int) -> date:
    """The month's last day where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
