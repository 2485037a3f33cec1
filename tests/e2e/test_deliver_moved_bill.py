"""Invoices get deleted and made again in ConnectWise, and by the export in QuickBooks too: the payment follows the bill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from connector.model.charge import ChargeState
from tests.e2e.msp import Msp, msp

NAME = "Contoso Dental"


def released(m: Msp) -> None:
    m.sign_up()
    m.to("2026-02-02")
    m.cycle(1)
    m.to("2026-02-02", 20)


def made_again(m: Msp) -> dict[str, Any]:
    """The bill is deleted and made again at once, under another number."""
    m.act("office.delete_invoice", invoice="10401")
    m.act("office.create_invoices", through="2026-02-01")
    (bill,) = m.psa_invoices()
    assert bill["invoiceNumber"] != "10401"
    return bill


def charged_once(m: Msp) -> bool:
    return [row["amount_received"] for row in m.stripe("payment_intent") if row["status"] == "succeeded"] == [50000]


def test_a_bill_made_again_before_the_payment_was_written_gets_it(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        released(m)
        made_again(m)
        m.cycle()
        m.to("2026-02-03")
        m.cycle()

        (bill,) = m.psa_invoices()
        (payment,) = m.books("Payment")
        (invoice,) = m.books("Invoice")
        assert (bill["payments"], bill["balance"]) == (500, 0)
        assert (invoice["DocNumber"], invoice["Balance"], payment["UnappliedAmt"]) == (bill["invoiceNumber"], 0, 0)
        assert charged_once(m)
        assert m.reconcile().ties


def test_a_bill_made_again_after_the_payment_was_written_gets_it_too(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        released(m)
        m.cycle()
        bill = made_again(m)
        (drift,) = [drift for drift in m.reconcile().drifts if drift.kind == "psa_payment_missing"]

        assert bill["payments"] == 0
        assert drift.waiting

        m.cycle()
        m.to("2026-02-03")
        m.cycle()

        (bill,) = m.psa_invoices()
        (payment,) = m.books("Payment")
        (invoice,) = m.books("Invoice")
        assert (bill["payments"], bill["balance"]) == (500, 0)
        assert (invoice["DocNumber"], invoice["Balance"], payment["UnappliedAmt"]) == (bill["invoiceNumber"], 0, 0)
        assert charged_once(m)
        assert [charge.state for charge in m.charges()] == [ChargeState.PAID]
        assert m.reconcile().ties


def test_a_bill_made_again_twice_gets_it_though_the_one_in_between_had_no_room_for_it(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        released(m)
        m.cycle()
        between = made_again(m)
        m.act("office.create_credit_memo", invoice=between["id"], amount="500.00")
        m.to("2026-02-03")
        m.cycle()
        m.act("office.delete_invoice", invoice=between["invoiceNumber"])
        m.act("office.create_invoices", through="2026-02-01")
        m.to("2026-02-04")
        m.cycle(3)

        bills = [bill for bill in m.psa_invoices() if bill["total"] > 0]
        assert [(bill["payments"], bill["balance"]) for bill in bills] == [(500, 0)]
        assert charged_once(m)
        assert {drift.kind for drift in m.reconcile().drifts} <= {"unapplied_credit"}


def test_where_the_accounting_sync_writes_to_the_psa_the_books_follow_all_the_same(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, write_back={"psa_payments": "accounting_sync"}) as m:
        released(m)
        m.cycle()
        bill = made_again(m)
        m.to("2026-02-03")
        m.cycle(3)

        (payment,) = m.books("Payment")
        (invoice,) = m.books("Invoice")
        assert (invoice["DocNumber"], invoice["Balance"], payment["UnappliedAmt"]) == (bill["invoiceNumber"], 0, 0)
        assert m.psa_payments() == []
        assert charged_once(m)


def test_a_bill_that_was_deleted_for_good_is_a_mismatch_with_what_to_do(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        released(m)
        m.cycle()
        m.act("office.set_automatic", on=False)
        m.act("office.delete_invoice", invoice="10401")
        m.to("2026-02-04")
        m.cycle()

        drifts = {drift.kind: drift for drift in m.reconcile().drifts}
        assert drifts["psa_invoice_missing"].repair.startswith("create the invoice in the PSA again")
        assert not drifts["psa_invoice_missing"].waiting
        assert charged_once(m)


def test_a_bill_deleted_before_the_payment_was_written_waits_and_says_for_what(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        released(m)
        m.act("office.set_automatic", on=False)
        m.act("office.delete_invoice", invoice="10401")
        m.cycle()

        (waiting,) = [delivery for delivery in m.undelivered() if delivery.target == "psa:connectwise"]
        assert "10401 is no longer in the PSA" in waiting.note

        m.act("office.create_invoices", through="2026-02-01")
        m.to("2026-02-02", 23)
        m.cycle()

        assert [row["balance"] for row in m.psa_invoices()] == [0]


def test_a_bill_made_again_with_less_on_it_shows_what_was_collected_too_much(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        released(m)
        m.cycle()
        m.act("office.set_field", record="agreements", id=101, field="billAmount", value=400)
        m.act("office.delete_invoice", invoice="10401")
        m.act("office.create_invoices", through="2026-02-01")
        m.to("2026-02-03")
        m.cycle(3)

        (bill,) = m.psa_invoices()
        assert (bill["total"], bill["payments"], bill["balance"]) == (400, 400, 0)
        assert "collected_too_much" in {drift.kind for drift in m.reconcile().drifts}
        assert charged_once(m)


def test_an_invoice_entered_again_in_the_books_gets_the_payment_that_was_on_the_old_one(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        released(m)
        m.cycle()
        m.act("quickbooks.delete_invoice", number="10401")
        dates = {"dated": "2026-02-01", "due": "2026-02-01"}
        m.act("quickbooks.enter_invoice", number="10401", customer_name=NAME, total="500.00", **dates)
        m.cycle(3)

        (payment,) = m.books("Payment")
        (invoice,) = m.books("Invoice")
        assert (invoice["Balance"], payment["UnappliedAmt"]) == (0, 0)
        assert m.reconcile().ties


def test_an_agreement_that_left_keeps_its_payments_and_ties(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        released(m)
        m.cycle()
        m.act("office.cancel_agreement", agreement=101, on="2026-02-10")
        m.to("2026-02-20")
        m.cycle()
        m.act("office.delete_agreement", agreement=101)
        m.cycle()

        assert m.reconcile().ties
        assert len(m.reconcile().rows) == 1


def test_a_years_bill_ties_long_after_it_was_paid(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        m.sign_up(cycle="Annual")
        m.to("2026-02-02")
        m.cycle(1)
        m.to("2026-02-02", 20)
        m.cycle(1)
        m.to("2026-11-02")
        m.cycle(1)

        assert m.reconcile().ties
        assert len(m.reconcile().rows) == 1
