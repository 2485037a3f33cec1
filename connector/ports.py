"""What an adapter implements. Small, synchronous, in our nouns. The core diffs, journals and retries;
an adapter translates, pages and classifies errors into `connector.errors`, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from connector.mapping.spec import FieldMapping, MappingSpec
from connector.model.agreement import Agreement, AgreementRef, Payer, Unchanged, Unusable
from connector.model.bookings import Booked, Booking, BooksAccount, BooksChanges, Receivable
from connector.model.invoice import (
    Adjustment,
    BooksInvoice,
    BooksPayment,
    Customer,
    GatewayInvoice,
    PaidRecord,
    PaidState,
    Posted,
    PsaInvoice,
    Received,
    UnreadableInvoice,
)
from connector.model.ledger import EventPage, GatewayPayment, GatewayReversal
from connector.model.money import Money
from connector.model.others import ForeignSubscription
from connector.model.payout import BalanceLine, Payout
from connector.model.subscription import Change, LiveSubscription, Subscription


class Capability(StrEnum):
    PARTIAL_SETTLEMENT = "partial_settlement"  # the PSA can hold a payment that is less than the invoice
    REVERSAL = "reversal"  # a recorded payment can be taken back
    PUBLISH_ENROLMENT = "publish_enrolment"  # the enrolment link can be written to the payer's record


@dataclass(frozen=True, kw_only=True, slots=True)
class WriteKey:
    """Names the fact that a write makes true, not its content. `since` is when the intent was first recorded.

    An adapter puts `value` where `find` can see it again, and derives the partner's idempotency key from `value`
    and `attempt` (a new attempt number is drawn only after `find` has said that the earlier one left nothing).
    """

    value: str
    since: datetime
    attempt: int = 1


class Adapter(Protocol):
    @property
    def name(self) -> str: ...  # stable: it is stored in every link

    @property
    def can(self) -> frozenset[Capability]: ...

    def ping(self) -> None:
        """Read-only; one cheap request. Raises what `connector.errors` says."""

    def close(self) -> None: ...


@runtime_checkable
class Psa(Adapter, Protocol):
    def agreements(self, known: Mapping[str, str]) -> Iterator[Agreement | Unchanged | Unusable]:
        """Every agreement that the mapping's filter takes, complete or raises. `known`: agreement id -> snapshot hash.

        `Unchanged` may be answered for an id in `known` whose hash still holds. Ids not yielded are gone or filtered out.
        """

    def invoices(self, agreements: Collection[AgreementRef], *, since: date) -> Iterator[PsaInvoice | UnreadableInvoice]:
        """Invoices of every kind that name one of these agreements, dated on or after `since`. Complete, or raises.

        One that cannot be read is answered as such: it holds its own agreements and keeps nobody else back.
        """

    def other_invoices(self, payers: Collection[str], *, since: date) -> Iterator[PsaInvoice]:
        """Open invoices of kind OTHER billed to one of these payers (`Payer.key`), dated on or after `since`.

        Complete, or raises. What it costs grows with what is open, not with how many agreements there are.
        """

    def invoice(self, id: str) -> PsaInvoice | None:
        """Read one again; None when it was deleted."""

    def received(self, invoice: str) -> Sequence[Received]:
        """The payments on one invoice, whoever recorded them; none when it is gone."""

    def record_paid(self, invoice: str, paid: PaidState) -> PaidRecord:
        """Converge: look, write what is missing (or take back what is too much), read back. Never more than the total.

        Rejected when the invoice is gone or the PSA refuses. Safe to repeat after OutcomeUnknown.
        """

    def publish_enrolment(self, payer: Payer, *, link: str, state: str) -> bool:
        """Write the enrolment link where the mapping says. False: no place in the mapping, or it already says so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountCheck:
    """One thing about the gateway's account that the agent depends on. `message` is a sentence, also when it is right."""

    name: str
    right: bool | None  # None: the gateway does not tell; a person has to look
    message: str


@runtime_checkable
class Gateway(Adapter, Protocol):
    def canonical(self, desired: Subscription) -> Subscription:
        """Pure: as it will read back, so that there are no eternal differences."""

    def subscriptions(self) -> Iterator[LiveSubscription]:
        """Only those with our owner marker, of every status but ended ones. Complete, or raises."""

    def ensure_customer(self, payer: Payer, *, known: str, key: WriteKey) -> Customer:
        """Create, or (with `known` id) read and bring name and e-mail up to date."""

    def find_customer(self, key: WriteKey) -> str | None: ...

    def foreign_customers(self) -> Iterator[Customer]:
        """Those without our owner marker, with default payment methods. Complete, or raises."""

    def foreign_subscriptions(self, customers: Collection[str]) -> Sequence[ForeignSubscription]:
        """Subscriptions of these customers that go on and lack our owner marker. Complete, or raises."""

    def adopt_customer(self, id: str, payer: Payer, *, key: WriteKey) -> Customer:
        """Put our owner marker on a customer that was there before us; name and method stay. Converges.

        Rejected when it is gone, or carries the marker for another payer.
        """

    def customers(self, ids: Collection[str]) -> Mapping[str, Customer]:
        """Read again, with default payment methods."""

    def apply(self, change: Change, *, key: WriteKey) -> str:
        """Carry out one change, one write to the subscription; its id. Products it needs are made on the way."""

    def find_subscription(self, key: WriteKey, *, customer: str) -> str | None:
        """The subscription that a Create with this key left behind."""

    def drafts(self) -> Iterator[GatewayInvoice]:
        """Our invoices that are still drafts. Complete, or raises."""

    def invoice(self, id: str) -> GatewayInvoice | None: ...

    def open_invoices(self) -> Iterator[GatewayInvoice]:
        """Our invoices that are released and not yet paid, voided or given up."""

    def draft(
        self, subscription: LiveSubscription, *, bills_on: date, charge: str, lines: Sequence[Adjustment], key: WriteKey
    ) -> GatewayInvoice:
        """Make a draft by hand for a period for which the subscription made none. It never advances by itself."""

    def find_draft(self, key: WriteKey, *, customer: str) -> GatewayInvoice | None: ...

    def adjust(self, draft: GatewayInvoice, adjustments: Sequence[Adjustment], *, charge: str) -> GatewayInvoice:
        """Make the draft's added lines exactly these, and note `charge` on it. Converges; returns it as read back."""

    def release(self, draft: GatewayInvoice) -> GatewayInvoice:
        """Finalize and let the gateway collect it. Already released: as it is."""

    def write_off(self, invoice: GatewayInvoice) -> GatewayInvoice:
        """A draft or open invoice that is not to be collected: never collected again. Already so: as it is."""

    def stop(self, invoice: GatewayInvoice) -> GatewayInvoice:
        """A draft or open invoice no longer goes on by itself, until `release` lets it. Already so: as it is."""

    def reduce(self, invoice: GatewayInvoice, by: Money, *, reason: str, key: WriteKey) -> GatewayInvoice:
        """An open, unpaid invoice becomes smaller by a credit note. Safe to repeat with the same key."""

    def events(self, *, after: str) -> EventPage:
        """What happened since the cursor ("" for the start), oldest first. Hints only."""

    def payments(self, invoice: str) -> Sequence[GatewayPayment]:
        """Every settled payment of one invoice, read again."""

    def reversals(self, payment: str) -> Sequence[GatewayReversal]:
        """Every refund and lost or returned debit of one payment whose money is away just now, read again."""

    def reversal_states(self, payment: str) -> Sequence[GatewayReversal]:
        """Every refund and dispute of one payment with its stage, also those whose money never moved or came back."""

    def payouts(self, since: datetime) -> Iterator[Payout]:
        """Created since then, whatever their state, oldest first. Complete, or raises."""

    def payout(self, id: str) -> Payout | None: ...

    def payout_lines(self, id: str) -> Sequence[BalanceLine]:
        """Every line that a payout took, without its own, oldest first. Complete, or raises.

        RetryLater while the gateway has not finished it and what it names does not come to the payout's amount;
        Rejected (code `not_automatic`) for a payout that was asked for by hand: the gateway does not know what it took.
        """

    def balance_lines(self, since: datetime, until: datetime) -> Iterator[BalanceLine]:
        """Every line of the balance created in [since, until), payouts included, oldest first. Complete, or raises."""

    def balance(self) -> Mapping[str, Money]:
        """What the gateway holds for us just now, available or not, by currency."""

    def account_checks(self) -> Sequence[AccountCheck]:
        """What the gateway's account says that we depend on, and traces of settings that cannot be read."""

    def invoices_since(self, since: datetime) -> Iterator[GatewayInvoice]:
        """Ours created since then, whatever their state: for reconciliation, and when the event cursor was lost."""

    def enrolment_link(self, customer: str, *, enrolled: bool, return_url: str, key: WriteKey) -> tuple[str, datetime]:
        """A fresh page where the payer authorises (or changes) a method, and when it stops working."""

    def high_water(self) -> datetime | None:
        """The moment that `note_high_water` kept last; None when there is none."""

    def note_high_water(self, at: datetime) -> None:
        """Keep it with an object of ours, exactly: a store that is older than this is missing something. Converges."""

    def adopt_new_methods(self, customer: str) -> Customer:
        """If the payer finished an enrolment, make that method the customer's default. Converges."""


@runtime_checkable
class Books(Adapter, Protocol):
    @property
    def find_lag(self) -> timedelta: ...  # how long a write may stay invisible to find

    def invoices(self, numbers: Collection[str]) -> Mapping[str, Sequence[BooksInvoice]]:
        """By document number, open or paid; more than one per number is possible. Voided ones are left out."""

    def unapplied(self, customers: Collection[str]) -> Mapping[str, Money]:
        """Unapplied credit (payments and credit memos) per customer id; ours, by their marker, are not counted."""

    def received(self, invoices: Collection[BooksInvoice]) -> Mapping[str, Sequence[Received]]:
        """By invoice id, the payments that are applied to it, whoever recorded them."""

    def customer(self, payer: Payer) -> str | None:
        """The customer's id by the mapping's rule; None when there is none. Rejected when there are several."""

    def post(self, payment: BooksPayment, *, key: WriteKey) -> Posted:
        """Append one payment. Never applies more than the invoice's balance there."""

    def find(self, key: WriteKey) -> Posted | None: ...

    def recorded_by_hand(self, invoice: BooksInvoice, amount: Money) -> Posted | None:
        """A payment of exactly this amount on this invoice that we did not write: to be adopted, not written again."""

    def posted(self, ids: Collection[str]) -> Mapping[str, Posted]:
        """Read again what we posted; deleted or voided ones are missing."""

    def apply(self, posted: str, *, invoice: str, amount: Money) -> Posted:
        """Apply an unapplied payment of ours to an invoice. Converges."""

    def void(self, posted: str) -> None:
        """Take a payment back that is not in a deposit yet. Already void: nothing.

        Rejected with code `deposited`, or `moved` when a part of it stands on a journal: that is taken back already.
        """

    def unapply(self, posted: str, *, invoice: str, to: str, amount: Money) -> Posted:
        """`amount` of a payment of ours moves off the invoice, onto the receivable line of the journal `to`. Converges.

        The invoice is open again by that much, and ages; the receivable is the journal's alone. What is missing on the invoice
        is taken from the unapplied rest. Rejected, code `applied_elsewhere`, when that is not enough: nothing was moved then.
        """

    # Bookings. Refused dates: Rejected with code `closed_period`, and the message says which day is open again.
    # Rejected with codes `inactive_account`, `inactive_customer` where one was removed or merged.

    def book(self, booking: Booking, *, key: WriteKey) -> Booked:
        """Append one booking, once.

        A deposit is checked first: Rejected with code `not_undeposited` when a payment is gone, in another deposit, or went to
        another account, `deposit_differs` when payments less lines are not its total.
        """

    def find_booking(self, key: WriteKey) -> Booked | None:
        """What an earlier attempt left. None also when somebody deleted it since."""

    def booked(self, ids: Collection[str]) -> Mapping[str, Booked]:
        """Read again; deleted or voided ones are missing. Bookings of others are answered as well."""

    def unbook(self, id: str) -> None:
        """Delete a booking of ours. Gone already: nothing.

        The payments of a deposit are undeposited again; a payment that was moved onto a journal is unapplied, for `apply`.
        Rejected with code `not_ours` or `closed_period`.
        """

    # What the accounts say.

    def accounts(self, ids: Collection[str]) -> Mapping[str, BooksAccount]:
        """Inactive ones too; ids that are not there are missing."""

    def undeposited_funds(self) -> str:
        """The id of the account in which payments wait for their deposit; "" when there is none that is active."""

    def account_balances(self, ids: Collection[str], *, on: date) -> Mapping[str, Money]:
        """At the end of that day, debits less credits. An account without any booking has nothing."""

    def receivables(self, *, on: date) -> Mapping[str, Receivable]:
        """By customer id, at the end of that day. Who owes nothing is left out."""

    def closed_until(self) -> date | None:
        """The last day for which nothing may be entered any more; None when the books are open."""

    def changes(self, since: datetime) -> BooksChanges:
        """Payments, invoices, credit memos, customers and bookings that somebody made, changed or removed since then."""


# What an adapter is given, and how it is found.


# What changes nothing. A port method that is new and not named here counts as a write.
READS = frozenset(
    (
        "name can ping close find_lag agreements invoices other_invoices invoice received canonical subscriptions find_customer"
        " foreign_customers foreign_subscriptions customers find_subscription drafts open_invoices find_draft events payments"
        " reversals reversal_states payouts payout payout_lines balance_lines balance account_checks invoices_since unapplied"
        " customer find recorded_by_hand posted find_booking booked accounts account_balances receivables closed_until"
        " changes high_water undeposited_funds"
    ).split()
)


class Clock(Protocol):
    """The only source of time. `now` is aware, UTC; in the demo and the tests it is the sandbox's."""

    def now(self) -> datetime: ...


class TokenCell(Protocol):
    """The partner's tokens while the lock on them is held. `save` commits before it returns."""

    @property
    def value(self) -> Mapping[str, str]: ...

    def save(self, value: Mapping[str, str]) -> None: ...


class TokenStore(Protocol):
    """Rotating tokens, encrypted at rest, changed only under a lock that all processes share."""

    def load(self, partner: str) -> Mapping[str, str]: ...

    def locked(self, partner: str) -> AbstractContextManager[TokenCell]: ...


class Budget(Protocol):
    """How fast we may call a partner."""

    def take(self, partner: str) -> float:
        """Seconds to wait before the next request; 0 when it may go now (and then it is counted)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What every adapter is built with."""

    instance: str  # our owner marker: only objects that carry it are ours
    currency: str
    time_zone: ZoneInfo  # the company's
    clock: Clock
    tokens: TokenStore
    budget: Budget
    mapping: FieldMapping | None  # the adapter's field mapping, already checked against its `mapping` spec
    sleep: Callable[[float], None] = time.sleep  # between retries; the agent's ends at once when it is told to stop
    stopping: Callable[[], bool] = lambda: False  # the agent was told to stop: end what waits for an answer soon
    transport: Any = None  # a requests adapter in place of the network: the simulation's partners live in the same process
    read_only: bool = False  # shadow mode: refuse to send whatever could change something; refreshing tokens is allowed


class Role(StrEnum):
    PSA = "psa"
    GATEWAY = "gateway"
    BOOKS = "books"


@dataclass(frozen=True, kw_only=True, slots=True)
class AdapterSpec:
    """What an adapter package exports under the entry-point group `psa_connector.adapters`."""

    name: str
    role: Role
    settings: type[BaseModel]  # strict; what stands under `settings:` in the configuration
    mapping: MappingSpec | None  # the fields that its field mapping may set
    build: Callable[[Any, Context], Adapter]  # (settings, context); opens no connection yet
