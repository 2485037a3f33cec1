"""What every flow works with: the store, the three partners, the clock and the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connector.model.dunning import Dunning
from connector.model.guards import Policy
from connector.model.other import OtherRules
from connector.model.plan import Limits
from connector.ports import Books, Clock, Gateway, Psa
from connector.store import Store


@dataclass(frozen=True, kw_only=True, slots=True)
class Accounts:
    """Ids of accounts in the books; "" where none is configured. `method` needs its own to be there."""

    method: str = "payments_only"  # clearing_account | undeposited_funds | payments_only
    clearing: str = ""
    bank: str = ""
    fees: str = ""
    disputed: str = ""
    reserves: str = ""
    foreign: str = ""
    books_foreign: bool = False  # what is not ours in a payout is booked to `foreign`; else the payout waits for a person


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """What the configuration says to the flows. `psa_payments` None: not chosen yet, so nothing is written to the PSA."""

    currency: str
    time_zone: ZoneInfo
    policy: Policy
    limits: Limits
    invoice_early_days: int
    psa_payments: str | None  # connector | accounting_sync
    books_payments: bool
    wait_days: int  # how long a payment waits for its invoice in the books, and how long another writer may take
    return_url: str
    books_sync: bool = False  # the PSA's own sync writes payments to the books: there we only watch
    durable_link: Callable[[str], str] | None = None  # payer key -> link that the agent itself serves
    payer_policies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # id or key -> fields of Policy that differ
    agreement_policies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    other: OtherRules = field(default_factory=OtherRules)
    accounts: Accounts = field(default_factory=Accounts)
    gateway_releases: bool = False  # what the agent did not look at within the hour, the gateway finalizes alone
    run_days_ahead: int = 3  # the coming run is listed so early for approval
    dunning: Dunning = field(default_factory=Dunning)
    keep: timedelta = timedelta(days=400)  # how long the store keeps what is of no more use
    worker: str = "agent"
    progress: Callable[[str, int, int], None] = field(default=lambda *_: None)  # what, done, of


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    store: Store
    clock: Clock
    psa: Psa
    gateway: Gateway
    books: Books | None
    settings: Settings

    def now(self) -> datetime:
        return self.clock.now()

    def today(self) -> date:
        """The company's date."""
        return self.local_date(self.now())

    def local_date(self, moment: datetime) -> date:
        return moment.astimezone(self.settings.time_zone).date()
