"""Everything that one Stripe account holds: objects in the shape they are answered in, indices, wakes and events."""

from __future__ import annotations

import hashlib
import heapq
import json
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.sandbox.stripe.errors import no_such
from adapters.sandbox.world import World

Body = dict[str, Any]
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
API_VERSION = "2026-05-27.dahlia"
EVENT_HORIZON_S = 30 * 86_400


def _field(name: str) -> Callable[[Body], Hashable]:
    return lambda body: body.get(name)


def _invoice_subscription(body: Body) -> Hashable:
    parent = body["parent"]
    return parent["subscription_details"]["subscription"] if parent else None


def _paying_intent(body: Body) -> Hashable:
    return body["payment"].get("payment_intent")  # type: ignore[no-any-return]


INDEXES: Mapping[str, Mapping[str, Callable[[Body], Hashable]]] = {
    "customer": {"email": _field("email")},
    "subscription": {"customer": _field("customer"), "status": _field("status")},
    "subscription_item": {"subscription": _field("subscription")},
    "invoice": {"customer": _field("customer"), "status": _field("status"), "subscription": _invoice_subscription},
    "invoiceitem": {"customer": _field("customer"), "invoice": _field("invoice")},
    "invoice_payment": {"invoice": _field("invoice"), "payment_intent": _paying_intent},
    "payment_intent": {"customer": _field("customer")},
    "charge": {"customer": _field("customer"), "payment_intent": _field("payment_intent")},
    "payment_method": {"customer": _field("customer")},
    "setup_intent": {"customer": _field("customer"), "payment_method": _field("payment_method")},
    "checkout.session": {"customer": _field("customer"), "status": _field("status")},
    "refund": {"charge": _field("charge"), "payment_intent": _field("payment_intent")},
    "mandate": {"payment_method": _field("payment_method")},
    "dispute": {"charge": _field("charge"), "payment_intent": _field("payment_intent")},
    "credit_note": {"invoice": _field("invoice"), "customer": _field("customer")},
    "balance_transaction": {"source": _field("source"), "type": _field("type")},
    "payout": {"status": _field("status")},
    "price": {"product": _field("product")},
}


@dataclass(frozen=True, kw_only=True)
class Page:
    limit: int = 10
    created: Mapping[str, int] = field(default_factory=dict)
    after: str = ""
    before: str = ""


class Table:
    """Objects of one kind in the order they were made; lists walk it newest first."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._order: list[Body | None] = []
        self._created: list[int] = []
        self._seq: dict[str, int] = {}
        self._readers = INDEXES.get(kind, {})
        self._index: dict[tuple[str, Hashable], set[int]] = {}
        self._filed: dict[int, list[tuple[str, Hashable]]] = {}

    def __iter__(self) -> Iterator[Body]:
        return (body for body in self._order if body is not None)

    def __len__(self) -> int:
        return len(self._seq)

    def add(self, body: Body, created: int) -> None:
        self._seq[body["id"]] = len(self._order)
        self._order.append(body)
        self._created.append(created)
        self.file(body)

    def get(self, id: str) -> Body | None:
        seq = self._seq.get(id)
        return None if seq is None else self._order[seq]

    def remove(self, id: str) -> None:
        seq = self._seq.pop(id)
        self._order[seq] = None
        for key in self._filed.pop(seq, []):
            self._index[key].discard(seq)

    def file(self, body: Body) -> None:
        """Bring the indices up to date with what the object says now."""
        seq = self._seq[body["id"]]
        keys: list[tuple[str, Hashable]] = [(name, read(body)) for name, read in self._readers.items()]
        if keys == (filed := self._filed.get(seq)):
            return
        for key in filed or ():
            self._index[key].discard(seq)
        for key in keys:
            self._index.setdefault(key, set()).add(seq)
        self._filed[seq] = keys

    def where(self, **wanted: Hashable) -> list[Body]:
        """Those with all of these indexed values, oldest first."""
        return [body for seq in self._matching(wanted) if (body := self._order[seq]) is not None]

    def page(self, page: Page, wanted: Mapping[str, Hashable], keep: Callable[[Body], bool]) -> tuple[list[Body], bool]:
        """Newest first; with `before` the page that lies next to that object. And whether there are more beyond it."""
        low, high = self._window(page)
        inside = range(low, high)
        seqs: Sequence[int] = [seq for seq in self._matching(wanted) if seq in inside] if wanted else inside
        towards_newer = bool(page.before)
        found: list[Body] = []
        for seq in seqs if towards_newer else reversed(seqs):
            body = self._order[seq]
            if body is not None and keep(body):
                found.append(body)
                if len(found) > page.limit:
                    break
        chosen = found[: page.limit]
        return (chosen[::-1] if towards_newer else chosen), len(found) > page.limit

    def _matching(self, wanted: Mapping[str, Hashable]) -> list[int]:
        if not wanted:
            return list(range(len(self._order)))
        sets = sorted((self._index.get(key, set()) for key in wanted.items()), key=len)
        return sorted(sets[0].intersection(*sets[1:]))

    def _window(self, page: Page) -> tuple[int, int]:
        low, high = 0, len(self._order)
        for bound, at in page.created.items():
            if bound in ("gt", "gte"):
                low = max(low, bisect_left(self._created, at + (bound == "gt")))
            else:
                high = min(high, bisect_left(self._created, at + (bound == "lte")))
        if page.after:
            high = min(high, self._position(page.after, "starting_after"))
        if page.before:
            low = max(low, self._position(page.before, "ending_before") + 1)
        return low, max(low, high)

    def _position(self, id: str, param: str) -> int:
        if id not in self._seq:
            raise no_such(self.kind, id, param=param)
        return self._seq[id]


@dataclass(frozen=True, order=True)
class Wake:
    at: int
    number: int
    job: str = field(compare=False)
    subject: str = field(compare=False)


class Account:
    """The state that every operation reads and changes. `lines` holds all lines of an invoice; its body shows ten."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.tables: dict[str, Table] = {}
        self.lines: dict[str, list[Body]] = {}
        self.deleted: set[str] = set()  # customers
        self.behaviour: dict[str, str] = {}  # payment method -> how its bank answers
        self.attempts: dict[str, int] = {}  # invoice -> tries of the retry schedule so far
        self.refused: dict[str, str] = {}  # invoice -> payment method that was declined for good
        self.payout_of: dict[str, str] = {}  # balance transaction -> payout
        self.payout_members: dict[str, list[Body]] = {}  # payout -> its transactions, newest first
        self.unpaid: list[str] = []  # balance transactions that no payout took yet
        self.payout_days: set[int] = set()
        self.events = EventLog()
        self.request: tuple[str | None, str | None] = (None, None)  # id and idempotency key of the request being answered
        self._wakes: list[Wake] = []
        self._armed: dict[tuple[str, str], int] = {}
        self._counts: dict[str, int] = {}

    @property
    def now(self) -> int:
        return int(self._world.now.timestamp())

    def table(self, kind: str) -> Table:
        if kind not in self.tables:
            self.tables[kind] = Table(kind)
        return self.tables[kind]

    def id(self, prefix: str, length: int = 24) -> str:
        """As Stripe's look; the same for the same seed and the same things made before it."""
        number = self._counts[prefix] = self._counts.get(prefix, 0) + 1
        digest = hashlib.sha512(f"{self._world.seed}/{prefix}/{number}".encode()).digest()
        text = "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest)
        return prefix + ("1" + text[1:length] if length == 24 else text[:length])

    def count(self, name: str) -> int:
        self._counts[name] = self._counts.get(name, 0) + 1
        return self._counts[name]

    # objects

    def add(self, body: Body, event: str = "") -> Body:
        self.table(body["object"]).add(body, self.now)
        if event:
            self.emit(event, body)
        return body

    def save(self, body: Body, event: str = "", **previous: Any) -> Body:
        """After a change in place: indices, and the event if there is one."""
        self.table(body["object"]).file(body)
        if event:
            self.emit(event, body, previous or None)
        return body

    def get(self, kind: str, id: str) -> Body:
        body = self.find(kind, id)
        if body is None:
            raise KeyError(f"{kind} {id}")
        return body

    def find(self, kind: str, id: str | None) -> Body | None:
        return self.table(kind).get(id) if id else None

    def need(self, kind: str, id: str, param: str = "id") -> Body:
        """Raises resource_missing as Stripe words it for that parameter."""
        body = self.find(kind, id)
        if body is None or id in self.deleted:
            raise no_such(kind, id, param=param)
        return body

    def emit(self, type: str, body: Body, previous: Body | None = None) -> None:
        self.events.add(self.id("evt_"), type, body, previous, self.now, self.request)

    # wakes

    def schedule(self, at: int, job: str, subject: str) -> None:
        heapq.heappush(self._wakes, Wake(at, self.count("wake"), job, subject))

    def schedule_once(self, at: int, job: str, subject: str) -> None:
        """Not again for a moment that this job already waits for."""
        if self._armed.get((job, subject)) != at:
            self._armed[job, subject] = at
            self.schedule(at, job, subject)

    def next_wake(self) -> int | None:
        return self._wakes[0].at if self._wakes else None

    def due(self) -> Iterator[Wake]:
        while self._wakes and self._wakes[0].at <= self.now:
            yield heapq.heappop(self._wakes)


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
