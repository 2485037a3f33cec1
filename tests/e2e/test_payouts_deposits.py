"""With undeposited funds each payout is one deposit of exactly its payments, equal to the bank's line to the cent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from connector.flows import attention
from connector.flows.attention import Parked
from connector.flows.payout_list import listed
from tests.e2e.back import UNDEPOSITED, held
from tests.e2e.msp import Msp, cents, msp

FUNDS = "4"  # Undeposited Funds


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Msp]:
    with msp(tmp_path, agreements=0, books=UNDEPOSITED) as m:
        m.cycle()
        m.sign_up()
        m.to("2026-02-02")
        yield m


def banked(m: Msp) -> int:
    return sum(payout["amount"] for payout in m.stripe("payout") if payout["status"] == "paid")


def days(m: Msp, number: int) -> None:
    """The agent goes round on the first and on the last of them."""
    m.cycle(1)
    m.at(m.world.now + timedelta(days=number))
    m.cycle(1)


def only(m: Msp) -> Parked:
    (one,) = attention.parked(m.agent.desk)
    return one


def test_a_payout_is_one_deposit_of_its_payment_and_the_fee(office: Msp) -> None:
    bank, funds = held(office, "bank"), held(office, FUNDS)
    days(office, 6)
    (deposit,) = office.books("Deposit")
    (row,) = listed(office.agent.desk).rows

    assert banked(office) == 48520
    assert (held(office, "bank") - bank, held(office, FUNDS) - funds) == (48520, 0)
    assert [cents(line["Amount"]) for line in deposit["Line"]] == [50000, -1480]
    assert (row.booked, row.state) == (f"deposit:{deposit['Id']}", f"booked as deposit:{deposit['Id']}, dated 2026-02-06")
    assert office.reconcile().ties, office.reconcile().drifts


def test_a_deposit_that_was_made_by_hand_is_told_and_no_second_one_is_made(office: Msp) -> None:
    bank = held(office, "bank")
    days(office, 2)
    (payment,) = (row["Id"] for row in office.books("Payment"))
    by_hand = office.act("quickbooks.make_deposit", payment_ids=[payment], dated="2026-02-04", fee="14.80")
    days(office, 4)
    told = only(office)
    attention.dismiss(office.agent.desk, told.id, who="Dana", why="the deposit was made by hand")
    office.cycle(1)
    (row,) = listed(office.agent.desk).rows

    assert f"Deposit {by_hand} is exactly this payout: leave it" in told.why
    assert told.amount is not None
    assert told.amount.minor == 48520
    assert f"connector dismiss {told.id}" in told.todo
    assert len(office.books("Deposit")) == 1
    assert held(office, "bank") - bank == banked(office)
    assert row.state == "entered by hand"
    assert office.reconcile().ties, office.reconcile().drifts


def test_a_payment_that_was_deposited_with_others_waits_until_it_is_taken_out(office: Msp) -> None:
    bank, funds = held(office, "bank"), held(office, FUNDS)
    days(office, 2)
    (payment,) = (row["Id"] for row in office.books("Payment"))
    office.act("quickbooks.make_deposit", payment_ids=[payment])
    days(office, 4)
    told = only(office)
    office.act("quickbooks.take_out_of_deposit", payment=payment)
    attention.retry(office.agent.desk, told.id, who="Dana")
    office.cycle(1)

    assert "Contoso Dental" in told.why
    assert "is in deposit" in told.why
    assert attention.parked(office.agent.desk) == []
    assert (held(office, "bank") - bank, held(office, FUNDS) - funds) == (banked(office), 0)


def test_a_payout_in_a_closed_period_waits_with_the_first_open_day_and_is_entered_there(office: Msp) -> None:
    bank = held(office, "bank")
    days(office, 2)
    office.act("quickbooks.close_books", through="2026-02-07")
    days(office, 4)
    told = only(office)
    attention.retry(office.agent.desk, told.id, who="Dana", why="February's first week is filed", dated=date(2026, 2, 8))
    office.cycle(1)
    (deposit,) = office.books("Deposit")

    assert told.proposed == date(2026, 2, 8)
    assert f"connector retry {told.id} --date 2026-02-08" in told.todo
    assert deposit["TxnDate"] == "2026-02-08"
    assert held(office, "bank") - bank == banked(office)
    assert attention.parked(office.agent.desk) == []
    assert office.reconcile().ties, office.reconcile().drifts
