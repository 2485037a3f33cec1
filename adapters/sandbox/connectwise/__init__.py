"""ConnectWise PSA as a loopback server: agreements, Agreement Invoicing, invoices and their payments."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from adapters.sandbox.connectwise.api import Api, server_error, too_many_requests
from adapters.sandbox.connectwise.billing import Billing
from adapters.sandbox.connectwise.payments import MODES, Payments
from adapters.sandbox.connectwise.records import Records
from adapters.sandbox.connectwise.tables import Row
from adapters.sandbox.wire import Request, Response
from adapters.sandbox.world import World

__all__ = ["ConnectWise"]


class ConnectWise:
    """It does nothing by itself; people (`office`) and the interface change it."""

    name = "connectwise"

    def __init__(self, world: World) -> None:
        self.records = Records(world)
        self.billing = Billing(self.records, world)
        self.payments = Payments(self.records, world)
        self.api = Api(self.records, self.billing, self.payments)
        self.actions: dict[str, Callable[..., Any]] = {
            "set_permission": self.set_permission,
            "set_payment_mode": self.set_payment_mode,
        }

    @property
    def payment_mode(self) -> str:
        return self.payments.mode

    @payment_mode.setter
    def payment_mode(self, mode: str) -> None:
        if mode not in MODES:
            raise ValueError(f"payment mode {mode!r} is not one of: {', '.join(MODES)}")
        self.payments.mode = mode

    def handle(self, request: Request) -> Response:
        return self.api.handle(request)

    def next_wake(self) -> datetime | None:
        return None

    def wake(self, now: datetime) -> None:
        raise AssertionError(f"ConnectWise asked for no wake-up, yet was woken at {now}")

    def state(self) -> dict[str, Any]:
        self.billing.refresh()
        tables = {name: _copies(table.rows) for name, table in self.records.tables().items()}
        return {**tables, "recaps": _copies(self.billing.recaps), "payment_mode": self.payment_mode}

    def too_many_requests(self, retry_after_s: int) -> Response:
        return too_many_requests(retry_after_s)

    def server_error(self, status: int) -> Response:
        return server_error(status)

    def set_permission(self, area: str, allowed: bool, silently: bool = False) -> None:
        """Give or take a right of our security role: an area (`companies`, `contacts`, `agreements`, `invoices`, `payments`,
        `setup`, `callbacks`, `system`) or `<area>.write`. Taken silently, lists are empty instead of refused."""
        for rights in (self.api.forbidden, self.api.hidden):
            rights.discard(area)
        if not allowed:
            (self.api.hidden if silently else self.api.forbidden).add(area)

    def set_payment_mode(self, mode: str) -> None:
        """`many` or `single` payments per invoice."""
        self.payment_mode = mode


def _copies(rows: dict[int, Row]) -> list[Row]:
    """As they are now: whoever looks may keep them."""
    return [dict(row) for row in rows.values()]
