"""Everything that one Stripe account holds: tables of objects, wakes and events."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from adapters.sandbox.stripe.errors import no_such
from adapters.sandbox.stripe.eventlog import EventLog
from adapters.sandbox.stripe.tables import Body, Table
from adapters.sandbox.world import World

__all__ = ["Account", "Body"]
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


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
        self.tax_percent = Decimal(0)  # of automatic tax
        self.item_taxes: dict[str, Decimal] = {}  # percent by subscription item, where a person gave it a tax rate
        self.retries = True  # the owner's setting: failed payments are tried again on a schedule
        self.refused: dict[str, str] = {}  # invoice -> payment method that was declined for good
        self.after_retries = "past_due"  # the owner's setting: what becomes of a subscription when no try is left
        self.switches = {"charges_enabled": True, "payouts_enabled": True}  # Stripe's, not the owner's
        self.payout_schedule = "daily"  # or "manual"
        self.debit_negative = True  # a negative balance is fetched from the bank, as in the US
        self.failed_payouts_listed = True
        self.dispute_fee_returned = True  # with a dispute that is won; the documents do not agree
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
