"""A refusal says what it refused, and what QuickBooks leaves out: which day is open again, who was made inactive."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from adapters.quickbooks import wire
from adapters.quickbooks.accounts import ANY, Accounts
from adapters.quickbooks.client import Client
from connector.errors import ConnectorError, Rejected


class Refusals:
    def __init__(self, client: Client, accounts: Accounts) -> None:
        self._client = client
        self._accounts = accounts

    @contextmanager
    def about(self, what: str, *, accounts: Collection[str] = (), customers: Collection[str] = ()) -> Iterator[None]:
        """Up to two requests more, only after a refusal. `accounts` and `customers` are ids that the record names."""
        try:
            yield
        except Rejected as error:
            raise self._explained(what, error, accounts, customers) from None

    def _explained(self, what: str, error: Rejected, accounts: Collection[str], customers: Collection[str]) -> Rejected:
        said = Rejected(f"{what}: {error}", code=error.code)
        try:
            if error.code == "closed_period":
                return Rejected(f"{said}{self._open_day()}", code=error.code)
            if error.code == "missing":
                return self._gone_account(what, accounts) or self._gone_customer(what, customers) or said
        except ConnectorError:
            return said  # the refusal stands, whether or not more can be found out about it
        return said

    def _open_day(self) -> str:
        day = self._accounts.first_open_day()
        return f" The first open day is {day.isoformat()}." if day else ""

    def _gone_account(self, what: str, ids: Collection[str]) -> Rejected | None:
        found = self._accounts.read(ids)
        gone = [id for id in ids if id not in found or not found[id].active]
        if not gone:
            return None
        names = ", ".join(f"{found[id].name} ({id})" if id in found else id for id in gone)
        return Rejected(
            f"{what}: the account {names} was deleted or made inactive in QuickBooks. Make it active again there, or name another"
            " one in the configuration.",
            code="inactive_account",
        )

    def _gone_customer(self, what: str, ids: Collection[str]) -> Rejected | None:
        rows = self._client.query_in("Customer", "Id", ids, f" AND {ANY}")
        found = {customer.id: customer for customer in (wire.read(wire.Customer, row) for row in rows)}
        gone = [id for id in ids if id not in found or not found[id].active]
        if not gone:
            return None
        names = ", ".join(f"{found[id].display_name} ({id})" if id in found else id for id in gone)
        return Rejected(
            f"{what}: the customer {names} was deleted or made inactive in QuickBooks, perhaps merged into another one. Make it"
            " active again there, or name the right customer for the payer.",
            code="inactive_customer",
        )
