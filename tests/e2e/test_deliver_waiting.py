"""The books know the invoice later than the gateway has its money: the payment waits, then is posted, then is applied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from connector.overview import overview
from tests.e2e.msp import Msp, msp

NAME = "Contoso Dental"


def paid_before_the_export(m: Msp, *, customer: bool = True) -> None:
    """The bill is in ConnectWise, its charge is paid, and nobody exported it to the books yet."""
    m.to("2026-02-01")
    m.act("office.set_automatic", on=False)
    if customer:
        m.act("quickbooks.enter_customer", name=NAME)
    m.cycle(1)
    m.to("2026-02-01", 20)
    m.cycle(1)


def payment(m: Msp) -> dict[str, Any]:
    (row,) = [row for row in m.books("Payment") if "psa-connector" in row.get("PrivateNote", "")]
    return row


def invoice(m: Msp, number: str = "10401") -> dict[str, Any]:
    (row,) = [row for row in m.books("Invoice") if row["DocNumber"] == number]
    return row


def enter_invoice(m: Msp, number: str = "10401", *, customer: str = NAME, total: str = "500.00") -> str:
    dates = {"dated": "2026-02-01", "due": "2026-02-01"}
    return str(m.act("quickbooks.enter_invoice", number=number, customer_name=customer, total=total, **dates))


def note(m: Msp) -> str:
    (item,) = overview(m.agent.desk).on_their_way
    return item.note


def test_a_payment_waits_for_its_invoice_in_the_books_and_says_so(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        paid_before_the_export(m)

        assert m.books("Payment") == []
        assert "waits for invoice 10401" in note(m)
        assert len(m.psa_payments()) == 1
        assert all(drift.waiting for drift in m.reconcile().drifts)


def test_it_is_posted_and_applied_when_the_invoice_comes(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        paid_before_the_export(m)
        enter_invoice(m)
        m.to("2026-02-03")
        m.cycle(1)

        assert (payment(m)["UnappliedAmt"], invoice(m)["Balance"]) == (0, 0)
        assert payment(m)["TxnDate"] == "2026-02-01"
        assert m.reconcile().ties


def test_after_the_days_of_waiting_it_is_posted_as_the_customers_unapplied_payment(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        paid_before_the_export(m)
        m.to("2026-02-07")
        m.cycle(1)

        assert (payment(m)["TotalAmt"], payment(m)["UnappliedAmt"]) == (500, 500)
        assert payment(m)["CustomerRef"]["name"] == NAME
        assert "unapplied: waits for its invoice" in note(m)
        (drift,) = m.reconcile().drifts
        assert (drift.kind, drift.waiting) == ("books_unapplied", True)


def test_an_unapplied_payment_is_applied_when_the_invoice_appears(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        paid_before_the_export(m)
        m.to("2026-02-07")
        m.cycle(1)
        enter_invoice(m)
        m.to("2026-02-08")
        m.cycle(1)

        assert (payment(m)["UnappliedAmt"], invoice(m)["Balance"]) == (0, 0)
        assert m.undelivered() == []
        assert m.reconcile().ties


def test_no_more_is_applied_than_the_invoices_balance_when_a_cheque_came_first(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        paid_before_the_export(m)
        enter_invoice(m)
        m.act("quickbooks.enter_payment", customer_name=NAME, amount="200.00", number="10401")
        m.to("2026-02-03")
        m.cycle(1)

        assert (payment(m)["TotalAmt"], payment(m)["UnappliedAmt"], invoice(m)["Balance"]) == (500, 200, 0)
        (drift,) = m.reconcile().drifts
        assert (drift.kind, drift.waiting) == ("books_unapplied", False)
        assert "200.00 USD" in drift.message
        assert "refund" in drift.repair


def test_a_cheque_for_everything_leaves_our_whole_payment_as_credit_and_says_so(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        paid_before_the_export(m)
        m.to("2026-02-07")
        m.cycle(1)
        enter_invoice(m)
        m.act("quickbooks.enter_payment", customer_name=NAME, amount="500.00", number="10401")
        m.to("2026-02-08")
        m.cycle(1)

        assert (payment(m)["UnappliedAmt"], invoice(m)["Balance"]) == (500, 0)
        assert [drift.kind for drift in m.reconcile().drifts] == ["books_unapplied"]


def test_without_a_customer_in_the_books_it_waits_and_says_what_to_do(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        paid_before_the_export(m, customer=False)
        m.to("2026-02-07")
        m.cycle(1)

        assert m.books("Payment") == []
        assert f"no customer for {NAME}" in note(m)
        assert "create one" in note(m)

        m.act("quickbooks.enter_customer", name=NAME)
        m.to("2026-02-08")
        m.cycle(1)

        assert payment(m)["CustomerRef"]["name"] == NAME


def test_of_two_invoices_with_one_number_the_payers_is_paid(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        paid_before_the_export(m)
        m.act("quickbooks.enter_customer", name="Fabrikam")
        foreign = enter_invoice(m, customer="Fabrikam")
        own = enter_invoice(m)
        m.to("2026-02-03")
        m.cycle(1)

        balances = {row["Id"]: row["Balance"] for row in m.books("Invoice")}
        assert (balances[own], balances[foreign]) == (0, 500)


def test_of_two_invoices_with_one_number_of_one_customer_a_person_decides(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        paid_before_the_export(m)
        enter_invoice(m)
        second = enter_invoice(m)
        m.to("2026-02-03")
        m.cycle(1)

        assert m.books("Payment") == []
        (item,) = overview(m.agent.desk).on_their_way
        assert item.state == "parked"
        assert "2 invoices numbered 10401" in item.note
        assert any("2 invoices numbered 10401" in drift.message for drift in m.reconcile().drifts)

        assert second
        m.act("quickbooks.delete_invoice", number="10401")
        retry(m)

        assert invoice(m)["Balance"] == 0


def test_an_invoice_of_somebody_else_with_that_number_is_not_paid(tmp_path: Path) -> None:
    """The bookkeeper numbers by hand, and ours is not exported yet."""
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        paid_before_the_export(m)
        m.act("quickbooks.enter_customer", name="Fabrikam")
        enter_invoice(m, customer="Fabrikam", total="812.00")
        m.to("2026-02-03")
        m.cycle(1)

        assert invoice(m)["Balance"] == 812
        assert m.books("Payment") == []
        assert "waits for invoice 10401" in note(m)


def retry(m: Msp) -> None:
    from connector.flows.attention import retry_all

    retry_all(m.agent.desk, who="Dana")
    m.cycle(1)
