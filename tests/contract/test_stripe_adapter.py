"""The gateway's contract on our Stripe adapter, over real HTTP against the sandbox; and what is Stripe's alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
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
from connector.errors import Rejected, RetryLater
from connector.model.agreement import Payer
from connector.model.invoice import MethodKind
from connector.model.ledger import ReversalReason, ReversalStage
from connector.model.money import Money
from connector.model.payout import BalanceKind
from connector.model.subscription import Cancel, Update
from connector.ports import Gateway
from connector.testing.doubles import WorldClock, context
from connector.testing.gateway import GatewayContract, GatewayRig, key

INSTANCE = "msp"
MANY = 10_000
METHODS = {MethodKind.CARD: "card", MethodKind.BANK_DEBIT: "us_bank_account"}
BEHAVIOURS = {"ok": "ok", "declined": "decline", "returned": "ach_returns"}


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

    def fail_refund(self, payment: str) -> None:
        refunds = self.partner.account.table("refund").where(payment_intent=payment)
        self.partner.actions["fail_refund"](refunds[-1]["id"])

    def dispute(self, payment: str, *, stage: str) -> None:
        act = self.partner.actions
        have = self.partner.account.table("dispute").where(payment_intent=payment)
        if not have:
            act["dispute"](payment, withdrawn=stage != "opened", inquiry=stage == "inquiry")
        elif stage == "withdrawn":
            act["withdraw_dispute"](have[0]["id"])
        elif stage in ("won", "lost"):
            act["close_dispute"](have[0]["id"], won=stage == "won")

    def sell_elsewhere(self, amount: Money) -> str:
        return str(self.partner.actions["shop_sale"](amount.minor))

    def bill(self, amount: Money) -> None:
        self.partner.actions["stripe_fee"](amount.minor)

    def hold_back(self, amount: Money) -> None:
        self.partner.actions["reserve"](amount.minor)

    def fail_payout(self, payout: str) -> None:
        self.partner.actions["fail_payout"](payout)

    def pay_out_by_hand(self, amount: Money) -> str:
        self.partner.actions["set_payouts"]("manual")
        self.advance(self.world.now + timedelta(days=5))
        return str(self.partner.actions["manual_payout"](amount.minor)["id"])

    def pay_part(self, invoice: str, amount: Money) -> None:
        self.partner.actions["pay_part"](invoice, amount.minor)

    def pay_elsewhere(self, invoice: str) -> None:
        self.partner.actions["mark_paid"](invoice)

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


def build(served: SandboxRig, tmp_path: Path, *, session: requests.Session | None = None, **changes: Any) -> Stripe:
    (tmp_path / "key").write_text("sk_test_sandbox\n")
    settings = StripeSettings(
        secret_key=Secret(file=tmp_path / "key"), base_url=served.url, return_url="https://msp.example", attempts=2
    )
    ready = context(**{"instance": INSTANCE, "clock": WorldClock(served.world), **changes})
    return Stripe(settings, ready, session=session, sleep=lambda _: None)


class TestStripe(GatewayContract):
    @pytest.fixture
    def rig(self, served: SandboxRig) -> GatewayRig:
        return served

    @pytest.fixture
    def gateway(self, adapter: Stripe) -> Gateway:
        return adapter


def test_the_adapter_is_found_by_its_spec(served: SandboxRig, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk_test_sandbox")
    settings = ADAPTER.settings.model_validate(
        {"secret_key": {"file": tmp_path / "key"}, "return_url": "https://msp.example", "base_url": served.url}
    )

    gateway = ADAPTER.build(settings, context())
    gateway.ping()

    assert isinstance(gateway, Gateway)
    assert gateway.name == ADAPTER.name == "stripe"


def test_two_instances_on_one_account_do_not_see_each_other(served: SandboxRig, adapter: Stripe, tmp_path: Path) -> None:
    other = build(served, tmp_path, instance="other")
    contract = TestStripe()
    ground = contract.prepared(adapter, served)
    live = contract.mirrored(adapter, served, ground)
    draft = contract.first_draft(adapter, served, ground)

    assert list(other.subscriptions()) == []
    assert list(other.drafts()) == []
    assert other.invoice(draft.id) is None
    with pytest.raises(Rejected, match="marker"):
        other.release(draft)
    with pytest.raises(Rejected, match="marker"):
        other.apply(Cancel(old=live, on=served.now().date(), reason="not ours"), key=key("end", served))
    assert [one.id for one in adapter.subscriptions()] == [live.id]


def test_a_quantity_makes_no_price_and_what_is_equal_sends_nothing(served: SandboxRig, adapter: Stripe) -> None:
    contract = TestStripe()
    ground = contract.prepared(adapter, served)
    live = contract.mirrored(adapter, served, ground)
    prices, requests_before = len(served.partner.account.table("price")), writes(served)

    contract.change(adapter, served, "1", items=live.subscription.items)
    unchanged = writes(served)
    contract.change(adapter, served, "2", items=tuple(replace(item, quantity=7) for item in live.subscription.items))

    assert unchanged == requests_before
    assert writes(served) == requests_before + 1
    assert len(served.partner.account.table("price")) == prices


def writes(served: SandboxRig) -> int:
    return sum(request["method"] != "GET" for request in served.world.requests)


def test_a_method_chosen_after_an_enrolment_is_not_overruled_by_it(served: SandboxRig, adapter: Stripe) -> None:
    contract = TestStripe()
    ground = contract.prepared(adapter, served)
    adapter.enrolment_link(ground.customer, enrolled=False, return_url="https://msp.example", key=key("enrol", served))
    served.enrol(ground.customer, MethodKind.CARD)  # finished, but nobody looked before the payer changed it once more
    served.advance(served.now() + timedelta(days=1))
    chosen = served.partner.actions["portal_change_method"](ground.customer, "us_bank_account")

    after = adapter.adopt_new_methods(ground.customer)

    assert after.default_method is not None
    assert after.default_method.id == chosen["id"]


def test_a_person_may_go_back_to_an_older_method(served: SandboxRig, adapter: Stripe) -> None:
    contract = TestStripe()
    ground = contract.prepared(adapter, served)
    first = contract.enrol(adapter, served, ground, MethodKind.CARD).default_method
    served.advance(served.now() + timedelta(days=1))
    contract.enrol(adapter, served, ground, MethodKind.BANK_DEBIT)
    assert first is not None
    served.dashboard.customers.update(ground.customer, {"invoice_settings": {"default_payment_method": first.id}})

    assert adapter.adopt_new_methods(ground.customer).default_method == first


def test_a_customer_that_was_there_before_us_keeps_its_name(served: SandboxRig, adapter: Stripe) -> None:
    theirs = served.dashboard.customers.create({"name": "As the owner wrote it"}).id
    payer = Payer(psa="psa", id="7", name="As the PSA has it")

    found = adapter.ensure_customer(payer, known=theirs, key=key("payer/7", served))

    assert (found.id, found.name, found.payer) == (theirs, "As the owner wrote it", "psa:7")
    assert adapter.customers([theirs])[theirs].name == "As the owner wrote it"


def test_a_product_renamed_by_hand_shows_and_is_put_right(served: SandboxRig, adapter: Stripe) -> None:
    contract = TestStripe()
    ground = contract.prepared(adapter, served)
    before = contract.mirrored(adapter, served, ground)
    product = next(iter(served.partner.account.table("product")))
    served.dashboard.products.update(product["id"], {"name": "Renamed by hand"})

    changed = contract.live(adapter)
    adapter.apply(Update(old=changed, new=before.subscription), key=key("repair", served))

    assert "Renamed by hand" in {item.name for item in changed.subscription.items}
    assert contract.live(adapter).subscription == before.subscription


def test_a_card_dispute_counts_while_the_funds_are_withdrawn(served: SandboxRig, adapter: Stripe) -> None:
    contract = TestStripe()
    ground = contract.prepared(adapter, served)
    payment = contract.collected(adapter, served, ground, MethodKind.CARD)
    dispute = served.partner.actions["dispute"](payment.payment)

    (withdrawn,) = adapter.reversals(payment.payment)
    served.partner.actions["close_dispute"](dispute["id"], won=True)

    assert (withdrawn.amount, withdrawn.reason) == (payment.amount, ReversalReason.DISPUTE)
    assert list(adapter.reversals(payment.payment)) == []


def test_nothing_secret_is_shown(adapter: Stripe, tmp_path: Path) -> None:
    settings = StripeSettings(return_url="https://msp.example/", secret_key=Secret(file=tmp_path / "key"))

    assert "sk_test_sandbox" not in repr(settings) + repr(adapter) + repr(vars(adapter))


def test_what_a_refund_is_for_is_read_from_what_the_owner_wrote_there(served: SandboxRig, adapter: Stripe) -> None:
    contract = TestStripe()
    ground = contract.prepared(adapter, served)
    payment = contract.collected(adapter, served, ground, MethodKind.CARD)
    refund = served.partner.actions["refund"](payment.payment, 2000, intent="credit")

    (said,) = adapter.reversals(payment.payment)
    served.partner.actions["note_refund"](refund["id"], "cancel_payment")
    (changed,) = adapter.reversals(payment.payment)

    assert (said.intent, said.fee) == ("credit", Money(0, "USD"))
    assert (changed.intent, changed.id) == ("cancel_payment", said.id)


def test_a_refund_that_waits_for_funds_has_moved_nothing_yet(served: SandboxRig, adapter: Stripe) -> None:
    contract = TestStripe()
    ground = contract.prepared(adapter, served)
    payment = contract.collected(adapter, served, ground, MethodKind.CARD)
    waiting = served.partner.actions["refund_without_funds"](payment.payment, 2000)

    (before,) = adapter.reversal_states(payment.payment)
    served.partner.actions["fund_refund"](waiting["id"])
    (after,) = adapter.reversal_states(payment.payment)

    assert (before.stage, before.moved, before.fee) == (ReversalStage.PENDING, False, None)
    assert (after.stage, after.moved, after.id) == (ReversalStage.SUCCEEDED, True, before.id)


@pytest.mark.parametrize("returned", [True, False])
def test_the_fee_of_a_dispute_that_was_won_is_what_was_kept_of_it(served: SandboxRig, adapter: Stripe, *, returned: bool) -> None:
    contract = TestStripe()
    ground = contract.prepared(adapter, served)
    payment = contract.collected(adapter, served, ground, MethodKind.CARD)
    served.partner.actions["set_dispute_fee_returned"](returned)
    dispute = served.partner.actions["dispute"](payment.payment)
    served.partner.actions["close_dispute"](dispute["id"], won=True)

    (won,) = adapter.reversal_states(payment.payment)

    assert (won.stage, won.moved) == (ReversalStage.WON, False)
    assert won.fee == Money(0 if returned else 1500, "USD")


def test_a_payout_of_a_hundred_and_fifty_payments_costs_three_requests(served: SandboxRig, adapter: Stripe) -> None:
    for number in range(150):
        served.sell_elsewhere(Money(1000 + number, "USD"))
    served.advance(served.now() + timedelta(days=15))
    (payout,) = adapter.payouts(served.now() - timedelta(days=30))
    before = len(served.world.requests)

    lines = adapter.payout_lines(payout.id)

    assert len(lines) == 150
    assert len(served.world.requests) - before == 3  # the payout, and its 151 transactions in two pages


def test_a_payout_that_is_not_reconciled_yet_is_for_later_and_never_half(served: SandboxRig, adapter: Stripe) -> None:
    for minor in (5_000, 6_000):
        served.sell_elsewhere(Money(minor, "USD"))
    while not (found := list(adapter.payouts(served.now() - timedelta(days=30)))):
        served.advance(served.now() + timedelta(days=1))

    with pytest.raises(RetryLater, match=found[0].id):
        adapter.payout_lines(found[0].id)
    served.advance(served.now() + timedelta(days=10))

    assert not found[0].reconciled
    assert len(adapter.payout_lines(found[0].id)) == 2


def test_a_bank_debit_s_payment_is_named_by_its_charge_refund_and_return_alike(served: SandboxRig, adapter: Stripe) -> None:
    contract = TestStripe()
    ground = contract.prepared(adapter, served)
    payment = contract.collected(adapter, served, ground, MethodKind.BANK_DEBIT)
    served.refund(payment.payment, Money(300, "USD"))
    served.partner.actions["ach_return"](payment.payment, "debit_not_authorized")

    lines = list(adapter.balance_lines(served.now() - timedelta(days=60), served.now() + timedelta(seconds=1)))
    ours = [line for line in lines if line.payment == payment.payment]

    assert [line.kind for line in ours] == [BalanceKind.CHARGE, BalanceKind.REFUND, BalanceKind.DISPUTE]
    assert {one.reason: one.on_open_dispute for one in adapter.reversals(payment.payment)} == {
        ReversalReason.REFUND: True,
        ReversalReason.BANK_RETURN: False,
    }


def wrong(adapter: Stripe) -> dict[str, str]:
    return {check.name: check.message for check in adapter.account_checks() if check.right is False}


def test_payouts_asked_for_by_hand_are_named_by_the_account_checks(served: SandboxRig, adapter: Stripe) -> None:
    served.partner.actions["set_payouts"]("manual")

    assert "automatic" in wrong(adapter)["payout_schedule"]


def test_an_account_that_stripe_restricted_is_named_by_the_account_checks(served: SandboxRig, adapter: Stripe) -> None:
    served.partner.actions["restrict"](charges=False, payouts=False)

    assert set(wrong(adapter)) == {"charges", "payouts"}


def test_an_account_of_another_currency_is_named_by_the_account_checks(served: SandboxRig, tmp_path: Path) -> None:
    canadian = build(served, tmp_path, currency="CAD")

    assert "USD, but CAD is configured" in wrong(canadian)["currency"]


@pytest.mark.parametrize("setting", ["cancel", "unpaid"])
def test_a_subscription_that_stripe_gave_up_shows_the_setting_that_cannot_be_read(
    served: SandboxRig, adapter: Stripe, setting: str
) -> None:
    contract = TestStripe()
    ground = contract.prepared(adapter, served)
    served.partner.actions["set_after_retries"](setting)
    draft = contract.enrolled_draft(adapter, served, ground, MethodKind.CARD, outcome="declined")
    (live,) = adapter.subscriptions()
    adapter.release(draft)
    before = wrong(adapter)
    served.advance(served.now() + timedelta(days=25))

    assert before == {}
    assert live.id in wrong(adapter)["after_failed_retries"]
    assert "Manage failed payments" in wrong(adapter)["after_failed_retries"]


def test_a_subscription_that_we_ended_is_no_sign_of_that_setting(served: SandboxRig, adapter: Stripe) -> None:
    contract = TestStripe()
    ground = contract.prepared(adapter, served)
    live = contract.mirrored(adapter, served, ground)
    adapter.apply(Cancel(old=live, on=served.now().date(), reason="the agreement has ended"), key=key("end", served))

    assert wrong(adapter) == {}
