"""The events of the last 30 days."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from adapters.sandbox.stripe.errors import no_such
from adapters.sandbox.stripe.tables import Body, Page

API_VERSION = "2026-05-27.dahlia"
EVENT_HORIZON_S = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Recorded:
    id: str
    type: str
    created: int
    text: str


class EventLog:
    """The last 30 days, oldest first. Bodies are kept as they were at that moment, as text."""

    def __init__(self) -> None:
        self._events: deque[Recorded] = deque()
        self._first = 0  # position of the oldest one still kept
        self._position: dict[str, int] = {}

    def add(
        self, id: str, type: str, body: Body, previous: Body | None, now: int, request: tuple[str | None, str | None]
    ) -> None:
        data: Body = {"object": {key: value for key, value in body.items() if key != "amount_paid_off_stripe"}}
        if previous:
            data["previous_attributes"] = previous
        event = {
            "id": id,
            "object": "event",
            "api_version": API_VERSION,
            "created": now,
            "data": data,
            "livemode": False,
            "pending_webhooks": 0,
            "request": {"id": request[0], "idempotency_key": request[1]},
            "type": type,
        }
        self._position[id] = self._first + len(self._events)
        self._events.append(Recorded(id, type, now, json.dumps(event)))

    def forget(self, now: int) -> None:
        while self._events and self._events[0].created < now - EVENT_HORIZON_S:
            del self._position[self._events.popleft().id]
            self._first += 1

    def find(self, id: str) -> Recorded | None:
        position = self._position.get(id)
        return None if position is None else self._events[position - self._first]

    def page(self, page: Page, keep: Callable[[Recorded], bool]) -> tuple[list[Recorded], bool]:
        low, high = 0, len(self._events)
        if page.after:
            high = min(high, self._place(page.after, "starting_after"))
        if page.before:
            low = max(low, self._place(page.before, "ending_before") + 1)
        window = list(self._events)[low:high]
        found: list[Recorded] = []
        for event in window if page.before else reversed(window):
            if keep(event):
                found.append(event)
                if len(found) > page.limit:
                    break
        chosen = found[: page.limit]
        return (chosen[::-1] if page.before else chosen), len(found) > page.limit

    def _place(self, id: str, param: str) -> int:
        if id not in self._position:
            raise no_such("event", id, param=param)
        return self._position[id] - self._first

    def __len__(self) -> int:
        return len(self._events)
