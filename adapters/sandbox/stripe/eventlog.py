"""The events of the last 30 days."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from adapters.sandbox.stripe.errors import no_such
from adapters.sandbox.stripe.tables import Body, Page

API_VERSION = "2026-05-27.dahlia"
EVENT_HORIZON_S = 30 * 86_400
LATE_S = 3 * 86_400
ASTRAY = ("missing", "repeated", "late", "swapped")


@dataclass(frozen=True, slots=True)
class Recorded:
    id: str
    type: str
    created: int
    text: str


class EventLog:
    """The last 30 days, oldest first. Bodies are kept as they were at that moment, as text.

    `astray`: what becomes of the coming events (Stripe promises neither their order nor that each comes once): never listed,
    listed twice under two ids, listed days later at the place of its creation, or after the one that followed it.
    """

    def __init__(self) -> None:
        self.astray: deque[str] = deque()
        self._late: list[Recorded] = []
        self._swapped: Recorded | None = None
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
        self._list(Recorded(id, type, now, json.dumps(event)))

    def _list(self, event: Recorded) -> None:
        held, self._swapped = self._swapped, None
        match self.astray.popleft() if self.astray else "":
            case "missing":
                pass
            case "late":
                self._late.append(event)
            case "swapped":
                self._swapped = event
            case "repeated":
                again = replace(event, id=f"{event.id}again", text=event.text.replace(event.id, f"{event.id}again", 1))
                self._append(event)
                self._append(again)
            case _:
                self._append(event)
        if held is not None:
            self._append(held)

    def _append(self, event: Recorded) -> None:
        self._position[event.id] = self._first + len(self._events)
        self._events.append(event)

    def catch_up(self, now: int) -> None:
        """What is late is listed among those of its time: a cursor has passed it already."""
        due = [event for event in self._late if event.created + LATE_S <= now]
        if due:
            self._late = [event for event in self._late if event not in due]
            self._events = deque(sorted([*self._events, *due], key=lambda event: event.created))
            self._position = {event.id: self._first + place for place, event in enumerate(self._events)}

    def forget(self, now: int) -> None:
        self.catch_up(now)
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
