"""Whatever payouts are made of: the bank account in the books equals the bank's lines, and what waits in the books is what is
still at the gateway. Both ways of entering them, to the cent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connector.flows import attention
from connector.flows.payout_list import listed
from tests.e2e.back import ACCOUNTS, held
from tests.e2e.msp import Msp, msp

FUNDS = "4"  # Undeposited Funds
OURS = ("charge", "refund", "refund_failure", "dispute", "dispute_reversal")
EVERY = {**ACCOUNTS, "disputed": "94"}
WAYS = {
    "clearing_account": EVERY,
    "undeposited_funds": {name: id for name, id in EVERY.items() if name != "clearing"},
}


@dataclass
class Bank:
    """The bank's side of the story, and how the books began."""

    m: Msp
    method: str
    opening: dict[str, int]

    def lines(self) -> list[int]:
        """As the bank shows them, oldest first."""
        return [one["amount"] for one in sorted(self.m.stripe("payout"), key=lambda p: p["created"]) if one["status"] == "paid"]

    def moved(self, account: str) -> int:
        return held(self.m, EVERY.get(account, account)) - self.opening[account]

    def waiting(self) -> int:
        """In clearing, or in Undeposited Funds."""
        return self.moved("clearing" if self.method == "clearing_account" else FUNDS)

    def at_gateway(self) -> int:
        """What no payout has taken to the bank: all of it, or beside undeposited funds the gross of what is ours."""
        members = self.m.world.partners["stripe"].account.payout_members  # type: ignore[attr-defined]
        arrived = {p["id"] for p in self.m.stripe("payout") if p["status"] in ("paid", "failed")}
        gone = {line["id"] for payout in arrived for line in members[payout]}
        rest = [one for one in self.m.stripe("balance_transaction") if one["id"] not in gone and one["type"] != "payout"]
        if self.method == "clearing_account":
            return sum(one["net"] for one in rest)
        return sum(
            one["amount"]
            for one in rest
            if one["reporting_category"] in OURS and "shop" not in (one["description"] or "").lower()
        )

    def agrees(self) -> tuple[int, ...]:
        """What waits; asserts the rest."""
        assert attention.parked(self.m.agent.desk) == []
        assert self.m.undelivered() == []
        assert self.moved("bank") == sum(self.lines())
        assert self.waiting() == self.at_gateway()
        return self.waiting(), self.moved("bank")


@pytest.fixture(params=WAYS)
def bank(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bank]:
    books: dict[str, Any] = {"method": request.param, "accounts": WAYS[request.param], "foreign": "book"}
    with msp(tmp_path, agreements=0, books=books) as m:
        m.cycle()
        accounts = (*EVERY, FUNDS)
        yield Bank(m=m, method=request.param, opening={name: held(m, EVERY.get(name, name)) for name in accounts})


def payment(m: Msp, minor: int) -> str:
    return next(entry.payment for entry in m.ledger() if entry.amount.minor == minor)


def on(m: Msp, *days: str) -> None:
    for day in days:
        m.to(day)
        m.cycle(1)


def test_debits_that_arrive_later_refunds_and_returned_debits(bank: Bank) -> None:
    m = bank.m
    m.sign_up("Contoso Dental")
    m.sign_up("Fabrikam Law", method="us_bank_account", amount="1200.00")
    on(m, "2026-02-02", "2026-02-07")
    first = bank.agrees()
    on(m, "2026-02-11")
    second = bank.agrees()
    m.act("stripe.refund", payment_intent=payment(m, 50_000), amount=20_000, intent="cancel_payment")
    m.act("stripe.ach_return", payment_intent=payment(m, 120_000))
    m.sign_up("Northwind Traders", amount="800.00", starts="2026-02-17")
    on(m, "2026-02-17")
    m.to("2026-02-17", 20)
    m.cycle(1)
    m.act("stripe.refund", payment_intent=payment(m, 80_000), amount=10_000, intent="credit")
    on(m, "2026-02-19")
    fetched = bank.agrees()
    on(m, "2026-02-24", "2026-02-25")

    assert first == ((120000, 48520) if bank.method == "undeposited_funds" else (119500, 48520))
    assert second == (0, 48520 + 119500)
    assert fetched[1] == 48520 + 119500 - 20000 - 120400
    assert bank.lines()[:3] == [48520, 119500, -20000 - 120400]
    assert bank.agrees() == (0, fetched[1] + 80000 - 2350 - 10000)


def test_disputes_that_are_lost_and_won_across_payouts(bank: Bank) -> None:
    m = bank.m
    m.sign_up("Contoso Dental")
    m.sign_up("Fabrikam Law", amount="800.00")
    on(m, "2026-02-02", "2026-02-07")
    lost = m.act("stripe.dispute", payment_intent=payment(m, 50_000))
    won = m.act("stripe.dispute", payment_intent=payment(m, 80_000))
    on(m, "2026-02-08", "2026-02-14")
    bank.agrees()
    undecided = bank.moved("disputed"), bank.lines()[-1]
    m.act("stripe.close_dispute", dispute=lost["id"], won=False)
    m.act("stripe.close_dispute", dispute=won["id"], won=True)
    on(m, "2026-02-16", "2026-02-23")

    assert undecided == (130000, -130000 - 3000)
    assert bank.agrees()[0] == 0
    assert bank.moved("disputed") == 0
    assert bank.lines()[-1] in (80000, 80000 + 1500)


def test_foreign_money_and_payouts_that_fail_before_and_after_they_were_entered(bank: Bank) -> None:
    m = bank.m
    m.sign_up("Contoso Dental")
    on(m, "2026-02-02")
    m.act("stripe.shop_sale", amount=9_900)
    on(m, "2026-02-03", "2026-02-07")
    entered = bank.agrees()
    (first,) = m.stripe("payout")
    m.act("stripe.fail_payout", payout=first["id"])
    on(m, "2026-02-08")
    back = bank.moved("bank")
    on(m, "2026-02-11")
    second = next(one for one in m.stripe("payout") if one["status"] in ("pending", "in_transit"))
    m.act("stripe.fail_payout", payout=second["id"])
    on(m, "2026-02-12", "2026-02-20")

    assert (entered, back) == ((0, first["amount"]), 0)
    assert bank.moved("foreign") == -9900
    assert bank.lines() == [first["amount"]]
    assert bank.agrees() == (0, first["amount"])
    assert m.reconcile().ties, m.reconcile().drifts


@pytest.mark.parametrize("bank", ["undeposited_funds"], indirect=True)
def test_a_payout_with_money_of_one_that_nobody_can_list_waits_for_a_deposit_by_hand(bank: Bank) -> None:
    m = bank.m
    m.act("stripe.set_payouts", failed_listed=False)
    m.sign_up("Contoso Dental")
    on(m, "2026-02-02", "2026-02-05")
    (first,) = m.stripe("payout")
    m.act("stripe.fail_payout", payout=first["id"])
    on(m, "2026-02-11")
    early = attention.parked(m.agent.desk), listed(m.agent.desk).rows[0].state
    on(m, "2026-02-14")
    (told,) = attention.parked(m.agent.desk)

    assert early[0] == []
    assert "waits: Stripe has not finished" in early[1]
    assert f"the money of payout {first['id']}, which came back" in told.why
    assert "Make its deposit by hand" in told.why
    assert m.books("Deposit") == []
