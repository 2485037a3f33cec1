"""What a gateway adapter is tested with: the world around it, and the ground on which most tests begin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Protocol

import pytest

from connector.model.agreement import Payer
from connector.model.invoice import Customer, GatewayInvoice, MethodKind
from connector.model.ledger import GatewayPayment
from connector.model.money import Money
from connector.model.period import Cycle, add_months
from connector.model.subscription import Arm, Create, Item, LiveSubscription, Subscription
from connector.ports import Gateway, WriteKey


class GatewayRig(Protocol):
    """Everything that the adapter itself cannot do."""

    currency: str

    def now(self) -> datetime: ...

    def advance(self, to: datetime) -> None: ...

    def enrol(self, customer: str, kind: MethodKind, *, outcome: str = "ok") -> None:
        """The payer finishes the open enrolment page. `outcome` of later debits: ok, declined, returned (bank debits)."""

    def refund(self, payment: str, amount: Money) -> None: ...

    def fail_refund(self, payment: str) -> None:
        """The latest refund of this payment comes back."""

    def dispute(self, payment: str, *, stage: str) -> None:
        """The payer of a card payment goes to the bank. `stage`: inquiry, opened (no funds taken yet), withdrawn, won or lost;
        asked again for the same payment, it goes on from where it was."""

    def sell_elsewhere(self, amount: Money) -> str:
        """Another shop on the same account sells something by card. The gateway's payment."""

    def bill(self, amount: Money) -> None:
        """The gateway charges its own fee, apart from any payment."""

    def hold_back(self, amount: Money) -> None:
        """The gateway reserves a part of the balance."""

    def fail_payout(self, payout: str) -> None: ...

    def pay_out_by_hand(self, amount: Money) -> str:
        """The owner asks for a payout of this amount; its id."""

    def pay_part(self, invoice: str, amount: Money) -> None:
        """A part of an open invoice is paid by card, apart from the gateway's own attempts."""

    def pay_elsewhere(self, invoice: str) -> None:
        """A person notes at the gateway that an open invoice was paid outside of it."""

    def give_credit(self, customer: str, amount: Money) -> None: ...

    def double_quantity(self, subscription: str) -> None:
        """A person doubles the quantity of the first item in the dashboard."""

    def add_line_by_hand(self, subscription: str) -> None: ...

    def resume_by_hand(self, subscription: str) -> None: ...

    def make_foreign(self, customer: str) -> None:
        """Someone else's customer, subscription and draft in the same account."""

    def foreign(self) -> Any:
        """All of someone else's objects, comparable."""

    def lose_replies(self, *, after: int = 0) -> None:
        """Writes are carried out, but from the one after the first `after` on no answer arrives. Until `mend`."""

    def break_down(self, *, after: int = 0) -> None:
        """The write after the first `after` is carried out and answered with a server error. Until `mend`."""

    def throttle(self) -> None:
        """Every request is refused as too many. Until `mend`."""

    def mend(self) -> None: ...

    def forget_keys(self) -> None:
        """The gateway no longer knows any idempotency key."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Where most tests begin: a payer with a customer, and the day of the first draft."""

    payer: Payer
    customer: str
    first: date


def key(value: str, rig: GatewayRig, *, attempt: int = 1) -> WriteKey:
    return WriteKey(value=value, since=rig.now(), attempt=attempt)


def midday(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


class GatewayGround:
    """Fixtures and helpers; no test."""

    @pytest.fixture
    def gateway(self) -> Gateway:
        raise NotImplementedError("give the contract a gateway fixture")

    @pytest.fixture
    def rig(self) -> GatewayRig:
        raise NotImplementedError("give the contract a rig fixture")

    @pytest.fixture
    def ground(self, gateway: Gateway, rig: GatewayRig) -> Ground:
        return self.prepared(gateway, rig)

    # Helpers

    def prepared(self, gateway: Gateway, rig: GatewayRig) -> Ground:
        payer = Payer(psa="psa", id="250", name="Acme Dental LLC", email="ap@acme.example")
        made = gateway.ensure_customer(payer, known="", key=key("payer/250", rig))
        first = add_months(rig.now().date().replace(day=1), 1)
        return Ground(payer=payer, customer=made.id, first=first)

    def money(self, rig: GatewayRig, minor: int) -> Money:
        return Money(minor, rig.currency)

    def item(self, rig: GatewayRig, name: str, *, minor: int = 4500, quantity: int = 3) -> Item:
        return Item(
            key=f"line:{name}", product=name, name=f"Service {name}", unit_amount=self.money(rig, minor), quantity=quantity
        )

    def wanted(self, rig: GatewayRig, ground: Ground, **changes: Any) -> Subscription:
        plain = Subscription(
            unit="psa:4711",
            payer=ground.payer.key,
            description="Managed services for Acme Dental",
            currency=rig.currency,
            cycle=Cycle.MONTHLY,
            bills_on=ground.first,
            items=(self.item(rig, "backup", minor=12050), self.item(rig, "workstation", quantity=25)),
        )
        return replace(plain, **changes)

    def live(self, gateway: Gateway) -> LiveSubscription:
        (found,) = gateway.subscriptions()
        return found

    def create(self, gateway: Gateway, rig: GatewayRig, ground: Ground, new: Subscription, *, name: str = "create") -> str:
        change = Create(new=gateway.canonical(new), customer=ground.customer, generation=1, first_draft=ground.first)
        return gateway.apply(change, key=key(f"{new.unit}/{name}", rig))

    def mirrored(self, gateway: Gateway, rig: GatewayRig, ground: Ground, **changes: Any) -> LiveSubscription:
        """Created and armed."""
        new = gateway.canonical(self.wanted(rig, ground, **changes))
        id = self.create(gateway, rig, ground, new)
        gateway.apply(Arm(id=id, new=new), key=key("arm", rig))
        return self.live(gateway)

    def enrol(self, gateway: Gateway, rig: GatewayRig, ground: Ground, kind: MethodKind, *, outcome: str = "ok") -> Customer:
        gateway.enrolment_link(ground.customer, enrolled=False, return_url="https://msp.example/done", key=key("enrol", rig))
        rig.enrol(ground.customer, kind, outcome=outcome)
        return gateway.adopt_new_methods(ground.customer)

    def first_draft(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> GatewayInvoice:
        rig.advance(midday(ground.first) + timedelta(hours=2))
        (draft,) = gateway.drafts()
        return draft

    def drafted(self, gateway: Gateway, rig: GatewayRig, ground: Ground) -> GatewayInvoice:
        self.mirrored(gateway, rig, ground)
        return self.first_draft(gateway, rig, ground)

    def enrolled_draft(
        self, gateway: Gateway, rig: GatewayRig, ground: Ground, kind: MethodKind, *, outcome: str = "ok"
    ) -> GatewayInvoice:
        self.enrol(gateway, rig, ground, kind, outcome=outcome)
        self.mirrored(gateway, rig, ground, automatic=True)
        return self.first_draft(gateway, rig, ground)

    def collected(
        self, gateway: Gateway, rig: GatewayRig, ground: Ground, kind: MethodKind, *, outcome: str = "ok"
    ) -> GatewayPayment:
        invoice = gateway.release(self.enrolled_draft(gateway, rig, ground, kind, outcome=outcome))
        rig.advance(rig.now() + timedelta(days=8))
        (payment,) = gateway.payments(invoice.id)
        return payment

    def again(self, gateway: Gateway, invoice: GatewayInvoice) -> GatewayInvoice:
        found = gateway.invoice(invoice.id)
        assert found is not None
        return found
