"""How fast all processes together may call a partner: one token bucket per partner, in the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update

from connector.ports import Clock
from connector.store.database import Store
from connector.store.schema import budget as table
from connector.store.sql import for_update, insert_new


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """`per_s` requests a second in the long run, `burst` of them (at least 1) at once."""

    per_s: float
    burst: int

    def __post_init__(self) -> None:
        if self.per_s <= 0 or self.burst < 1:
            raise ValueError("a rate needs per_s above 0 and a burst of at least 1")


class StoredBudget:
    """Partners without a rate are not limited."""

    def __init__(self, store: Store, rates: Mapping[str, Rate], *, clock: Clock) -> None:
        self._store = store
        self._rates = dict(rates)
        self._clock = clock

    def take(self, partner: str) -> float:
        """Seconds to wait before the next request; 0 when it may go now (and then it is counted)."""
        rate = self._rates.get(partner)
        if rate is None:
            return 0.0
        with self._store.begin() as tx:
            now = self._clock.now()
            insert_new(tx, table, {"partner": partner, "free_at": now})
            free_at = tx.execute(for_update(tx, select(table.c.free_at).where(table.c.partner == partner))).scalar_one()
            wait_s, free_at = spend(free_at, now, rate)
            tx.execute(update(table).where(table.c.partner == partner).values(free_at=free_at))
        return wait_s


def spend(free_at: datetime, now: datetime, rate: Rate) -> tuple[float, datetime]:
    """Seconds to wait, and the moment at which the bucket is full again. Pure; a bucket is one moment and no counter."""
    step = timedelta(seconds=1 / rate.per_s)
    full = step * rate.burst
    free_at = min(max(free_at, now), now + full)  # a clock that was put back must not stop us for hours
    wait = free_at + step - (now + full)
    return (wait.total_seconds(), free_at) if wait > timedelta() else (0.0, free_at + step)
