"""What an Autotask database lets its integrations ask: so many requests in a rolling hour, three at once on an endpoint."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from adapters.sandbox.wire import Request

TIMEFRAME_MIN = 60
MAX_THREADS = 3
_SLOW_S = ((75, 1.0), (50, 0.5))  # percent used -> latency added


class Budget:
    """All integrations of the database share it. Refused requests do not count (not verified)."""

    def __init__(self, threshold: int = 10_000) -> None:
        self.threshold = threshold
        self.latency_s = 0.0  # added to all answers so far
        self._used: deque[tuple[datetime, int]] = deque()
        self._count = 0

    def used(self, now: datetime) -> int:
        while self._used and self._used[0][0] <= now - timedelta(minutes=TIMEFRAME_MIN):
            self._count -= self._used.popleft()[1]
        return self._count

    def take(self, now: datetime, count: int = 1) -> None:
        self._count += count
        if self._used and self._used[-1][0] == now:
            self._used[-1] = (now, self._used[-1][1] + count)
        else:
            self._used.append((now, count))

    def is_spent(self, now: datetime) -> bool:
        return self.used(now) >= self.threshold

    def added_latency(self, now: datetime) -> float:
        """Seconds by which an answer is late just now. Counted, and not waited for."""
        percent = self.used(now) * 100 / self.threshold
        added = next((seconds for least, seconds in _SLOW_S if percent >= least), 0.0)
        self.latency_s += added
        return added


class Threads:
    """Requests in flight, by endpoint. `hanging` are calls that the client gave up and Autotask still works on."""

    def __init__(self) -> None:
        self.hanging: Counter[str] = Counter()
        self.most: Counter[str] = Counter()  # seen at once
        self.really_slow = False
        self._delays_s: dict[int, float] = {}  # of answers that are still to be sent
        self._in_flight: Counter[str] = Counter()
        self._too_many: set[int] = set()
        self._lock = threading.Lock()

    @contextmanager
    def flying(self, request: Request, endpoint: str) -> Iterator[None]:
        """For as long as the request is being answered. An empty endpoint has no limit."""
        with self._lock:
            self._arrives(request, endpoint)
        try:
            yield
            if self.really_slow:
                time.sleep(self._delays_s.get(id(request), 0.0))
        finally:
            with self._lock:
                self._in_flight[endpoint] -= 1
                self._too_many.discard(id(request))
                self._delays_s.pop(id(request), None)

    def _arrives(self, request: Request, endpoint: str) -> None:
        self._in_flight[endpoint] += 1
        if not endpoint:
            return
        now = self._in_flight[endpoint] + self.hanging[endpoint]
        self.most[endpoint] = max(self.most[endpoint], now)
        if now > MAX_THREADS:
            self._too_many.add(id(request))

    def delays(self, request: Request, seconds: float) -> None:
        self._delays_s[id(request)] = seconds

    def refuses(self, request: Request) -> bool:
        return id(request) in self._too_many

    def state(self) -> dict[str, Any]:
        return {"hanging": dict(+self.hanging), "most_at_once": dict(self.most)}
