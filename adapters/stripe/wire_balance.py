"""What we read of Stripe's balance, its payouts and its account (2026-05-27.dahlia), and nothing more."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from adapters.stripe.wire import Id, Metadata, Text, Wire


def _source(value: Any) -> Any:
    """An object, its id alone, or nothing."""
    return value if isinstance(value, dict) else {"id": value or ""}


class Source(Wire):
    """What moved the money: a charge, refund, dispute, payout, or something that we know no more of than its id."""

    id: str
    object: Text = ""
    payment_intent: Id = ""
    charge: Id = ""


class BalanceTransaction(Wire):
    id: str
    amount: int
    fee: int
    net: int
    currency: str
    created: int
    type: str
    reporting_category: Text = ""
    description: Text = ""
    source: Annotated[Source, BeforeValidator(_source)] = Source(id="")


class Trace(Wire):
    value: Text = ""


class Payout(Wire):
    id: str
    amount: int
    currency: str
    status: str
    arrival_date: int
    created: int
    automatic: bool
    reconciliation_status: str
    failure_code: Text = ""
    failure_message: Text = ""
    failure_balance_transaction: Id = ""
    original_payout: Id = ""
    reversed_by: Id = ""
    trace_id: Trace | None = None


class Funds(Wire):
    amount: int
    currency: str


class Balance(Wire):
    available: tuple[Funds, ...]
    pending: tuple[Funds, ...]


class Schedule(Wire):
    interval: str


class PayoutSettings(Wire):
    schedule: Schedule


class Settings(Wire):
    payouts: PayoutSettings | None = None


class Account(Wire):
    charges_enabled: bool | None = None
    payouts_enabled: bool | None = None
    default_currency: Text = ""
    settings: Settings | None = None


class Cancellation(Wire):
    reason: Text = ""


class EndedSubscription(Wire):
    id: str
    status: str
    metadata: Metadata = Field(default_factory=dict)
    description: Text = ""
    cancellation_details: Cancellation | None = None
