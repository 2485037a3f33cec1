"""ConnectWise's billing cycles. Written apart from the agent's own calendar so that each can prove the other wrong."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

MONTHS = {"Monthly": 1, "BiMonthly": 2, "Quarterly": 3, "SemiAnnual": 6, "Yearly": 12}
WEEKS = {"Weekly": 1, "BiWeekly": 2}


@dataclass(frozen=True, slots=True)
class Span:
    """One billing period; `end` is the first day after it."""

    start: date
    end: date

    @property
    def days(self) -> int:
        return (self.end - self.start).days

    def holds(self, day: date) -> bool:
        return self.start <= day < self.end


def start_of(anchor: date, option: str, number: int) -> date:
    """First day of the period `number` periods after the one that begins on the anchor; the 31st is a short month's last."""
    if option in WEEKS:
        return anchor + timedelta(weeks=WEEKS[option] * number)
    months = anchor.year * 12 + anchor.month - 1 + MONTHS[option] * number
    year, month = divmod(months, 12)
    return date(year, month + 1, min(anchor.day, monthrange(year, month + 1)[1]))


def span(anchor: date, option: str, number: int) -> Span:
    return Span(start_of(anchor, option, number), start_of(anchor, option, number + 1))


def number_on(anchor: date, option: str, day: date) -> int:
    """Which period covers this day."""
    if option in WEEKS:
        return (day - anchor).days // (7 * WEEKS[option])
    guess = ((day.year - anchor.year) * 12 + day.month - anchor.month) // MONTHS[option]
    return guess - 1 if start_of(anchor, option, guess) > day else guess
