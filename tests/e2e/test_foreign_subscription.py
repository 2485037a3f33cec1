"""Another product's subscription at the same customer: ours never charges beside it."""

from __future__ import annotations

from pathlib import Path

from connector.store import payers
from tests.e2e.charging import debits, hold_names, subscriptions
from tests.e2e.msp import Msp, msp


def customer_of(m: Msp, name: str) -> str:
    with m.agent.store.read() as tx:
        return next(row.customer for row in payers.every(tx) if row.name == name)


def autopay_elsewhere(m: Msp, customer: str, *, next_on: str = "2026-02-01") -> str:
    """The other product puts its subscription on the customer that we made."""
    made: str = m.act("stripe.add_subscription", customer=customer, amount=50000, next_on=next_on)
    return made


def test_a_charge_waits_while_another_product_has_a_subscription_on_the_customer(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        foreign = autopay_elsewhere(m, customer_of(m, "Contoso Dental"))
        m.to("2026-02-02")
        m.cycle()

        assert (debits(m), hold_names(m)) == ({}, ["foreign_subscription"])
        assert foreign in m.holds()[0].message
        m.act("stripe.cancel_subscription", id=foreign)
        m.cycle()
        assert list(debits(m).values()) == [[50000]]


def test_no_subscription_is_made_beside_a_foreign_one(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up()
        foreign = autopay_elsewhere(m, customer_of(m, "Contoso Dental"))
        payer = m.act("office.add_agreement", company=company_of(m, id), name="Backup", starts="2026-02-01", amount="80.00")
        m.cycle()

        assert subscriptions(m, payer) == []
        assert [problem.reason for problem in m.plan().plan.unusable] == ["foreign_subscription"]
        m.act("stripe.cancel_subscription", id=foreign)
        m.cycle()
        assert len(subscriptions(m, payer)) == 1


def company_of(m: Msp, agreement: int) -> int:
    rows = m.world.partners["connectwise"].state()["agreements"]
    return next(int(row["billToCompany"]["id"]) for row in rows if row["id"] == agreement)
