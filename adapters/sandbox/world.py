"""One simulated world: a clock, a source of chance, and the partners that live in it.

A partner is a state machine: `handle(request)` answers HTTP, `wake(now)` does what falls due, `state()` shows everything.
Time moves only by `advance`; it stops at every moment that a partner asked to be woken at, in order.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from adapters.sandbox.faults import Faults, LostReply
from adapters.sandbox.wire import Request, Response

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
MAX_LOGGED_REQUESTS = 200_000


class Partner(Protocol):
    name: str  # also the URL prefix

    def handle(self, request: Request) -> Response: ...

    def next_wake(self) -> datetime | None:
        """When this partner next does something by itself, None when nothing is due."""

    def wake(self, now: datetime) -> None: ...

    def state(self) -> dict[str, Any]:
        """Everything it holds, as JSON."""

    def too_many_requests(self, retry_after_s: int) -> Response:
        """How this partner says 429."""

    def server_error(self, status: int) -> Response:
        """How this partner says 5xx."""


class World:
    """Single-threaded inside: every request and every advance takes the one lock."""

    def __init__(self, *, seed: int = 1, start: datetime = START) -> None:
        self.seed = seed
        self.random = random.Random(seed)  # noqa: S311 - chance of a simulation, not of a secret
        self.now = start
        self.partners: dict[str, Partner] = {}
        self.faults = Faults(self.random)
        self.requests: deque[dict[str, Any]] = deque(maxlen=MAX_LOGGED_REQUESTS)
        self.lock = threading.RLock()

    def add(self, partner: Partner) -> None:
        self.partners[partner.name] = partner

    def handle(self, partner: str, request: Request) -> Response:
        """Answer one request. Raises LostReply when a fault says that the answer never arrives."""
        target = self.partners[partner]
        in_flight = getattr(target, "in_flight", _not_counted)  # some partners count what is asked of them at once
        with in_flight(request), self.lock:
            fault = self.faults.take(partner, request)
            if fault and not fault.after_effect:
                response = fault.response(target)
                self._log(partner, request, response.status if response else 0, fault.kind)
                if response is None:
                    raise LostReply(fault.kind)
                return response
            response = target.handle(request)
            if fault and fault.kind == "half_reply":
                self._log(partner, request, response.status, fault.kind)
                return replace(response, sent_bytes=len(response.body) // 2)
            if fault:
                instead = fault.response(target)
                self._log(partner, request, instead.status if instead else 0, fault.kind)
                if instead is None:
                    raise LostReply(fault.kind)
                if hasattr(target, "answered"):  # some partners keep what they answered, and repeat it
                    target.answered(request, instead)
                return instead
            self._log(partner, request, response.status, "")
            return response

    def advance(self, to: datetime) -> None:
        """Move time to `to`, waking partners on the way in the order of their moments."""
        with self.lock:
            while (due := self._next_wake()) is not None and due[0] <= to:
                self.now = max(self.now, due[0])
                due[1].wake(self.now)
            self.now = max(self.now, to)

    def advance_days(self, days: float) -> None:
        self.advance(self.now + timedelta(days=days))

    def state(self) -> dict[str, Any]:
        with self.lock:
            partners = {name: partner.state() for name, partner in self.partners.items()}
            return {"now": self.now.isoformat(), "seed": self.seed, **partners}

    def _next_wake(self) -> tuple[datetime, Partner] | None:
        moments: Iterable[tuple[datetime, Partner]] = (
            (moment, partner) for partner in self.partners.values() if (moment := partner.next_wake()) is not None
        )
        return min(moments, key=lambda pair: pair[0], default=None)

    def _log(self, partner: str, request: Request, status: int, fault: str) -> None:
        self.requests.append(
            {
                "at": self.now.isoformat(),
                "partner": partner,
                "method": request.method,
                "path": request.path,
                "query": request.query,
                "status": status,
                "fault": fault,
            }
        )


def _not_counted(_request: Request) -> AbstractContextManager[None]:
    return nullcontext()
