"""A year's worth of what can happen to one payer and one subscription, told through the official SDK."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import stripe

from adapters.sandbox.server import Sandbox
from adapters.sandbox.world import World
from tests.contract.stripe_document import RecordedStripe

VERSION = "2026-05-27.dahlia"
FEBRUARY = int(datetime(2026, 2, 1, 12, tzinfo=UTC).timestamp())


def at(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp())  # type: ignore[misc,arg-type]


@dataclass
class Scene:
    world: World
    partner: RecordedStripe
    url: str
    client: stripe.StripeClient

    @property
    def v1(self) -> Any:
        return self.client.v1

    def act(self, action: str, /, **arguments: Any) -> Any:
        return self.partner.actions[action](**arguments)

    def customer(self, **fields: Any) -> Any:
        return self.v1.customers.create({"name": "Acme Dental LLC", "email": "ap@acme.example", **fields})

    def product(self, id: str = "psa_1") -> str:
        return str(self.v1.products.create({"id": id, "name": "Managed workstation"}).id)

    def subscribe(self, customer: str, **fields: Any) -> Any:
        """25 workstations at 45.00, from 1 February at noon, billed by invoice until armed."""
        asked = {
            "customer": customer,
            "items": [item()],
            "collection_method": "send_invoice",
            "days_until_due": 30,
            "billing_cycle_anchor": FEBRUARY,
            "proration_behavior": "none",
            "billing_mode": {"type": "flexible"},
            **fields,
        }
        return self.v1.subscriptions.create({name: value for name, value in asked.items() if value is not None})

    def arm(self, subscription: str) -> Any:
        return self.v1.subscriptions.update(
            subscription,
            {
                "collection_method": "charge_automatically",
                "pause_collection": {"behavior": "keep_as_draft"},
                "proration_behavior": "none",
            },
        )

    def enrol(self, customer: str, method: str = "card", behaviour: str = "ok") -> str:
        session = self.v1.checkout.sessions.create(
            {"mode": "setup", "customer": customer, "currency": "usd", "success_url": "https://msp.example/thanks"}
        )
        attached = self.act("complete_checkout", session=session.id, method=method, behaviour=behaviour)
        self.v1.customers.update(customer, {"invoice_settings": {"default_payment_method": attached["id"]}})
        return str(attached["id"])

    def armed(self, method: str = "card", behaviour: str = "ok") -> tuple[str, str]:
        """A customer who enrolled, and the subscription that waits for 1 February."""
        self.v1.products.create({"id": f"psa_{method}_{behaviour}", "name": "Managed workstation"})
        customer = self.customer()
        self.enrol(customer.id, method, behaviour)
        subscription = self.subscribe(customer.id, items=[item(f"psa_{method}_{behaviour}")])
        self.arm(subscription.id)
        return customer.id, subscription.id

    def to(self, *when: int) -> None:
        self.world.advance(datetime(*when, tzinfo=UTC))  # type: ignore[misc,arg-type]

    def draft(self, subscription: str) -> Any:
        (draft,) = self.v1.invoices.list({"status": "draft", "subscription": subscription}).data
        return draft

    def released(self, method: str = "card", behaviour: str = "ok") -> Any:
        """The invoice of February, finalized on the 1st at 13:00 and not yet tried."""
        _, subscription = self.armed(method, behaviour)
        self.to(2026, 2, 1, 13)
        return self.v1.invoices.finalize_invoice(self.draft(subscription).id, {"auto_advance": True})

    def invoice(self, id: str) -> Any:
        return self.v1.invoices.retrieve(id)

    def intent(self, invoice: str) -> Any:
        (payment,) = self.v1.invoice_payments.list({"invoice": invoice}).data
        return self.v1.payment_intents.retrieve(payment.payment.payment_intent)

    def intents(self, invoice: str) -> list[Any]:
        """Of all its payments, the default one first."""
        payments = sorted(self.v1.invoice_payments.list({"invoice": invoice}).data, key=lambda p: not p.is_default)
        return [self.v1.payment_intents.retrieve(payment.payment.payment_intent) for payment in payments]

    def events(self, *types: str) -> list[Any]:
        """Oldest first."""
        return list(reversed(self.v1.events.list({"limit": 100, "types": list(types)} if types else {"limit": 100}).data))


def item(product: str = "psa_1", *, cents: int = 4_500, quantity: int = 25, interval: str = "month") -> dict[str, Any]:
    price = {"currency": "usd", "product": product, "unit_amount": cents, "recurring": {"interval": interval}}
    return {"price_data": price, "quantity": quantity}


@contextmanager
def scene(**world: Any) -> Iterator[Scene]:
    stage = World(**world)
    partner = RecordedStripe(stage)
    stage.add(partner)
    with Sandbox(stage) as sandbox:
        yield Scene(stage, partner, sandbox.url, client(sandbox.url))


def client(url: str, key: str = "sk_test_sandbox", version: str = VERSION) -> stripe.StripeClient:
    return stripe.StripeClient(key, base_addresses={"api": url + "/stripe"}, stripe_version=version)
