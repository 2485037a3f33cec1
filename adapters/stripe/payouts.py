"""The account's balance and its payouts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from math import ceil

from adapters.stripe import translate_balance, wire_balance
from adapters.stripe.account import Account
from adapters.stripe.client import Body
from connector.errors import Rejected, RetryLater
from connector.model.money import Money
from connector.model.payout import BalanceLine, Payout, unexplained

# The source is wanted for its payment only. One level deep: a page of a hundred lines stays one request.
EXPAND = ["data.source"]
NOT_FINISHED_S = 3600.0


class Payouts:
    def __init__(self, account: Account) -> None:
        self._api = account.api

    def since(self, since: datetime) -> Iterator[Payout]:
        params = {"created": {"gte": ceil(since.timestamp())}}
        bodies = list(self._api.pages("list payouts", self._api.v1.payouts.list, params))
        return iter([translate_balance.payout(wire_balance.Payout.model_validate(body)) for body in reversed(bodies)])

    def get(self, id: str) -> Payout | None:
        body = self._api.find(f"read payout {id}", self._api.v1.payouts.retrieve, id)
        return None if body is None else translate_balance.payout(wire_balance.Payout.model_validate(body))

    def lines(self, id: str) -> Sequence[BalanceLine]:
        found = self.get(id)
        if found is None:
            raise Rejected(f"Stripe has no payout {id}.", code="resource_missing")
        if not found.automatic:
            raise Rejected(
                f"Payout {id} over {found.amount} was asked for by hand, so Stripe does not know which payments it is made of."
                " Set the payout schedule in Stripe to automatic; book this payout by hand.",
                code="not_automatic",
            )
        taken = self._lines(f"list the transactions of payout {id}", {"payout": id})
        lines = tuple(translate_balance.line(one) for one in taken if not (one.type == "payout" and one.source.id == id))
        if not found.reconciled and unexplained(found, lines):
            message = f"Stripe has not finished payout {id} over {found.amount}: its transactions do not come to it yet."
            raise RetryLater(message, after_s=NOT_FINISHED_S)
        return lines

    def balance_lines(self, since: datetime, until: datetime) -> Iterator[BalanceLine]:
        # Stripe counts whole seconds: rounded up, neighbouring spans share no line and lose none.
        created = {"gte": ceil(since.timestamp()), "lt": ceil(until.timestamp())}
        return iter([translate_balance.line(one) for one in self._lines("list the balance", {"created": created})])

    def _lines(self, what: str, params: Body) -> list[wire_balance.BalanceTransaction]:
        """Read to the end; oldest first."""
        bodies = list(self._api.pages(what, self._api.v1.balance_transactions.list, {**params, "expand": EXPAND}))
        return [wire_balance.BalanceTransaction.model_validate(body) for body in reversed(bodies)]

    def balance(self) -> Mapping[str, Money]:
        body = self._api.read("read the balance", self._api.v1.balance.retrieve)
        return translate_balance.balance(wire_balance.Balance.model_validate(body))
