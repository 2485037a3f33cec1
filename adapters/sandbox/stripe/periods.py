"""The calendar of a subscription: where its billing periods begin. All moments are whole Unix seconds in UTC."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

DAY_S = 86_400


def moment(at: datetime) -> int:
    return int(at.timestamp())


def when(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)


@dataclass(frozen=True, kw_only=True)
class Cycle:
    """Boundaries are `anchor` plus whole intervals; a day that a month lacks becomes the month's last one."""

    anchor: int
    interval: str
    count: int = 1
    day_of_month: int = 0  # wanted day, when the anchor's own month was too short for it

    def boundary(self, number: int) -> int:
        if self.interval in ("day", "week"):
            return self.anchor + number * self.count * DAY_S * (7 if self.interval == "week" else 1)
        months = number * self.count * (12 if self.interval == "year" else 1)
        return moment(_plus_months(when(self.anchor), months, self.day_of_month))

    def after(self, at: int) -> int:
        """The first boundary later than `at`."""
        number = self._guess(at) - 1
        while self.boundary(number) <= at:
            number += 1
        return self.boundary(number)

    def before(self, at: int) -> int:
        """The last boundary earlier than `at`."""
        number = self._guess(at) + 2
        while self.boundary(number) >= at:
            number -= 1
        return self.boundary(number)

    def _guess(self, at: int) -> int:
        days = {"day": 1.0, "week": 7.0, "month": 30.5, "year": 365.3}[self.interval] * self.count
        return int((at - self.anchor) / (days * DAY_S)) - 1


def _plus_months(start: datetime, months: int, day: int = 0) -> datetime:
    total = start.year * 12 + start.month - 1 + months
    year, month = divmod(total, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return start.replace(year=year, month=month + 1, day=min(day or start.day, last))


def next_occurrence(now: int, *, day: int, hour: int, minute: int, second: int, month: int = 0) -> int:
    """The next moment with that day of the month (or its last day) at that time, in that month if one is named."""
    start = when(now).replace(day=1, hour=hour, minute=minute, second=second, microsecond=0)
    for ahead in range(14):
        candidate = _plus_months(start, ahead, day)
        if (not month or candidate.month == month) and moment(candidate) > now:
            return moment(candidate)
    raise ValueError(f"no month {month} within a year")


def is_weekday(at: datetime) -> bool:
    return at.weekday() < 5


def business_days_later(at: int, days: int) -> int:
    """Midnight UTC, `days` weekdays after the day of `at`."""
    day = when(at).replace(hour=0, minute=0, second=0, microsecond=0)
    while days > 0:
        day += timedelta(days=1)
        days -= is_weekday(day)
    return moment(day)
