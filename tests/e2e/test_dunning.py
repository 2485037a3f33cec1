"""A payment that fails is tried as long as the policy says; then the gateway is told to stop, and a person is told why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connector.model.charge import ChargeState
from tests.e2e.charging import at_stripe, debits, hold_names, only
from tests.e2e.msp import Msp, msp


def tries(m: Msp) -> int:
    return len([c for c in m.stripe("charge") if c["amount"] == 50000])


def february(m: Msp, until: str, **method: Any) -> None:
    m.sign_up(**method)
    m.through(until, every_days=1)


def test_a_declined_card_is_named_with_the_day_of_the_next_attempt(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        february(m, "2026-02-02", behaviour="decline_once")
        m.cycle(1)
        (hold,) = m.holds()
        m.through("2026-02-06")

        assert hold.name == "payment_failed"
        assert "1 attempt failed (Your card has insufficient funds.)" in hold.message
        assert "tries again on 2026-02-0" in hold.message
        assert hold_names(m) == []
        assert len(m.charges(ChargeState.PAID)) == 1


def test_after_so_many_attempts_the_gateway_is_told_to_stop(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, dunning={"card_attempts": 3}) as m:
        february(m, "2026-02-27", behaviour="decline")

        (invoice,) = [i for i in at_stripe(m, "open") if i["total"]]
        assert (invoice["auto_advance"], tries(m)) == (False, 3)
        assert hold_names(m) == ["dunning_over"]
        assert "limit of 3" in only(m.holds()).message


def test_when_the_gateway_gives_up_by_itself_that_is_told(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, dunning={"days": 60}) as m:
        m.sign_up(behaviour="decline")
        m.through("2026-03-20", every_days=12)

        (hold,) = [hold for hold in m.holds() if hold.charge.endswith("2026-02-01")]
        assert (hold.name, "gave up after" in hold.message) == ("not_retrying", True)
        (invoice,) = [row for row in at_stripe(m, "open") if row["metadata"]["charge"] == hold.charge]
        assert invoice["next_payment_attempt"] is None


def test_the_last_day_ends_it_too(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, dunning={"days": 4}) as m:
        february(m, "2026-02-28", behaviour="decline")

        assert hold_names(m) == ["dunning_over"]
        assert "2026-02-0" in only(m.holds()).message
        assert tries(m) < 6


def test_a_new_method_is_another_chance(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, dunning={"card_attempts": 2}) as m:
        february(m, "2026-02-10", behaviour="decline")
        stopped = hold_names(m)
        customer = only([c for c in m.stripe("customer") if c["metadata"].get("payer")])["id"]
        m.act("stripe.portal_change_method", customer=customer)
        m.through("2026-02-14")

        assert stopped == ["dunning_over"]
        assert hold_names(m) == []
        assert len(m.charges(ChargeState.PAID)) == 1
        assert list(debits(m).values()) == [[50000]]


@pytest.mark.parametrize(("behaviour", "tried"), [("ach_fails", 3), ("ach_closed", 1)])
def test_a_bank_debit_is_presented_again_only_for_missing_funds_and_at_most_twice(
    tmp_path: Path, behaviour: str, tried: int
) -> None:
    with msp(tmp_path, agreements=0) as m:
        february(m, "2026-02-27", method="us_bank_account", behaviour=behaviour)

        assert tries(m) == tried
        assert hold_names(m) == ["dunning_over"]


def test_a_cheque_ends_it(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, dunning={"card_attempts": 2}) as m:
        february(m, "2026-02-10", behaviour="decline")
        m.act("office.record_payment", invoice=m.psa_invoices()[0]["id"], amount="500.00")
        m.cycle(2)

        assert [i["status"] for i in at_stripe(m) if i["total"]] == ["void"]
        assert hold_names(m) == []
        assert [c.state for c in m.charges()] == [ChargeState.ENDED]


def test_a_debit_under_way_blocks_a_second_collection(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        february(m, "2026-02-03", method="us_bank_account")
        m.cycle(3)

        assert len(m.stripe("payment_intent")) == 1
        assert [i["status"] for i in at_stripe(m) if i["total"]] == ["open"]
        assert m.ledger() == []
