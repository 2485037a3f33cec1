"""A period that was charged and is billed again: one more charge, for what is billed in addition and nothing else."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from connector.flows import explain, forecast, overrule
from connector.model.charge import ChargeState
from connector.store import audit
from tests.e2e.charging import at_stripe, autopay, bills, collected, debits, hold_names, only
from tests.e2e.msp import Msp, msp

FREE: dict[str, Any] = {"charging": {"supplementary": "release"}}


def charged(m: Msp) -> int:
    """February's 500.00 are paid, in ConnectWise and QuickBooks."""
    id = m.sign_up()
    days(m, "2026-02-02", "2026-02-03")
    assert collected(m) == 50000
    return id


def days(m: Msp, *dates: str) -> None:
    for day in dates:
        m.to(day)
        m.cycle()


def addition(m: Msp, id: int, price: str = "149.00") -> dict[str, Any]:
    """Billed by itself in the middle of the period."""
    line = m.act("office.add_addition", agreement=id, product="Server care", unitPrice=price, starts="2026-02-03")
    return dict(m.act("office.bill_addition_now", addition=line))


def grow(m: Msp, id: int, total: int) -> None:
    """A line is added to the invoice of the period, after it was paid."""
    row = bills(m, id)[-1]
    for field, value in (("subtotal", total), ("total", total), ("balance", total - row["payments"])):
        m.act("office.set_field", record="invoices", id=row["id"], field=field, value=value)
    m.act("office.set_field", record="invoices", id=row["id"], field="serviceTotal", value=total)


def supplement(m: Msp, id: int, number: int = 1) -> Any:
    return m.charge(f"connectwise:{id}/2026-02-01/{number}")


def approve(m: Msp, charge: str) -> None:
    overrule.overrule(m.agent.desk, charge, who="Ann", why="ordered by the customer")


def test_an_addition_billed_by_itself_is_held_until_a_person_approves_it(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = charged(m)
        invoice = addition(m, id)
        days(m, "2026-02-04", "2026-02-10")
        assert hold_names(m) == ["supplementary"]
        assert collected(m) == 50000
        approve(m, supplement(m, id).id)
        days(m, "2026-02-11", "2026-02-12")

        assert debits(m) == {
            f"connectwise:{id}/2026-02-01": [50000],
            f"connectwise:{id}/2026-02-01/1": [round(invoice["total"] * 100)],
        }
        assert [bill["balance"] for bill in bills(m, id)] == [0, 0]
        assert supplement(m, id).state is ChargeState.PAID
        assert m.undelivered() == []
        assert len(m.books("Payment")) == 2
        assert m.reconcile().ties


def test_where_the_configuration_says_so_an_addition_is_charged_by_itself(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, **FREE) as m:
        id = charged(m)
        addition(m, id)
        days(m, "2026-02-04", "2026-02-10")

        assert m.holds() == []
        assert [bill["balance"] for bill in bills(m, id)] == [0, 0]
        assert m.reconcile().ties


def test_an_addition_deleted_before_it_was_approved_is_not_charged_and_ends_a_week_later(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = charged(m)
        invoice = addition(m, id)
        days(m, "2026-02-04")
        m.act("office.delete_invoice", invoice=invoice["id"])
        days(m, "2026-02-05", "2026-02-11")
        before, drafts = hold_names(m), at_stripe(m, "draft")
        days(m, "2026-02-13")
        after = hold_names(m), at_stripe(m, "draft"), supplement(m, id).state
        with m.agent.store.read() as tx:
            told = [row.why for row in audit.every(tx) if row.what == f"ended charge {supplement(m, id).id}"]

        assert (before, len(drafts)) == (["missing_invoice"], 1)
        assert after == ([], [], ChargeState.WRITTEN_OFF)
        assert told == [f"invoice {supplement(m, id).psa_number} was deleted in the PSA and not made again within 7 days"]
        assert collected(m) == 50000


def test_an_addition_paid_by_cheque_is_written_off(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = charged(m)
        invoice = addition(m, id)
        days(m, "2026-02-04")
        m.act("office.record_payment", invoice=invoice["id"], amount=str(invoice["total"]))
        days(m, "2026-02-05")

        assert supplement(m, id).state is ChargeState.WRITTEN_OFF
        assert collected(m) == 50000


def test_an_approval_is_for_the_amount_that_was_shown(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = charged(m)
        invoice = addition(m, id)
        days(m, "2026-02-04")
        approve(m, supplement(m, id).id)
        m.act("office.set_field", record="invoices", id=invoice["id"], field="total", value=900)
        m.act("office.set_field", record="invoices", id=invoice["id"], field="balance", value=900)
        days(m, "2026-02-05", "2026-02-10")

        assert hold_names(m) == ["supplementary"]
        assert collected(m) == 50000


def test_an_invoice_that_grew_after_it_was_paid_is_charged_for_the_remainder(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None, **FREE) as m:
        id = charged(m)
        grow(m, id, 620)
        days(m, "2026-02-04", "2026-02-05")

        assert debits(m)[f"connectwise:{id}/2026-02-01/1"] == [12000]
        assert only(bills(m, id))["balance"] == 0
        assert only(bills(m, id))["payments"] == 620
        assert m.reconcile().ties


def test_an_invoice_that_grew_twice_is_charged_for_each_remainder(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None, **FREE) as m:
        id = charged(m)
        grow(m, id, 620)
        days(m, "2026-02-04", "2026-02-05")
        grow(m, id, 700)
        days(m, "2026-02-06", "2026-02-07")

        assert [debits(m)[f"connectwise:{id}/2026-02-01/{n}"] for n in (1, 2)] == [[12000], [8000]]
        assert only(bills(m, id))["balance"] == 0
        assert m.reconcile().ties


def test_money_that_went_back_is_not_collected_again_as_an_addition(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, **FREE) as m:
        id = charged(m)
        m.act("stripe.refund", payment_intent=only(m.ledger()).payment, intent="cancel_payment")
        days(m, "2026-02-04", "2026-02-05", "2026-02-10")

        assert debits(m) == {f"connectwise:{id}/2026-02-01": [50000]}
        assert len(at_stripe(m)) == 1


def test_an_invoice_made_again_for_the_same_amount_makes_no_addition(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, **FREE) as m:
        id = charged(m)
        m.act("office.delete_invoice", invoice=bills(m, id)[-1]["id"])
        m.act("office.create_invoices", through="2026-02-01", dated="2026-02-01")
        days(m, "2026-02-04", "2026-02-05", "2026-02-06")

        assert debits(m) == {f"connectwise:{id}/2026-02-01": [50000]}


def test_an_invoice_made_again_for_more_is_charged_for_the_difference(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None, **FREE) as m:
        id = charged(m)
        m.act("office.delete_invoice", invoice=bills(m, id)[-1]["id"])
        m.act("office.set_field", record="agreements", id=id, field="billAmount", value=600)
        m.act("office.create_invoices", through="2026-02-01", dated="2026-02-01")
        days(m, "2026-02-04", "2026-02-05", "2026-02-06", "2026-02-07")

        assert debits(m)[f"connectwise:{id}/2026-02-01/1"] == [10000]
        assert only(bills(m, id))["balance"] == 0
        assert m.reconcile().ties


def test_after_a_restart_an_addition_is_the_same_charge_and_has_one_draft(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = charged(m)
        addition(m, id)
        days(m, "2026-02-04")
        before = supplement(m, id)
        m.restart()
        days(m, "2026-02-05", "2026-02-06")

        assert supplement(m, id).psa_invoice == before.psa_invoice
        assert supplement(m, id).gateway_invoice == before.gateway_invoice
        assert len(at_stripe(m)) == 2
        assert len(m.charges()) == 2


def test_an_addition_that_could_be_the_coming_bill_is_charged_when_that_one_has_come(tmp_path: Path) -> None:
    """Dated three weeks before the next bill date: until then nobody can tell."""
    with msp(tmp_path, agreements=0, **FREE) as m:
        id = m.sign_up()
        days(m, "2026-02-02", "2026-02-08")
        invoice = addition(m, id)
        days(m, "2026-02-20")
        assert debits(m) == {f"connectwise:{id}/2026-02-01": [50000]}
        days(m, "2026-03-02", "2026-03-03")

        assert debits(m)[f"connectwise:{id}/2026-02-01/1"] == [round(invoice["total"] * 100)]
        assert debits(m)[f"connectwise:{id}/2026-03-01"] == [64900]


def test_an_addition_billed_days_after_the_periods_bill_does_not_hold_the_regular_charge(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, charging={"invoice_early_days": 10}) as m:
        id = m.sign_up(terms="Net 15")
        days(m, "2026-02-02", "2026-02-08")
        addition(m, id)
        days(m, "2026-02-17", "2026-02-18")

        assert debits(m) == {f"connectwise:{id}/2026-02-01": [50000]}
        assert hold_names(m) == ["supplementary"]


def test_an_addition_keeps_its_invoice_while_the_payer_is_opted_out(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = charged(m)
        grow(m, id, 620)
        days(m, "2026-02-04")
        autopay(m, id, "No")
        days(m, "2026-02-05")
        autopay(m, id, "Yes")
        days(m, "2026-02-06", "2026-02-07")

        assert hold_names(m) == ["supplementary"]
        assert [charge.id for charge in m.charges()] == [f"connectwise:{id}/2026-02-01", f"connectwise:{id}/2026-02-01/1"]
        assert collected(m) == 50000


def test_an_addition_is_in_the_forecast_and_in_the_explanation_of_its_period(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = charged(m)
        grow(m, id, 620)
        days(m, "2026-02-04")
        rows = forecast.forecast(m.agent.desk, days=40).rows
        said = explain.explain(m.agent.desk, str(id), period=date(2026, 2, 10))

        assert [(row.charge, row.amount.minor) for row in rows if row.supplementary] == [(supplement(m, id).id, 12000)]
        assert [row.period.start.month for row in rows if not row.supplementary] == [3]
        assert said.amount.minor == 50000
        assert [charge.psa_number for charge in said.supplements] == [bills(m, id)[0]["invoiceNumber"]]
        assert explain.explain(m.agent.desk, str(id)).period.start == date(2026, 3, 1)


def test_in_autotask_an_addition_that_a_cheque_paid_in_part_leaves_nothing_waiting_when_its_invoice_is_paid(
    tmp_path: Path,
) -> None:
    """Autotask cannot hold the cheque: what it paid looks as if it were billed once more, and is not debited."""
    with msp(tmp_path, psa="autotask", agreements=0, **FREE) as m:
        id = m.sign_up_in_autotask()
        days(m, "2026-02-01", "2026-02-02")
        m.act(
            "office.sell",
            contract=id,
            product=m.act("office.add_service", name="Care", price="100.00", taxed=False),
            starts="2026-02-03",
        )
        m.act("office.set_automatic", on=False)
        m.act("office.create_invoices", through="2026-02-03", due_days=2)
        m.act("office.export")
        number = m.psa_invoices()[-1]["invoiceNumber"]
        m.act("quickbooks.enter_payment", customer_name="Contoso Dental", amount="33.33", number=number)
        days(m, "2026-02-05")
        held = only([charge.id for charge in m.charges(ChargeState.HELD)])
        overrule.overrule(m.agent.desk, held, who="Ann", why="the cheque is right")
        days(m, "2026-02-06", "2026-02-07", "2026-02-08")

        assert collected(m) == 50000 + 9286 - 3333
        assert m.psa_invoices()[-1]["paidDate"]
        assert (at_stripe(m, "draft", "open"), m.holds()) == ([], [])
        assert m.reconcile().ties


def test_what_is_billed_in_addition_after_the_subscription_ended_is_told_until_it_is_paid_otherwise(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = charged(m)
        m.act("office.end_agreement", agreement=id, on="2026-02-28")
        days(m, "2026-02-20", "2026-03-02")
        grow(m, id, 620)
        days(m, "2026-03-05")
        held = only(m.holds())
        m.act("office.record_payment", invoice=only(bills(m, id))["id"], amount="120.00")
        days(m, "2026-03-06")
        with m.agent.store.read() as tx:
            told = [row.why for row in audit.every(tx) if row.what == f"ended charge {held.charge}"]

        assert (held.charge, held.name) == (f"connectwise:{id}/2026-02-01/1", "no_subscription")
        assert (m.holds(), m.charge(held.charge).state) == ([], ChargeState.WRITTEN_OFF)
        assert told == ["invoice 10401 has nothing open in the PSA any more"]
        assert (collected(m), m.reconcile().ties) == (50000, True)
