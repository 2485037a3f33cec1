"""A subscription bills on a day that is none of its agreement's any more: the renewal was entered while the agent was down."""

from __future__ import annotations

from pathlib import Path

from connector.model.charge import ChargeState
from tests.e2e.charging import at_stripe, debits, only
from tests.e2e.msp import Msp, msp

MIDMONTH = {"starts": "2026-01-15", "terms": "Due on receipt"}


def renewed_while_the_agent_is_down(m: Msp, *, unpaused: bool = False) -> None:
    """From the 15th to the 1st of the month; the gateway drafts once more on the 15th of March."""
    id = m.sign_up(**MIDMONTH)
    m.through("2026-02-17")
    m.act("office.renew_agreement", agreement=id, starts="2026-03-01")
    if unpaused:
        subscription = only([s for s in m.stripe("subscription") if s["metadata"].get("psa_connector")])
        m.act("stripe.edit_subscription", id=subscription["id"], pause_collection="")
    m.to("2026-03-18")


def of_march(m: Msp) -> list[str]:
    return [row["status"] for row in at_stripe(m) if row["metadata"].get("charge") is None and row["total"]]


def test_the_draft_of_a_day_that_is_no_bill_day_any_more_is_written_off_after_a_week(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        renewed_while_the_agent_is_down(m)
        m.cycle()
        at_first = of_march(m)
        m.through("2026-03-30", every_days=6)

        assert (at_first, of_march(m)) == (["draft"], ["void"])
        assert all(sum(amounts) == 50000 for amounts in debits(m).values()), "each period once"
        assert {c.period.start.isoformat() for c in m.charges(ChargeState.PAID)} >= {"2026-02-15", "2026-03-01"}
        assert m.reconcile().ties


def test_one_that_the_gateway_collected_alone_is_told_with_what_to_do(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        renewed_while_the_agent_is_down(m, unpaused=True)
        m.cycle()

        assert of_march(m) == ["paid"]
        (drift,) = [drift for drift in m.reconcile().drifts if drift.kind == "invoice_uncharged"]
        assert "of 2026-03-15 over 500.00 USD is paid with 500.00 USD" in drift.message
        assert drift.repair.startswith("refund 500.00 USD of ")

        (row,) = [row for row in at_stripe(m) if row["metadata"].get("charge") is None and row["total"]]
        paid = only([one for one in m.stripe("invoice_payment") if one["invoice"] == row["id"]])
        m.act("stripe.refund", payment_intent=paid["payment"]["payment_intent"], amount=50000)
        assert [drift.kind for drift in m.reconcile().drifts if drift.kind == "invoice_uncharged"] == []
