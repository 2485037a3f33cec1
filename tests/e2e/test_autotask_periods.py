"""A service provider on Autotask: whole periods with Stripe and QuickBooks, and what Autotask can say of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from connector.model.charge import ChargeState
from connector.model.money import Money
from connector.overview import overview
from connector.serve.facts import gather
from tests.e2e.msp import Msp, cents, msp

NAME = "Contoso Dental"


def only(rows: list[Any]) -> Any:
    (row,) = rows
    return row


def usd(minor: int) -> Money:
    return Money(minor, "USD")


def collected(m: Msp) -> None:
    """February's bill is made, exported and paid."""
    m.to("2026-02-01")
    m.cycle()
    m.to("2026-02-02")
    m.cycle()


def bills(m: Msp) -> list[dict[str, Any]]:
    """The payer's own; the MSP's and others' are left out."""
    companies = m.world.partners["autotask"].state()["Companies"]
    (payer,) = [row["id"] for row in companies if row["companyName"] == NAME]
    return [row for row in m.psa_invoices() if row["companyID"] == payer]


def refund(m: Msp, amount: int) -> None:
    m.act("stripe.refund", payment_intent=only(m.stripe("payment_intent"))["id"], amount=amount, intent="cancel_payment")
    m.cycle()


def test_a_whole_period_ties_in_all_three(tmp_path: Path) -> None:
    with msp(tmp_path, psa="autotask") as m:
        m.cycle()
        m.enrol()
        m.through("2026-03-12", every_days=2)

        paid = m.charges(ChargeState.PAID)
        checked = m.reconcile()
        assert len(paid) > 5
        assert checked.ties, checked.drifts
        for charge in paid:
            (bill,) = [row for row in m.psa_invoices() if str(row["id"]) == charge.psa_invoice]
            assert charge.collected == usd(cents(bill["invoiceTotal"]))
            assert bill["paidDate"]
        written = {(row["method"], row["path"].rpartition("/")[2]) for row in m.requests(partner="autotask", writes=True)}
        assert written == {("PATCH", "Companies"), ("PATCH", "Invoices")}


def test_one_payment_is_one_paid_date_and_one_booking(tmp_path: Path) -> None:
    with msp(tmp_path, psa="autotask", agreements=0) as m:
        m.sign_up_in_autotask()
        collected(m)

        (entry,) = m.ledger()
        bill = only(bills(m))
        assert bill["paidDate"] == f"{entry.on}T00:00:00Z"
        assert cents(only(m.books("Payment"))["TotalAmt"]) == 50000
        assert m.undelivered() == []
        assert m.reconcile().ties


def test_what_went_back_in_part_clears_the_paid_date_and_is_told_as_what_autotask_cannot_hold(tmp_path: Path) -> None:
    with msp(tmp_path, psa="autotask", agreements=0) as m:
        m.sign_up_in_autotask()
        collected(m)
        refund(m, 20000)

        bill = only(bills(m))
        (drift,) = m.reconcile().drifts
        said = "300.00 USD of 500.00 USD collected; partly paid, Autotask cannot hold this"
        assert bill["paidDate"] is None
        assert (drift.kind, said in drift.message) == ("partly_paid", True)
        assert any(said in notice for notice in overview(m.agent.desk).notices)
        assert any("partly paid" in notice for notice in gather(m.agent.store, m.world.now).notices)
        assert [cents(row["Balance"]) for row in m.books("Invoice")] == [20000]
        assert m.undelivered() == []


def test_when_others_pay_the_rest_the_paid_date_is_set_and_nothing_is_told_any_more(tmp_path: Path) -> None:
    with msp(tmp_path, psa="autotask", agreements=0) as m:
        m.sign_up_in_autotask()
        collected(m)
        refund(m, 20000)
        m.act("quickbooks.enter_payment", customer_name=NAME, amount="200.00", number=only(bills(m))["invoiceNumber"])
        m.reconcile()
        m.cycle()

        bill = only(bills(m))
        assert bill["paidDate"]
        assert not [drift for drift in m.reconcile().drifts if drift.kind == "partly_paid"]
        assert not any("partly paid" in notice for notice in overview(m.agent.desk).notices)


def test_all_of_it_back_leaves_the_invoice_open_and_is_not_collected_again(tmp_path: Path) -> None:
    with msp(tmp_path, psa="autotask", agreements=0) as m:
        m.sign_up_in_autotask()
        collected(m)
        refund(m, 50000)
        m.to("2026-02-10")
        m.cycle()

        bill = only(bills(m))
        assert bill["paidDate"] is None
        assert len(m.stripe("charge")) == 1
        assert not any("partly paid" in notice for notice in overview(m.agent.desk).notices)


def test_a_paid_date_entered_before_the_due_date_stops_the_charge(tmp_path: Path) -> None:
    with msp(tmp_path, psa="autotask", agreements=0, charging={"date": "day_of_month", "day": 10}) as m:
        m.sign_up_in_autotask()
        m.to("2026-02-01")
        m.cycle()
        m.act("office.set_paid", invoice=only(bills(m))["id"])
        m.to("2026-02-11")
        m.cycle()

        assert only(m.charges()).state is ChargeState.WRITTEN_OFF
        assert m.stripe("charge") == []


def shared(m: Msp, *, group: str) -> tuple[int, int]:
    """Two contracts of one payer that Autotask puts on one invoice."""
    first = m.sign_up_in_autotask()
    company = m.act("office.add_contract", company=NAME, name="Backup", starts="2026-02-01")
    service = m.act("office.add_service", name="Backup", price="100.00", taxed=False)
    m.act("office.sell", contract=company, product=service)
    if group:
        for id in (first, company):
            m.act("office.set_udf", entity="Contracts", key=id, name="Invoice Group", value=group)
    m.cycle()
    m.act("office.set_automatic", on=False)
    m.to("2026-02-01")
    m.act("office.create_invoices", through="2026-02-01", together=True)
    m.act("office.export")
    m.cycle()
    m.to("2026-02-02")
    m.cycle()
    return first, int(company)


def test_an_invoice_of_contracts_that_are_charged_apart_is_charged_by_neither(tmp_path: Path) -> None:
    with msp(tmp_path, psa="autotask", agreements=0) as m:
        shared(m, group="")

        assert {hold.name for hold in m.holds()} == {"shared_invoice"}
        assert len(m.holds()) == 2
        assert m.stripe("charge") == []


def test_with_one_invoice_group_it_is_one_charge_of_the_whole(tmp_path: Path) -> None:
    with msp(tmp_path, psa="autotask", agreements=0) as m:
        shared(m, group="together")

        assert m.holds() == []
        assert [charge["amount"] for charge in m.stripe("charge")] == [60000]
        assert only(bills(m))["paidDate"]
        assert m.reconcile().ties


def test_a_voided_invoice_is_left_alone_and_the_payment_goes_to_the_one_in_its_place(tmp_path: Path) -> None:
    with msp(tmp_path, psa="autotask", agreements=0) as m:
        m.sign_up_in_autotask()
        m.to("2026-02-01")
        m.act("office.set_automatic", on=False)
        m.act("office.export")
        m.fault("500", "autotask", method="PATCH")
        m.cycle()
        m.to("2026-02-01", 20)
        m.cycle(1)
        old = only(bills(m))
        m.act("office.void_invoice", invoice=old["id"])
        m.act("office.create_invoices", through="2026-02-01")
        m.act("office.export")
        m.to("2026-02-03")
        m.cycle()

        voided, fresh = sorted(bills(m), key=lambda row: row["id"])
        assert (voided["isVoided"], voided["paidDate"]) == (True, None)
        assert fresh["paidDate"]
        assert len(m.stripe("charge")) == 1
