"""Customers, their default payment methods, and enrolment."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta

from adapters.stripe import forms, translate, wire
from adapters.stripe.account import Account
from adapters.stripe.client import PAGE_SIZE, Body
from adapters.stripe.translate import OWNER
from connector.errors import Rejected
from connector.model.agreement import Payer
from connector.model.invoice import Customer
from connector.ports import WriteKey

MAX_NAME = 256
MAX_EMAIL = 512
ONE_BY_ONE = 5  # up to here customers are read by id, beyond it by the page
CLOCK_SKEW = timedelta(days=1)
PORTAL_LIFE = timedelta(minutes=5)  # a portal page must be opened soon after it was made
PAGE_MARGIN = timedelta(hours=1)  # an enrolment page that lives shorter than this is not handed out again
WITH_METHOD = "invoice_settings.default_payment_method"
ADOPTED = "adopted_setup_intent"  # on a customer: the enrolment whose method was made the default


class Customers:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._api = account.api

    def ensure(self, payer: Payer, *, known: str, key: WriteKey) -> Customer:
        wanted = {"name": payer.name.strip()[:MAX_NAME], "email": payer.email.strip()[:MAX_EMAIL]}
        if not known:
            return self._create(payer, wanted, key)
        found = self._required(known)
        current = {"name": found.name, "email": found.email}
        # A customer that was there before us keeps what its owner wrote.
        keeps = found.metadata.get("adopted") == "yes"
        if self._account.owns(found.metadata) and not keeps and current != wanted:
            changed = {name: value for name, value in wanted.items() if value != current[name]}
            self._api.write(f"update customer {known}", self._api.v1.customers.update, known, changed)
            found = self._required(known)
        return self._translated(found, payer=payer.key)

    def _create(self, payer: Payer, wanted: Mapping[str, str], key: WriteKey) -> Customer:
        form: Body = {name: value for name, value in wanted.items() if value}
        form["metadata"] = {OWNER: self._account.instance, "payer": payer.key, "write_key": key.value}
        form["expand"] = [WITH_METHOD]
        what = f"create the customer {payer.name}"
        body = self._api.write(what, self._api.v1.customers.create, form, key=forms.idempotency_key(key))
        return self._translated(wire.Customer.model_validate(body))

    def find(self, key: WriteKey) -> str | None:
        """By listing: Stripe's search may lag by an hour."""
        params = {"created": {"gte": int((key.since - CLOCK_SKEW).timestamp())}}
        for body in self._api.pages("list customers", self._api.v1.customers.list, params):
            metadata = body.get("metadata") or {}
            if self._account.owns(metadata) and metadata.get("write_key") == key.value:
                return str(body["id"])
        return None

    def read(self, ids: Collection[str]) -> dict[str, Customer]:
        """Deleted ones are missing."""
        found = self._one_by_one(ids) if len(ids) <= ONE_BY_ONE else self._by_page(ids)
        return {one.id: self._translated(one) for one in found}

    def foreign(self) -> Iterator[Customer]:
        """Read to the end before the first is given."""
        params = {"expand": [f"data.{WITH_METHOD}"], "limit": PAGE_SIZE}
        bodies = list(self._api.pages("list customers", self._api.v1.customers.list, params))
        found = [wire.Customer.model_validate(body) for body in bodies]
        return iter([self._translated(one) for one in found if OWNER not in one.metadata])

    def adopt(self, id: str, payer: Payer, *, key: WriteKey) -> Customer:
        """The metadata alone changes. One that another instance of ours owns is left alone."""
        found = self._required(id)
        owner, of = found.metadata.get(OWNER), found.metadata.get("payer")
        if owner is not None and (owner, of) != (self._account.instance, payer.key):
            raise Rejected(
                f"Customer {found.name or id} ({id}) belongs to {of or 'another payer'} ({owner}) already.", code="not_ours"
            )
        if owner is None:
            form: Body = {"metadata": {OWNER: self._account.instance, "payer": payer.key, "adopted": "yes"}}
            what = f"adopt customer {id}"
            self._api.write(what, self._api.v1.customers.update, id, form, key=forms.idempotency_key(key, id))
            found = self._required(id)
        return self._translated(found, payer=payer.key)

    def _one_by_one(self, ids: Collection[str]) -> Iterator[wire.Customer]:
        for id in ids:
            if (found := self.get(id)) is not None:
                yield found

    def _by_page(self, ids: Collection[str]) -> Iterator[wire.Customer]:
        missing = set(ids)
        params = {"expand": [f"data.{WITH_METHOD}"], "limit": PAGE_SIZE}
        for body in self._api.pages("list customers", self._api.v1.customers.list, params):
            if body["id"] in missing:
                missing.discard(body["id"])
                yield wire.Customer.model_validate(body)
            if not missing:
                return

    def get(self, id: str) -> wire.Customer | None:
        """None where it was deleted."""
        params = {"expand": [WITH_METHOD]}
        body = self._api.find(f"read customer {id}", self._api.v1.customers.retrieve, id, params)
        found = wire.Customer.model_validate(body) if body else None
        return None if found is None or found.deleted else found

    def _required(self, id: str) -> wire.Customer:
        found = self.get(id)
        if found is None:
            raise Rejected(f"Customer {id} was deleted in Stripe. Link the payer to another customer.", code="resource_missing")
        return found

    def _translated(self, found: wire.Customer, *, payer: str = "") -> Customer:
        return translate.customer(found, payer=payer, currency=self._account.currency)

    # Enrolment

    def enrolment_link(self, customer: str, *, enrolled: bool, return_url: str) -> tuple[str, datetime]:
        """The customer portal's page to change a method; for the first one a Checkout page in setup mode, the same one
        while it lives. Where the account has no portal set up, Checkout serves for a change too."""
        back = return_url or self._account.settings.return_url
        if enrolled and (portal := self._portal_page(customer, back)) is not None:
            return portal
        page = self._open_page(customer) or self._new_page(customer, back)
        return page.url, translate.moment(page.expires_at)

    def _portal_page(self, customer: str, return_url: str) -> tuple[str, datetime] | None:
        form = {"customer": customer, "return_url": return_url, "flow_data": {"type": "payment_method_update"}}
        try:
            body = self._api.write(
                f"open the customer portal for customer {customer}", self._api.v1.billing_portal.sessions.create, form
            )
        except Rejected:
            return None
        return str(body["url"]), self._account.now + PORTAL_LIFE

    def _open_page(self, customer: str) -> wire.CheckoutSession | None:
        latest_end = (self._account.now + PAGE_MARGIN).timestamp()
        pages = self._pages(customer, "open")
        return next((page for page in pages if page.url and page.expires_at > latest_end), None)

    def _new_page(self, customer: str, return_url: str) -> wire.CheckoutSession:
        form = forms.setup_page(customer, return_url=return_url, methods=self._methods(), instance=self._account.instance)
        what = f"make an enrolment page for customer {customer}"
        return wire.CheckoutSession.model_validate(_plain(self._api.write(what, self._api.v1.checkout.sessions.create, form)))

    def _methods(self) -> list[str]:
        usd = self._account.currency == "USD"
        return [method for method in self._account.settings.payment_method_types if usd or method != "us_bank_account"]

    def adopt_new_methods(self, customer: str) -> Customer:
        """The method of the newest finished enrolment, unless it was adopted before or a newer one is the default."""
        found = self._required(customer)
        newest = self._newest_enrolment(customer)
        if newest is not None and self._is_news(found, newest):
            self._make_default(found, newest)
            found = self._required(customer)
        return self._translated(found)

    def _newest_enrolment(self, customer: str) -> wire.SetupIntent | None:
        intents = [page.setup_intent for page in self._pages(customer, "complete")]
        finished = [intent for intent in intents if intent and intent.status == "succeeded" and intent.payment_method]
        return max(finished, key=lambda intent: intent.created, default=None)

    @staticmethod
    def _is_news(found: wire.Customer, newest: wire.SetupIntent) -> bool:
        current = found.invoice_settings.default_payment_method
        method = newest.payment_method
        if method is None or found.metadata.get(ADOPTED) == newest.id:
            return False
        return current is None or (current.id != method.id and current.created <= method.created)

    def _make_default(self, found: wire.Customer, newest: wire.SetupIntent) -> None:
        method = newest.payment_method.id if newest.payment_method else ""
        form = {"invoice_settings": {"default_payment_method": method}, "metadata": {ADOPTED: newest.id}}
        what = f"make the new payment method the default of customer {found.id}"
        self._api.write(what, self._api.v1.customers.update, found.id, form)

    def _pages(self, customer: str, status: str) -> list[wire.CheckoutSession]:
        params = {"customer": customer, "status": status, "expand": ["data.setup_intent.payment_method"]}
        bodies = self._api.pages("list enrolment pages", self._api.v1.checkout.sessions.list, params)
        sessions = [wire.CheckoutSession.model_validate(_plain(body)) for body in bodies]
        return [session for session in sessions if session.mode == "setup" and self._account.owns(session.metadata)]


def _plain(body: Body) -> Body:
    """Without what was left unexpanded: a page just made has a setup intent that nobody has used."""
    intent = body.get("setup_intent")
    if not isinstance(intent, dict):
        return {**body, "setup_intent": None}
    method = intent.get("payment_method")
    return {**body, "setup_intent": {**intent, "payment_method": method if isinstance(method, dict) else None}}
