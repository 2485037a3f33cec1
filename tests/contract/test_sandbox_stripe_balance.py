"""Whatever happens to money in the sandbox's Stripe, in whatever order: the balance, the payouts and their lists add up."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from adapters.sandbox.stripe import Stripe
from adapters.sandbox.stripe.balance import members
from adapters.sandbox.world import World

AMOUNTS = st.integers(1, 50_000)
PICK = st.integers(0, 1_000)


class Money(RuleBasedStateMachine):
    """What a person or a bank may do at any moment; what cannot be done just now is refused with a ValueError."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.stripe = Stripe(self.world)
        self.world.add(self.stripe)

    def act(self, name: str, *arguments: Any, **named: Any) -> None:
        with suppress(ValueError):
            self.stripe.actions[name](*arguments, **named)

    def one(self, kind: str, pick: int) -> str:
        rows = list(self.stripe.account.table(kind))
        return str(rows[pick % len(rows)]["id"]) if rows else "none"

    @initialize(schedule=st.sampled_from(("daily", "manual")), amount=st.integers(100_000, 500_000))
    def begin(self, schedule: str, amount: int) -> None:
        self.act("set_payouts", schedule)
        self.sell(amount)
        self.wait(5)

    @rule(amount=st.integers(100, 500_000))
    def sell(self, amount: int) -> None:
        self.act("shop_sale", amount)

    @rule(pick=PICK, amount=AMOUNTS)
    def refund(self, pick: int, amount: int) -> None:
        self.act("refund", self.one("payment_intent", pick), amount)

    @rule(pick=PICK)
    def fail_a_refund(self, pick: int) -> None:
        self.act("fail_refund", self.one("refund", pick))

    @rule(pick=PICK, inquiry=st.booleans(), withdrawn=st.booleans())
    def dispute(self, pick: int, *, inquiry: bool, withdrawn: bool) -> None:
        self.act("dispute", self.one("payment_intent", pick), inquiry=inquiry, withdrawn=withdrawn)

    @rule(pick=PICK)
    def withdraw(self, pick: int) -> None:
        self.act("withdraw_dispute", self.one("dispute", pick))

    @rule(pick=PICK, won=st.booleans())
    def close(self, pick: int, *, won: bool) -> None:
        self.act("close_dispute", self.one("dispute", pick), won=won)

    @rule(amount=AMOUNTS)
    def bill(self, amount: int) -> None:
        self.act("stripe_fee", amount)

    @rule(amount=st.integers(-50_000, 50_000))
    def reserve(self, amount: int) -> None:
        self.act("reserve", amount)

    @rule(amount=AMOUNTS)
    def pay_out_by_hand(self, amount: int) -> None:
        self.act("manual_payout", amount)

    @rule(pick=PICK)
    def fail_a_payout(self, pick: int) -> None:
        self.act("fail_payout", self.one("payout", pick))

    @rule(schedule=st.sampled_from(("daily", "manual")), debit=st.booleans())
    def choose(self, schedule: str, *, debit: bool) -> None:
        self.act("set_payouts", schedule, debit_negative=debit)

    @rule(days=st.integers(1, 9))
    def wait(self, days: int) -> None:
        self.world.advance_days(days)

    @invariant()
    def the_balance_is_the_sum_of_all_movements(self) -> None:
        account = self.stripe.account
        held = sum(account.get("balance_transaction", id)["net"] for id in account.unpaid)

        # A payout's own movement has left with what it took: both are gone from what is held.
        assert held == sum(t["net"] for t in account.table("balance_transaction"))

    @invariant()
    def a_finished_payout_is_what_it_took(self) -> None:
        for payout in self._automatic():
            if payout["reconciliation_status"] == "completed":
                assert sum(t["net"] for t in members(self.stripe.account, payout)) == 0

    @invariant()
    def nothing_goes_out_twice(self) -> None:
        taken = Counter(t["id"] for payout in self._automatic() for t in self.stripe.account.payout_members[payout["id"]])

        assert set(taken.values()) <= {1}
        assert not set(taken) & set(self.stripe.account.unpaid)

    def _automatic(self) -> list[Any]:
        return [payout for payout in self.stripe.account.table("payout") if payout["automatic"]]


TestMoney = Money.TestCase
TestMoney.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
