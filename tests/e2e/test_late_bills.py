"""A bill that the PSA makes after its agreement has ended, and for whose period the subscription made no draft."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.charging import bills, debits, only
from tests.e2e.msp import Msp, msp


def ended_unbilled(m: Msp) -> int:
    """From the 15th of January to the end of March, renewed as of February on the 1st; nobody makes the invoices in time."""
    id = m.sign_up(starts="2026-01-15", terms="Due on receipt")
    m.through("2026-01-20")
    m.act("office.set_automatic", on=False, days_ahead=0)
    new = m.act("office.renew_agreement", agreement=id, starts="2026-02-01")
    m.to("2026-03-10")
    m.cycle()
    m.act("office.cancel_agreement", agreement=new, on="2026-03-30")
    m.through("2026-04-04", every_days=3)
    return int(new)


def test_a_bill_that_comes_after_the_end_is_collected_once(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        new = ended_unbilled(m)
        assert [s["status"] for s in m.stripe("subscription") if s["metadata"].get("psa_connector")] == ["canceled", "canceled"]
        m.act("office.create_invoices", through="2026-04-04")
        m.through("2026-04-12")

        collected = debits(m)
        assert collected["connectwise:101/2026-02-01"] == [50000], "the bill whose period had no draft"
        assert all(len(amounts) == 1 for amounts in collected.values())
        assert all(bill["balance"] == 0 for bill in bills(m, new))
        assert [drift for drift in m.reconcile().drifts if not drift.waiting] == []


def test_without_a_payment_method_it_is_not_collected(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        new = ended_unbilled(m)
        method = only([row for row in m.stripe("payment_method") if row["customer"]])
        m.act("stripe.detach_method", method=method["id"])
        m.act("office.create_invoices", through="2026-04-04")
        m.through("2026-04-12")

        assert not debits(m).get("connectwise:101/2026-02-01", [])
        assert {bill["balance"] for bill in bills(m, new)} == {500}
