"""A card dispute with an account for disputed funds: the invoice stays paid until the bank has decided."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.model.ledger import ReversalStage
from connector.store import stages
from tests.e2e.back import (
    CLEARING,
    WITH_DISPUTED,
    at_gateway,
    days,
    entered_in_books,
    held,
    in_ledger,
    kinds,
    open_in_books,
    open_in_psa,
    paid,
    receivable,
)
from tests.e2e.msp import Msp, msp

DISPUTED = "94"


@pytest.fixture(params=["connectwise", "autotask"])
def office(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Msp]:
    with msp(tmp_path, agreements=0, psa=request.param, books=WITH_DISPUTED) as m:
        m.act("stripe.set_payouts", schedule="manual")
        m.cycle()
        yield m


def agree(m: Msp, net: int) -> None:
    gateway = sum(money.minor for money in m.agent.desk.gateway.balance().values())

    assert m.undelivered() == []
    assert (at_gateway(m), in_ledger(m), entered_in_books(m)) == (net, net, net)
    assert held(m, "clearing") == gateway


def seen(m: Msp, dispute: str) -> list[ReversalStage]:
    with m.agent.store.read() as tx:
        return [stage.stage for stage in stages.history(tx, f"reversal:{dispute}")]


def test_while_the_bank_decides_the_money_is_disputed_and_the_invoice_paid(office: Msp) -> None:
    dispute = office.act("stripe.dispute", payment_intent=paid(office))
    days(office, 2)

    agree(office, 0)
    assert held(office, DISPUTED) == 50000
    assert (open_in_books(office), open_in_psa(office), receivable(office)) == ([0], [0], 0)
    assert seen(office, dispute["id"]) == [ReversalStage.OPENED]
    assert kinds(office) == {"dispute_open"}


def test_a_dispute_that_was_lost_opens_the_invoice_on_the_day_of_the_loss(office: Msp) -> None:
    dispute = office.act("stripe.dispute", payment_intent=paid(office))
    withdrawn = office.agent.desk.today().isoformat()
    days(office, 5)
    office.act("stripe.close_dispute", dispute=dispute["id"], won=False)
    lost = office.agent.desk.today().isoformat()
    office.cycle(1)
    days(office)
    ours = [row for row in office.books("JournalEntry") if dispute["id"] in row.get("PrivateNote", "")]

    agree(office, 0)
    assert held(office, DISPUTED) == 0
    assert [row["TxnDate"] for row in ours] == [withdrawn, lost]
    assert (open_in_books(office), open_in_psa(office), receivable(office)) == ([50000], [50000], 50000)
    assert seen(office, dispute["id"]) == [ReversalStage.OPENED, ReversalStage.LOST]
    assert kinds(office) == {"went_back"}


def test_a_dispute_that_was_won_is_money_at_the_gateway_again(office: Msp) -> None:
    dispute = office.act("stripe.dispute", payment_intent=paid(office))
    days(office, 2)
    office.act("stripe.close_dispute", dispute=dispute["id"], won=True)
    won = office.agent.desk.today().isoformat()
    days(office, 2)
    ours = [row["TxnDate"] for row in office.books("JournalEntry") if dispute["id"] in row.get("PrivateNote", "")]

    agree(office, 50000)
    assert ours[-1] == won
    assert held(office, DISPUTED) == 0
    assert (open_in_books(office), open_in_psa(office), receivable(office)) == ([0], [0], 0)
    assert office.reconcile().ties


def test_an_inquiry_moves_nothing(office: Msp) -> None:
    dispute = office.act("stripe.dispute", payment_intent=paid(office), inquiry=True, withdrawn=False)
    days(office, 2)

    agree(office, 50000)
    assert seen(office, dispute["id"]) == [ReversalStage.INQUIRY]
    assert (open_in_books(office), open_in_psa(office)) == ([0], [0])


def test_a_returned_bank_debit_is_final_and_never_set_apart(office: Msp) -> None:
    office.act("stripe.ach_return", payment_intent=paid(office, method="us_bank_account"))
    days(office, 3)

    agree(office, 0)
    assert held(office, DISPUTED) == 0
    assert (open_in_books(office), open_in_psa(office), receivable(office)) == ([50000], [50000], 50000)


def test_what_was_disputed_and_lost_while_the_agent_was_away_is_entered_on_both_days(office: Msp) -> None:
    dispute = office.act("stripe.dispute", payment_intent=paid(office))
    withdrawn = office.agent.desk.today().isoformat()
    office.at(office.world.now.replace(day=office.world.now.day + 6))
    lost = office.agent.desk.today().isoformat()
    office.act("stripe.close_dispute", dispute=dispute["id"], won=False)
    days(office, 2)
    ours = [row["TxnDate"] for row in office.books("JournalEntry") if dispute["id"] in row.get("PrivateNote", "")]

    agree(office, 0)
    assert ours == [withdrawn, lost]
    assert held(office, DISPUTED) == 0
    assert (open_in_books(office), open_in_psa(office), receivable(office)) == ([50000], [50000], 50000)


@pytest.mark.parametrize("kind", ["reply_lost", "500_after_effect", "500"])
def test_whatever_is_lost_on_the_way_each_step_is_made_once(tmp_path: Path, kind: str) -> None:
    with msp(tmp_path, agreements=0, books=WITH_DISPUTED) as m:
        m.act("stripe.set_payouts", schedule="manual")
        m.cycle()
        dispute = m.act("stripe.dispute", payment_intent=paid(m))
        m.fault(kind, "quickbooks", method="POST", path="journalentry")
        days(m, 2)
        m.act("stripe.close_dispute", dispute=dispute["id"], won=False)
        m.restart(books=WITH_DISPUTED)
        m.fault(kind, "quickbooks", method="POST", path="/payment")
        m.fault(kind, "quickbooks", method="POST", path="journalentry")
        days(m, 3)

        agree(m, 0)
        assert held(m, DISPUTED) == 0
        assert (open_in_books(m), open_in_psa(m), receivable(m)) == ([50000], [50000], 50000)


def test_without_an_account_for_disputed_funds_the_invoice_is_open_at_once(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=CLEARING) as m:
        m.act("stripe.set_payouts", schedule="manual")
        m.cycle()
        dispute = m.act("stripe.dispute", payment_intent=paid(m))
        days(m, 2)
        first = open_in_books(m), open_in_psa(m), receivable(m)
        m.act("stripe.close_dispute", dispute=dispute["id"], won=False)
        days(m, 2)

        agree(m, 0)
        assert first == ([50000], [50000], 50000)
        assert (open_in_books(m), open_in_psa(m), receivable(m)) == first


def test_an_account_for_disputed_funds_named_later_does_not_charge_the_customer_twice(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=CLEARING) as m:
        m.act("stripe.set_payouts", schedule="manual")
        m.cycle()
        dispute = m.act("stripe.dispute", payment_intent=paid(m))
        days(m, 2)
        m.restart(books=WITH_DISPUTED)
        days(m, 1)
        m.act("stripe.close_dispute", dispute=dispute["id"], won=False)
        days(m, 2)

        agree(m, 0)
        assert held(m, DISPUTED) == 0
        assert (open_in_books(m), open_in_psa(m), receivable(m)) == ([50000], [50000], 50000)


def test_a_refund_beside_an_open_dispute_is_told_because_the_payer_may_be_paid_twice(office: Msp) -> None:
    payment = paid(office)
    office.act("stripe.refund", payment_intent=payment, amount=20000, intent="cancel_payment")
    days(office)
    dispute = office.act("stripe.dispute", payment_intent=payment, amount=30000)
    days(office, 2)
    while_open = kinds(office)
    agree(office, 0)
    office.act("stripe.close_dispute", dispute=dispute["id"], won=True)
    days(office, 2)

    agree(office, 30000)
    assert while_open >= {"refund_beside_dispute", "dispute_open"}
    assert not kinds(office) & {"refund_beside_dispute", "dispute_open"}


def test_a_refund_after_a_dispute_was_won_takes_back_the_payment_itself(office: Msp) -> None:
    payment = paid(office)
    dispute = office.act("stripe.dispute", payment_intent=payment)
    days(office)
    office.act("stripe.close_dispute", dispute=dispute["id"], won=True)
    days(office, 2)
    office.act("stripe.refund", payment_intent=payment, intent="cancel_payment")
    days(office, 2)

    agree(office, 0)
    assert held(office, DISPUTED) == 0
    assert (open_in_books(office), open_in_psa(office), receivable(office)) == ([50000], [50000], 50000)
