"""A stateful Stripe of API version 2026-05-27.dahlia, for the unmodified SDK.

It holds one account without webhooks. It knows what the connector uses and what happens to it: recurring billing with
invoices, cards and US bank debits, refunds, disputes, payouts, events. Not simulated, and therefore refused as unknown
parameters: trials, coupons, tax rates, several billing intervals in one subscription, connected accounts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from adapters.sandbox.stripe import gate
from adapters.sandbox.stripe.account import Account
from adapters.sandbox.stripe.actions import Actions
from adapters.sandbox.stripe.clockwork import run_due
from adapters.sandbox.stripe.periods import when
from adapters.sandbox.wire import Request, Response
from adapters.sandbox.world import World

__all__ = ["Stripe"]


class Stripe:
    """The partner `stripe` of a world."""

    name = "stripe"

    def __init__(self, world: World) -> None:
        self.account = Account(world)
        self._gate = gate.Gate(self.account)
        self.actions: dict[str, Callable[..., Any]] = Actions(self.account).table()

    def handle(self, request: Request) -> Response:
        return self._gate.handle(request)

    def answered(self, request: Request, instead: Response) -> None:
        """A fault replaced the answer after the work was done."""
        self._gate.answered(request, instead)

    def next_wake(self) -> datetime | None:
        at = self.account.next_wake()
        return None if at is None else when(at)

    def wake(self, now: datetime) -> None:  # noqa: ARG002 - the account reads the world's clock
        run_due(self.account)

    def state(self) -> dict[str, Any]:
        tables = {kind: list(table) for kind, table in sorted(self.account.tables.items())}
        return {**tables, "events": len(self.account.events)}

    def too_many_requests(self, retry_after_s: int) -> Response:  # noqa: ARG002 - Stripe does not say how long
        return gate.too_many_requests()

    def server_error(self, status: int) -> Response:
        return gate.server_error(status)
