"""Small, honest doubles for whoever tests an adapter or a flow: a clock, a token store, a budget, a ready Context."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from connector.ports import Context, TokenCell


class FixedClock:
    """Stands still until `advance` moves it."""

    def __init__(self, now: datetime) -> None:
        if now.tzinfo is None:
            raise ValueError("a clock needs an aware datetime")
        self._now = now.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by


class _Timed(Protocol):
    now: datetime


class WorldClock:
    """The clock of a simulated world: whatever has a `now`."""

    def __init__(self, world: _Timed) -> None:
        self._world = world

    def now(self) -> datetime:
        return self._world.now


class NoBudget:
    """Everything may go now. `taken` counts the requests per partner, so that a test can weigh their cost."""

    def __init__(self) -> None:
        self.taken: dict[str, int] = {}

    def take(self, partner: str) -> float:
        self.taken[partner] = self.taken.get(partner, 0) + 1
        return 0.0


class MemoryTokens:
    """A token store in memory: one lock per partner, as all processes would share it. Survives the adapter, not the process."""

    def __init__(self, initial: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._values: dict[str, dict[str, str]] = {partner: dict(value) for partner, value in (initial or {}).items()}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def load(self, partner: str) -> Mapping[str, str]:
        with self._guard:
            return dict(self._values.get(partner, {}))

    @contextmanager
    def locked(self, partner: str) -> Iterator[TokenCell]:
        with self._guard:
            lock = self._locks.setdefault(partner, threading.Lock())
        with lock:
            yield _Cell(self, partner)

    def store(self, partner: str, value: Mapping[str, str]) -> None:
        with self._guard:
            self._values[partner] = dict(value)


class _Cell:
    def __init__(self, tokens: MemoryTokens, partner: str) -> None:
        self._tokens = tokens
        self._partner = partner

    @property
    def value(self) -> Mapping[str, str]:
        return self._tokens.load(self._partner)

    def save(self, value: Mapping[str, str]) -> None:
        self._tokens.store(self._partner, value)


def context(**overrides: Any) -> Context:
    """A Context that works: instance `test`, USD, New York, a clock that stands still, empty tokens, no budget, no mapping."""
    ready = Context(
        instance="test",
        currency="USD",
        time_zone=ZoneInfo("America/New_York"),
        clock=FixedClock(datetime(2026, 1, 5, 9, 0, tzinfo=UTC)),
        tokens=MemoryTokens(),
        budget=NoBudget(),
        mapping=None,
    )
    return replace(ready, **overrides)
