"""The gateway's contract on our Stripe adapter, over real HTTP against the sandbox; and what is Stripe's alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import stripe as sdk

from adapters.sandbox.faults import Fault
from adapters.sandbox.server import Sandbox
from adapters.sandbox.stripe import Stripe as StripePartner
from adapters.sandbox.stripe.gate import Gate
from adapters.sandbox.world import World
from adapters.stripe import ADAPTER
from adapters.stripe.port import Stripe
from adapters.stripe.settings import StripeSettings
from connector.config.secret import Secret
from connector.errors import Rejected
from connector.model.invoice import MethodKind
from connector.model.money import Money
from connector.ports import Gateway
from connector.testing.doubles import WorldClock, context
from connector.testing.gateway import GatewayContract, GatewayRig, Ground, key

INSTANCE = "msp"
MANY = 10_000
METHODS = {MethodKind.CARD: "card", MethodKind.BANK_DEBIT: "us_bank_account"}
BEHAVIOURS = {"ok": "ok", "declined": "insufficient_funds", "returned": "ach_returns"}


class SandboxRig:
    """The rig on our sandbox."""

    currency = "USD"

    def __init__(self, world: World, partner: StripePartner, url: str) -> None:
        self.world = world
        self.partner = partner
        self.url = url
        self.dashboard = sdk.StripeClient("sk_test_sandbox", base_addresses={"api": url}, stripe_version="2026-05-27.dahlia").v1

    def now(self) -> datetime:
        return self.world.now

    def advance(self, to: datetime) -> None:
        self.world.advance(to)

    def enrol(self, customer: str, kind: MethodKind, *, outcome: str = "ok") -> None:
        (page,) = self.partner.account.table("checkout.session").where(customer=customer, status="open")
        self.partner.actions["complete_checkout"](page["id"], METHODS[kind], BEHAVIOURS[outcome])

    def refund(self, payment: str, amount: Money) -> None:
        self.partner.actions["refund"](payment, amount.minor)

    def give_credit(self, customer: str, amount: Money) -> None:
        self.dashboard.customers.update(customer, {"balance": -amount.minor})

    def double_quantity(self, subscription: str) -> None:
        item = self._subscription(subscription)["items"]["data"][0]
        self._edit(subscription, items=[{"id": item["id"], "quantity": item["quantity"] * 2}])

    def add_line_by_hand(self, subscription: str) -> None:
        product = self.dashboard.products.create({"name": "Extra by hand"})
        price = {"currency": "usd", "product": product.id, "unit_amount": 100, "recurring": {"interval": "month"}}
        self._edit(subscription, items=[{"price_data": price, "quantity": 1}])

    def resume_by_hand(self, subscription: str) -> None:
        self._edit(subscription, pause_collection="")

    def _edit(self, subscription: str, **changes: Any) -> None:
        self.partner.actions["edit_subscription"](subscription, proration_behavior="none", **changes)

    def _subscription(self, id: str) -> dict[str, Any]:
        return self.dashboard.subscriptions.retrieve(id).to_dict()

    def make_foreign(self, customer: str) -> None:
        made = self.partner.actions["create_foreign_objects"]()
        product = self.dashboard.products.create({"name": "Project work"})
        price: Any = {"currency": "usd", "product": product.id, "unit_amount": 100, "recurring": {"interval": "year"}}
        for payer in (customer, made["customer"]):
            self.dashboard.subscriptions.create({"customer": payer, "items": [{"price_data": price}],
                                                 "collection_method": "send_invoice", "days_until_due": 30})  # fmt: skip
            self.dashboard.invoices.create({"customer": payer, "auto_advance": False, "metadata": {"psa_connector": "other"}})
        self.world.advance(self.world.now + timedelta(hours=2))

    def foreign(self) -> Any:
        tables = self.partner.account.tables
        subscriptions = [s for s in tables["subscription"] if s["metadata"].get("psa_connector") != INSTANCE]
        names = ("id", "items", "metadata", "pause_collection", "collection_method", "cancel_at", "status")
        drafts = [dict(i) for i in tables["invoice"] if i["metadata"].get("psa_connector") == "other"]
        customers = [dict(c) for c in tables["customer"] if not c["metadata"]]
        return [{name: s[name] for name in names} for s in subscriptions], drafts, customers

    def _fault(self, kind: str, *, count: int = MANY, after: int = 0, method: str = "POST") -> None:
        self.world.faults.add(Fault(kind=kind, partner="stripe", method=method, count=count, skip=after))

    def lose_replies(self, *, after: int = 0) -> None:
        self._fault("reply_lost", after=after)

    def break_down(self, *, after: int = 0) -> None:
        self._fault("500_after_effect", count=1, after=after)

    def throttle(self) -> None:
        self._fault("429", method="")

    def mend(self) -> None:
        self.world.faults.clear()

    def forget_keys(self) -> None:
        self.partner._gate = Gate(self.partner.account)  # a day would do it too, but moves everything else


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def served(world: World) -> Iterator[SandboxRig]:
    partner = StripePartner(world)
    world.add(partner)
    with Sandbox(world) as sandbox:
        yield SandboxRig(world, partner, f"{sandbox.url}/stripe")


@pytest.fixture
def adapter(served: SandboxRig, tmp_path: Path) -> Iterator[Stripe]:
    adapter = build(served, tmp_path)
    yield adapter
    adapter.close()


def build(served: SandboxRig, tmp_path: Path, **changes: Any) -> Stripe:
    (tmp_path / "key").write_text("sk_test_sandbox\n")
    settings = StripeSettings(
        secret_key=Secret(file=tmp_path / "key"), base_url=served.url, return_url="https://msp.example", attempts=2
    )
    ready = context(instance=INSTANCE, clock=WorldClock(served.world), **changes)
    return Stripe(settings, ready, sleep=lambda _: None)


class TestStripe(GatewayContract):
    @pytest.fixture
    def rig(self, served: SandboxRig) -> GatewayRig:
        return served

    @pytest.fixture
    def gateway(self, adapter: Stripe) -> Gateway:
        return adapter
