"""What people do: customers on Stripe's pages and at their bank, the account's owner in the dashboard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from adapters.sandbox.stripe import catalog, collection, customers, invoices, subscriptions, taxes
from adapters.sandbox.stripe.accepts import CHANGED_SUBSCRIPTION
from adapters.sandbox.stripe.account import Body
from adapters.sandbox.stripe.actions_money import MoneyActions, refusing
from adapters.sandbox.stripe.eventlog import ASTRAY
from adapters.sandbox.stripe.params import decode
from adapters.sandbox.stripe.payments import BEHAVIOURS

METHODS = ("card", "us_bank_account")


class Actions(MoneyActions):
    """Each raises ValueError with a sentence when it cannot be done."""

    def table(self) -> dict[str, Callable[..., Any]]:
        names = [name for name in dir(type(self)) if not name.startswith("_") and name != "table"]
        return {name: getattr(self, name) for name in names}

    def complete_checkout(self, session: str, method: str = "card", behaviour: str = "ok") -> Body:
        """The payer authorises a method. It is attached to the customer; nothing makes it a default."""
        body = self._get("checkout.session", session)
        if body["status"] != "open":
            raise ValueError(f"checkout session {session} is {body['status']}")
        if method not in body["payment_method_types"]:
            raise ValueError(f"checkout session {session} takes {', '.join(body['payment_method_types'])}")
        attached, mandate = self._authorise(self._get("customer", body["customer"]), method, behaviour)
        intent = self._account.get("setup_intent", body["setup_intent"])
        intent.update(status="succeeded", payment_method=attached["id"], mandate=mandate)
        self._account.save(intent, "setup_intent.succeeded")
        body.update(status="complete", url=None)
        self._account.save(body, "checkout.session.completed")
        return attached

    def portal_change_method(self, customer: str, method: str = "card", behaviour: str = "ok") -> Body:
        """The payer changes the method in the customer portal, which makes it the default."""
        body = self._get("customer", customer)
        attached, _ = self._authorise(body, method, behaviour)
        settings = body["invoice_settings"]
        body["invoice_settings"] = {**settings, "default_payment_method": attached["id"]}
        self._account.save(body, "customer.updated", invoice_settings=settings)
        return attached

    def detach_method(self, method: str) -> Body:
        """The payer removes a method in the portal."""
        self._get("payment_method", method)
        return refusing(lambda: customers.detach(self._account, method))

    def events_go_astray(self, kinds: Sequence[str]) -> None:
        """What becomes of the coming events, in turn: missing, repeated, late or swapped."""
        if unknown := [kind for kind in kinds if kind not in ASTRAY]:
            raise ValueError(f"unknown: {', '.join(unknown)}; known: {', '.join(ASTRAY)}")
        self._account.events.astray.extend(kinds)

    def set_behaviour(self, method: str, behaviour: str) -> None:
        """The bank answers differently from now on, e.g. because the account is filled again."""
        self._get("payment_method", method)
        self._account.behaviour[method] = _known(behaviour)

    def set_tax(self, subscription: str, percent: str, how: str = "automatic") -> None:
        """Somebody switches Stripe's own tax on in the dashboard: for a subscription, or (how: items) on each of its items."""
        taxes.switch_on(self._account, self._get("subscription", subscription), Decimal(percent), how)

    def set_retries(self, enabled: bool) -> None:
        """The owner switches the automatic retries of failed payments on or off."""
        self._account.retries = enabled

    def mark_paid(self, invoice: str) -> Body:
        """The owner notes in the dashboard that an open invoice was paid outside of Stripe."""
        body = self._get("invoice", invoice)
        return refusing(lambda: invoices.pay(self._account, body["id"], {"paid_out_of_band": True}))

    def pay_part(self, invoice: str, amount: int) -> Body:
        """The owner takes a part of an open invoice (minor units) with the customer's method, in the dashboard."""
        body = self._get("invoice", invoice)
        method = collection.method_for(self._account, body)
        if method is None:
            raise ValueError(f"the customer of {invoice} has no payment method")
        return refusing(lambda: collection.pay_part(self._account, body, amount, method))

    def mark_uncollectible(self, invoice: str) -> Body:
        """The owner gives an open invoice up in the dashboard."""
        return refusing(lambda: collection.mark_uncollectible(self._account, self._get("invoice", invoice)))

    def void_invoice(self, invoice: str) -> Body:
        """The owner voids an open invoice in the dashboard."""
        return refusing(lambda: collection.void(self._account, self._get("invoice", invoice)))

    def delete_customer(self, customer: str) -> Body:
        """The owner deletes a customer in the dashboard."""
        return refusing(lambda: customers.delete(self._account, customer))

    def edit_subscription(self, id: str, **changes: Any) -> Body:
        """The owner changes a subscription in the dashboard, with the parameters of an update."""
        asked = CHANGED_SUBSCRIPTION.read(decode(urlencode(_flat(changes))))
        return refusing(lambda: subscriptions.update(self._account, id, asked))

    def cancel_subscription(self, id: str) -> Body:
        """The owner cancels at once in the dashboard."""
        return refusing(lambda: subscriptions.cancel(self._account, id, {}))

    def create_foreign_objects(self) -> dict[str, str]:
        """A web shop on the same account: its customer, subscription, invoice and payment carry no marker of ours."""
        account = self._account
        number = account.count("web shop")
        customer = customers.create(account, {"name": f"Web shop buyer {number}", "email": f"buyer{number}@shop.example"})
        method = self.portal_change_method(customer["id"], "card", "ok")
        product = catalog.create_product(account, {"name": "Web shop membership"})
        price = {"currency": "usd", "product": product["id"], "unit_amount": 1900, "recurring": {"interval": "month"}}
        items = [{"price_data": price, "quantity": 1}]
        subscription = subscriptions.create(account, {"customer": customer["id"], "items": items})
        invoice = account.get("invoice", subscription["latest_invoice"])
        payment = account.table("invoice_payment").where(invoice=invoice["id"])[0]
        return {
            "customer": customer["id"],
            "payment_method": method["id"],
            "subscription": subscription["id"],
            "invoice": invoice["id"],
            "payment_intent": payment["payment"]["payment_intent"],
        }

    def add_autopay_customer(
        self,
        name: str,
        email: str = "",
        amount: int | None = None,
        next_on: str = "",
        method: str = "card",
        interval: str = "month",
    ) -> dict[str, str]:
        """Another autopay product's customer with a default method and, with an amount (minor units), its subscription, which
        bills on `next_on` (a date) and every interval from then."""
        account = self._account
        customer = customers.create(account, {"name": name, **({"email": email} if email else {})})
        self.portal_change_method(customer["id"], method, "ok")
        subscription = "" if amount is None else self.add_subscription(customer["id"], amount, next_on, interval)
        return {"customer": customer["id"], "subscription": subscription}

    def add_subscription(self, customer: str, amount: int, next_on: str = "", interval: str = "month") -> str:
        """Another product's subscription on a customer, without any marker of ours. Its id."""
        account = self._account
        product = catalog.create_product(account, {"name": "Managed services (autopay)"})
        price = {"currency": "usd", "product": product["id"], "unit_amount": amount, "recurring": {"interval": interval}}
        terms: Body = {"customer": customer, "items": [{"price_data": price, "quantity": 1}], "description": "Autopay"}
        if next_on:
            anchor = datetime.combine(date.fromisoformat(next_on), time(12), UTC)
            terms |= {"billing_cycle_anchor": int(anchor.timestamp()), "proration_behavior": "none"}
        return str(refusing(lambda: subscriptions.create(account, terms))["id"])

    def _authorise(self, customer: Body, method: str, behaviour: str) -> tuple[Body, str | None]:
        if method not in METHODS:
            raise ValueError(f"unknown method {method!r}; known: {', '.join(METHODS)}")
        return customers.authorise(self._account, customer, type=method, behaviour=_known(behaviour))


def _known(behaviour: str) -> str:
    if behaviour not in BEHAVIOURS:
        raise ValueError(f"unknown behaviour {behaviour!r}; known: {', '.join(BEHAVIOURS)}")
    return behaviour


def _flat(value: Any, at: str = "") -> list[tuple[str, str]]:
    """Nested parameters as the bracketed form has them."""
    if isinstance(value, dict):
        pairs = [_flat(item, f"{at}[{key}]" if at else str(key)) for key, item in value.items()]
    elif isinstance(value, list):
        pairs = [_flat(item, f"{at}[{position}]") for position, item in enumerate(value)]
    else:
        text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        return [(at, text)]
    return [pair for inner in pairs for pair in inner]
