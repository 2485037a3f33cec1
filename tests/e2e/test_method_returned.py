"""A debit that came back: its method is debited no more for this payer until there is another or a person says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.flows import returned
from connector.store import payers
from tests.e2e.charging import debits, hold_names
from tests.e2e.msp import Msp, msp
from tests.e2e.test_decide_reversals import days, paid

PSAS = ("connectwise", "autotask")


def came_back(m: Msp) -> None:
    """February's bank debit succeeded, and the bank returned it days later."""
    m.act("stripe.ach_return", payment_intent=paid(m, method="us_bank_account"))
    days(m, 1)


def payer(m: Msp) -> payers.PayerRow:
    with m.agent.store.read() as tx:
        (row,) = payers.every(tx)
    return row


def march(m: Msp, *, day: int = 2) -> None:
    m.to(f"2026-03-{day:02}")
    m.cycle(2)


@pytest.mark.parametrize("psa", PSAS)
def test_nothing_more_of_the_payer_is_debited_from_an_account_that_returned_a_debit(tmp_path: Path, psa: str) -> None:
    with msp(tmp_path, agreements=0, psa=psa) as m:
        came_back(m)
        march(m)

        assert hold_names(m) == ["method_returned", "reversed"]
        assert len(m.stripe("payment_intent")) == 1
        assert payer(m).state == "method_returned"
        assert "checkout" in payer(m).link or "cs_test" in payer(m).link


def test_a_new_method_lifts_the_hold_by_itself(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        came_back(m)
        march(m)
        m.enrol(method="card")
        march(m, day=3)
        march(m, day=4)

        assert hold_names(m) == ["reversed"]
        assert payer(m).state == "enrolled"
        assert [amounts for charge, amounts in debits(m).items() if "2026-03" in charge] == [[50000]]


def test_a_person_may_say_that_the_same_account_is_debited_again(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        came_back(m)
        march(m)
        returned.allow(m.agent.desk, payer(m).key, who="Dana", why="the payer has filled the account")
        march(m, day=3)

        assert hold_names(m) == ["reversed"]
        assert [amounts for charge, amounts in debits(m).items() if "2026-03" in charge] == [[50000]]


def test_a_dispute_that_is_won_lets_the_card_be_debited_again(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        dispute = m.act("stripe.dispute", payment_intent=paid(m))
        days(m, 1)
        march(m)
        barred = hold_names(m)
        m.act("stripe.close_dispute", dispute=dispute["id"], won=True)
        march(m, day=3)
        march(m, day=4)

        assert "method_returned" in barred
        assert hold_names(m) == []
        assert [amounts for charge, amounts in debits(m).items() if "2026-03" in charge] == [[50000]]
