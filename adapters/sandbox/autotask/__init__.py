"""Autotask PSA as a loopback server: contracts, their units by period, posting, invoices, and the one mark of payment."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from adapters.sandbox.autotask.api import Api
from adapters.sandbox.autotask.entry import add_company
from adapters.sandbox.autotask.errors import DEADLOCK, errors, page
from adapters.sandbox.autotask.fields import ENTITIES
from adapters.sandbox.autotask.gate import Tenant, User
from adapters.sandbox.autotask.posting import Posting
from adapters.sandbox.autotask.records import Records
from adapters.sandbox.autotask.shown import by_the_unit, shown
from adapters.sandbox.autotask.units import Units
from adapters.sandbox.wire import Request, Response
from adapters.sandbox.world import World

__all__ = ["Autotask"]

_ACTIONS = """
    hang_threads hide_contracts move_zone set_permission set_price_is_extended set_read_only set_really_slow
    set_threshold set_user spend_requests
""".split()


class Autotask:
    """It does nothing by itself; people (`AutotaskOffice`) and the interface change it."""

    name = "autotask"

    def __init__(self, world: World) -> None:
        self._world = world
        self.records = Records(world)
        self.units = Units(self.records)
        self.posting = Posting(self.records, self.units)
        self.api = Api(self.records, self.units)
        add_company(self.records, "Sandbox MSP", email="office@sandbox.example", id=0)  # the MSP itself
        self.actions: dict[str, Callable[..., Any]] = {name: getattr(self, name) for name in _ACTIONS}

    @property
    def tenant(self) -> Tenant:
        return self.api.tenant

    def handle(self, request: Request) -> Response:
        return self.api.handle(request)

    def in_flight(self, request: Request) -> AbstractContextManager[None]:
        return self.api.in_flight(request)

    def next_wake(self) -> datetime | None:
        return None

    def wake(self, now: datetime) -> None:
        raise AssertionError(f"Autotask asked for no wake-up, yet was woken at {now}")

    def state(self) -> dict[str, Any]:
        self.units.refresh()
        found: dict[str, Any] = {name: self._rows(name) for name in self.records.tables()}
        budget, now = self.api.gate.budget, self._world.now
        limits = {"threshold": budget.threshold, "used": budget.used(now), "latency_s": budget.latency_s}
        return {**found, "zone": self.tenant.zone, "budget": limits, "threads": self.api.gate.threads.state()}

    def too_many_requests(self, retry_after_s: int) -> Response:
        return self.api.gate.threshold_exceeded(retry_after_s)

    def server_error(self, status: int) -> Response:
        """A 500 of this kind is worth another try; most of Autotask's are not."""
        return errors(DEADLOCK) if status == 500 else page(status, f"{status} - Service unavailable.")

    # What an administrator does

    def set_permission(self, entity: str, allowed: bool, doing: str = "query", silently: bool = False) -> None:
        """Our security level may `query`, `create` or `update` an entity. Taken silently, it seems to be empty."""
        name = ENTITIES[entity].name
        self.tenant.forbidden.discard((name, doing))
        self.tenant.hidden.discard(name)
        if not allowed and silently:
            self.tenant.hidden.add(name)
        elif not allowed:
            self.tenant.forbidden.add((name, doing))

    def hide_contracts(self, contracts: Collection[int]) -> None:
        """Our line of business does not see these, nor what hangs on them; nothing says so. Replaces what was hidden."""
        self.tenant.hidden_contracts = set(contracts)

    def set_read_only(self, entity: str, field: str, read_only: bool = True) -> None:
        """As `paidDate` may be on a tenant."""
        key = (entity, ENTITIES[entity].fields[field].name)
        (self.tenant.read_only.add if read_only else self.tenant.read_only.discard)(key)

    def set_price_is_extended(self, extended: bool) -> None:
        """False: unit rows show the price of one unit."""
        self.tenant.price_is_extended = extended

    def set_user(self, name: str, secret: str | None = None, api: bool = True) -> None:
        """Adds or changes a user; without a secret there is no such user any more."""
        self.tenant.users.pop(name.lower(), None)
        if secret is not None:
            self.tenant.users[name.lower()] = User(secret=secret, api=api)

    def move_zone(self, zone: str, wrong_zone_status: int = 401) -> None:
        """The database moves to another zone (`zone29`); the old one answers 401, or a page with 500."""
        self.tenant.zone, self.tenant.wrong_zone_status = zone.lower(), wrong_zone_status

    # Limits

    def set_threshold(self, requests: int) -> None:
        """Requests that all integrations together may send in 60 minutes."""
        self.api.gate.budget.threshold = requests

    def spend_requests(self, count: int) -> None:
        """The customer's other tools send so many requests now."""
        self.api.gate.budget.take(self._world.now, count)

    def hang_threads(self, entity: str, count: int) -> None:
        """So many calls of ours are still being worked on at this endpoint, though nobody waits for them."""
        self.api.gate.threads.hanging[ENTITIES[entity].name] = count

    def set_really_slow(self, on: bool) -> None:
        """Let answers really be late by the latency of a used-up budget, instead of only counting it."""
        self.api.gate.threads.really_slow = on

    def _rows(self, entity: str) -> list[dict[str, Any]]:
        rows = self.records.tables()[entity].rows.values()
        if not self.tenant.price_is_extended and entity.endswith("Units"):
            rows = [by_the_unit(row) for row in rows]  # type: ignore[assignment]
        return [shown(ENTITIES[entity], row) for row in rows]
