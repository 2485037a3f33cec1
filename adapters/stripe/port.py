"""The gateway port on one Stripe account."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, datetime

import requests

from adapters.stripe import translate
from adapters.stripe.account import Account
from adapters.stripe.checks import Checks
from adapters.stripe.client import StripeApi
from adapters.stripe.collecting import Collecting
from adapters.stripe.customers import Customers
from adapters.stripe.foreign import Foreign
from adapters.stripe.high_water import HighWater
from adapters.stripe.invoices import Invoices
from adapters.stripe.movements import Movements
from adapters.stripe.payouts import Payouts
from adapters.stripe.settings import StripeSettings
from adapters.stripe.subscriptions import Subscriptions
from connector.model.agreement import Payer
from connector.model.invoice import Adjustment, Customer, GatewayInvoice
from connector.model.ledger import EventPage, GatewayPayment, GatewayReversal
from connector.model.money import Money
from connector.model.others import ForeignSubscription
from connector.model.payout import BalanceLine, Payout
from connector.model.subscription import Change, LiveSubscription, Subscription
from connector.ports import AccountCheck, Capability, Context, WriteKey


class Stripe:
    """`session` (HTTP) and `sleep` (between retries) come in through the door; one session given serves all threads."""

    name = "stripe"
    can: frozenset[Capability] = frozenset()

    def __init__(
        self,
        settings: StripeSettings,
        context: Context,
        *,
        session: requests.Session | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._api = StripeApi(
            settings,
            context.budget,
            session=session,
            sleep=sleep or context.sleep,
            stopping=context.stopping,
            transport=context.transport,
            read_only=context.read_only,
        )
        account = Account(
            api=self._api, settings=settings, instance=context.instance, currency=context.currency, clock=context.clock
        )
        self._subscriptions = Subscriptions(account)
        self._customers = Customers(account)
        self._foreign = Foreign(account)
        self._invoices = Invoices(account)
        self._collecting = Collecting(account, self._invoices, self._customers)
        self._movements = Movements(account)
        self._payouts = Payouts(account)
        self._checks = Checks(account)
        self._high_water = HighWater(account)

    def ping(self) -> None:
        self._api.read("answer", self._api.v1.customers.list, {"limit": 1})

    def close(self) -> None:
        self._api.close()

    def high_water(self) -> datetime | None:
        return self._high_water.read()

    def note_high_water(self, at: datetime) -> None:
        self._high_water.note(at)

    # Subscriptions

    def canonical(self, desired: Subscription) -> Subscription:
        return translate.canonical(desired)

    def subscriptions(self) -> Iterator[LiveSubscription]:
        return self._subscriptions.all()

    def apply(self, change: Change, *, key: WriteKey) -> str:
        return self._subscriptions.apply(change, key)

    def find_subscription(self, key: WriteKey, *, customer: str) -> str | None:
        return self._subscriptions.find(key, customer=customer)

    # Customers

    def ensure_customer(self, payer: Payer, *, known: str, key: WriteKey) -> Customer:
        return self._customers.ensure(payer, known=known, key=key)

    def find_customer(self, key: WriteKey) -> str | None:
        return self._customers.find(key)

    def foreign_customers(self) -> Iterator[Customer]:
        return self._customers.foreign()

    def foreign_subscriptions(self, customers: Collection[str]) -> Sequence[ForeignSubscription]:
        return self._foreign.subscriptions(customers)

    def adopt_customer(self, id: str, payer: Payer, *, key: WriteKey) -> Customer:
        return self._customers.adopt(id, payer, key=key)

    def customers(self, ids: Collection[str]) -> Mapping[str, Customer]:
        return self._customers.read(ids)

    def enrolment_link(self, customer: str, *, enrolled: bool, return_url: str, key: WriteKey) -> tuple[str, datetime]:  # noqa: ARG002
        # The page is found again by the customer's open pages, so that it needs neither key nor word of an earlier one.
        return self._customers.enrolment_link(customer, enrolled=enrolled, return_url=return_url)

    def adopt_new_methods(self, customer: str) -> Customer:
        return self._customers.adopt_new_methods(customer)

    # Invoices

    def drafts(self) -> Iterator[GatewayInvoice]:
        return self._invoices.drafts()

    def invoice(self, id: str) -> GatewayInvoice | None:
        return self._invoices.get(id)

    def open_invoices(self) -> Iterator[GatewayInvoice]:
        return self._invoices.open()

    def invoices_since(self, since: datetime) -> Iterator[GatewayInvoice]:
        return self._invoices.since(since)

    def draft(
        self, subscription: LiveSubscription, *, bills_on: date, charge: str, lines: Sequence[Adjustment], key: WriteKey
    ) -> GatewayInvoice:
        return self._collecting.draft(subscription, bills_on=bills_on, charge=charge, lines=lines, key=key)

    def find_draft(self, key: WriteKey, *, customer: str) -> GatewayInvoice | None:
        return self._collecting.find_draft(key, customer=customer)

    def adjust(self, draft: GatewayInvoice, adjustments: Sequence[Adjustment], *, charge: str) -> GatewayInvoice:
        return self._collecting.adjust(draft, adjustments, charge=charge)

    def release(self, draft: GatewayInvoice) -> GatewayInvoice:
        return self._collecting.release(draft)

    def write_off(self, invoice: GatewayInvoice) -> GatewayInvoice:
        return self._collecting.write_off(invoice)

    def stop(self, invoice: GatewayInvoice) -> GatewayInvoice:
        return self._collecting.stop(invoice)

    def reduce(self, invoice: GatewayInvoice, by: Money, *, reason: str, key: WriteKey) -> GatewayInvoice:
        return self._collecting.reduce(invoice, by, reason=reason, key=key)

    # Money that moved

    def events(self, *, after: str) -> EventPage:
        return self._movements.events(after)

    def payments(self, invoice: str) -> Sequence[GatewayPayment]:
        return self._movements.payments(invoice)

    def reversals(self, payment: str) -> Sequence[GatewayReversal]:
        return self._movements.reversals(payment)

    def reversal_states(self, payment: str) -> Sequence[GatewayReversal]:
        return self._movements.reversal_states(payment)

    # The balance and what goes to the bank

    def payouts(self, since: datetime) -> Iterator[Payout]:
        return self._payouts.since(since)

    def payout(self, id: str) -> Payout | None:
        return self._payouts.get(id)

    def payout_lines(self, id: str) -> Sequence[BalanceLine]:
        return self._payouts.lines(id)

    def balance_lines(self, since: datetime, until: datetime) -> Iterator[BalanceLine]:
        return self._payouts.balance_lines(since, until)

    def balance(self) -> Mapping[str, Money]:
        return self._payouts.balance()

    def account_checks(self) -> Sequence[AccountCheck]:
        return self._checks.all()
