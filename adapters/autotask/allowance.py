"""How much of the tenant's hourly requests is ours: all of its integrations share one budget (psa.md 2B.3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connector.errors import RetryLater
from connector.ports import Clock

ASKED_EVERY = timedelta(minutes=4)
ASKED_EVERY_REQUESTS = 200  # at least; a long read must not trust an old answer
SLOW_FROM_PERCENT = 50  # where Autotask begins to make everybody wait
STOP_AT_PERCENT = 75
SLOWEST_S = 2.0
KEPT_FREE = 5  # a long read leaves one part in so many of our share to the short ones: bills and payments
AGAIN_S = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """As ThresholdInformation says it: `used` of `limit` requests, by all of the tenant's tools, in the last `minutes`."""

    used: int
    limit: int
    minutes: int

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> Usage | None:
        """None when it does not say."""
        names = ("currentTimeframeRequestCount", "externalRequestThreshold", "requestThresholdTimeframe")
        used, limit, minutes = (found.get(name) for name in names)
        if not all(isinstance(value, int) for value in (used, limit, minutes)) or not limit or not minutes:
            return None
        return cls(used=int(used or 0), limit=int(limit), minutes=int(minutes))


@dataclass(kw_only=True)
class Allowance:
    """Asked before every request. `ask` fetches the tenant's usage, itself uncounted here."""

    share_percent: int
    clock: Clock
    sleep: Callable[[float], None]
    ask: Callable[[], Usage]
    _ours: deque[datetime] = field(default_factory=deque)
    _usage: Usage | None = None
    _asked_at: datetime | None = None
    _since: int = 0  # requests of ours since it was asked
    _taken: int = 0

    def take(self) -> None:
        """Waits a little when the tenant's budget runs low. RetryLater when our share, or most of the tenant's, is used up."""
        now = self.clock.now()
        usage = self._current(now)
        self._within_share(usage, now)
        self._within_tenant(usage)
        self._ours.append(now)
        self._since += 1
        self._taken += 1

    def reserve(self, count: int) -> None:
        """Before a long read: RetryLater when it would break off in the middle, and then begin again from the start."""
        now = self.clock.now()
        usage = self._current(now)
        share = self._share(usage, now)
        if len(self._ours) + min(count + share // KEPT_FREE, share) > share:
            raise self._used_up(usage, share, now)

    @property
    def taken(self) -> int:
        """Requests of ours so far, ever."""
        return self._taken

    def _current(self, now: datetime) -> Usage:
        known, at = self._usage, self._asked_at
        fresh = at is not None and now - at < ASKED_EVERY and self._since < ASKED_EVERY_REQUESTS
        if known is None or not fresh:
            known = self._usage = self.ask()
            self._ours.append(now)
            self._asked_at, self._since = now, 0
        return known

    def _within_share(self, usage: Usage, now: datetime) -> None:
        share = self._share(usage, now)
        if len(self._ours) >= share:
            raise self._used_up(usage, share, now)

    def _share(self, usage: Usage, now: datetime) -> int:
        window = timedelta(minutes=usage.minutes)
        while self._ours and now - self._ours[0] >= window:
            self._ours.popleft()
        return max(1, usage.limit * self.share_percent // 100)

    def _used_up(self, usage: Usage, share: int, now: datetime) -> RetryLater:
        oldest = self._ours[0] if self._ours else now
        after = (oldest + timedelta(minutes=usage.minutes) - now).total_seconds()
        return RetryLater(
            f"Autotask: our share of its requests is used up ({len(self._ours)} of {share}; the tenant has {usage.limit} in"
            f" {usage.minutes} minutes, settings.budget_share_percent of the PSA). It goes on when the hour has moved on.",
            after_s=max(after, 1.0),
        )

    def _within_tenant(self, usage: Usage) -> None:
        used = usage.used + self._since
        percent = used * 100 / usage.limit
        if percent >= STOP_AT_PERCENT:
            self._asked_at = None  # who comes back asks anew
            raise RetryLater(
                f"Autotask: the tenant's tools have used {used} of {usage.limit} requests in {usage.minutes} minutes; the agent"
                " leaves the rest to them and goes on when there are more again.",
                after_s=AGAIN_S,
            )
        if percent >= SLOW_FROM_PERCENT:
            self.sleep(SLOWEST_S * (percent - SLOW_FROM_PERCENT + 5) / (STOP_AT_PERCENT - SLOW_FROM_PERCENT + 5))
