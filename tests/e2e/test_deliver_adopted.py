"""What a person recorded already is adopted; what a person added is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.back import days, paid
from tests.e2e.msp import Msp, msp

NAME = "Contoso Dental"
MODES = ("many", "single")


def charged(m: Msp, mode: str = "many") -> None:
    """February's charge is paid at the gateway, and nobody but the gateway knows."""
    m.act("connectwise.set_payment_mode", mode=mode)
    m.sign_up()
    m.to("2026-02-02")
    m.cycle(1)
    m.to("2026-02-02", 20)


@pytest.mark.parametrize("mode", MODES)
def test_a_payment_is_recorded_once_in_connectwise_however_many_it_holds(tmp_path: Path, mode: str) -> None:
    with msp(tmp_path, agreements=0) as m:
        charged(m, mode)
        m.cycle(3)

        assert [row["amount"] for row in m.psa_payments()] == [500]
        assert [row["balance"] for row in m.psa_invoices()] == [0]
        assert m.reconcile().ties


@pytest.mark.parametrize("mode", MODES)
def test_a_payment_that_somebody_recorded_in_connectwise_is_not_written_again(tmp_path: Path, mode: str) -> None:
    with msp(tmp_path, agreements=0) as m:
        charged(m, mode)
        m.act("office.record_payment", invoice="10401", amount="500.00", dated="2026-02-03", member="Bookkeeper")
        m.cycle()

        assert [(row["amount"], row["appliedBy"]) for row in m.psa_payments()] == [(500, "Bookkeeper")]
        assert m.undelivered() == []
        assert m.reconcile().ties


def test_a_payment_that_somebody_recorded_in_quickbooks_is_not_written_again(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        charged(m)
        m.act("quickbooks.enter_payment", customer_name=NAME, amount="500.00", number="10401")
        m.cycle()

        (payment,) = m.books("Payment")
        assert "psa-connector" not in payment.get("PrivateNote", "")
        assert m.undelivered() == []
        assert m.reconcile().ties


@pytest.mark.parametrize("mode", MODES)
def test_a_cheque_for_a_part_is_left_alone_and_our_payment_fills_the_rest(tmp_path: Path, mode: str) -> None:
    """It was entered while the card was charged: too much came in, which reconciliation says and nobody hides."""
    with msp(tmp_path, agreements=0) as m:
        charged(m, mode)
        m.act("office.record_payment", invoice="10401", amount="200.00", dated="2026-02-02", member="Bookkeeper")
        m.cycle()

        (bill,) = m.psa_invoices()
        assert (bill["payments"], bill["balance"]) == (500, 0)
        assert sum(row["amount"] for row in m.psa_payments()) == 500
        (drift,) = m.reconcile().drifts
        assert (drift.kind, drift.waiting) == ("paid_twice", False)
        assert "300.00 USD of the 500.00 USD" in drift.message
        assert "refund 200.00 USD in" in drift.repair


@pytest.mark.parametrize("mode", MODES)
def test_a_cheque_after_our_payment_does_not_make_us_take_ours_back(tmp_path: Path, mode: str) -> None:
    with msp(tmp_path, agreements=0) as m:
        charged(m, mode)
        m.cycle()
        m.act("office.record_payment", invoice="10401", amount="200.00", member="Bookkeeper")
        m.to("2026-02-04")
        m.cycle()

        assert m.requests(partner="connectwise", writes=True)[-1]["method"] == "POST"
        (charge,) = m.charges()
        assert str(charge.collected) == "500.00 USD"
        kinds = {drift.kind for drift in m.reconcile().drifts}
        # Where ConnectWise holds one payment, the cheque replaced ours, and the invoice is open again.
        assert kinds == ({"overpaid_in_psa"} if mode == "many" else {"psa_payment_missing"})


def test_a_cheque_for_a_part_before_the_charge_leaves_the_rest_to_collect(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        m.at(m.world.now.replace(month=2, day=1, hour=15))
        m.act("office.record_payment", invoice="10401", amount="200.00", member="Bookkeeper")
        m.to("2026-02-02", 8)
        m.act("quickbooks.enter_payment", customer_name=NAME, amount="200.00", number="10401")
        for hour in (10, 14, 18):
            m.to("2026-02-02", hour)
            m.cycle(1)

        assert [entry.amount.minor for entry in m.ledger()] == [30000]
        assert [row["amount"] for row in m.psa_payments()] == [200, 300]
        assert [row["Balance"] for row in m.books("Invoice")] == [0]
        assert m.reconcile().ties


def test_a_refund_that_comes_back_beside_a_cheque_is_told_also_where_another_part_was_credited(
    tmp_path: Path,
) -> None:
    """111.11 went back and was paid by cheque in part; then the refund failed, and not all of it fits on the invoice again."""
    with msp(tmp_path, agreements=0) as m:
        payment = paid(m)
        m.act("stripe.refund", payment_intent=payment, amount=16666, intent="credit")
        cancelled = m.act("stripe.refund", payment_intent=payment, amount=11111, intent="cancel_payment")
        days(m)
        m.act("office.record_payment", invoice="10401", amount="66.66", member="Bookkeeper")
        days(m)
        m.act("stripe.fail_refund", refund=cancelled["id"])
        days(m, 2)

        told = {drift.kind: drift for drift in m.reconcile().drifts}
        assert "433.34 USD of the 500.00 USD" in told["paid_twice"].message
        assert "refund 66.66 USD in" in told["paid_twice"].repair
