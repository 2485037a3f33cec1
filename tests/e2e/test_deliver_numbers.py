"""A number in the books that somebody else's invoice has, with the same total: our payment is not theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.msp import Msp, msp
from tests.e2e.test_deliver_waiting import NAME, enter_invoice, invoice, note, paid_before_the_export, payment


def somebody_elses(m: Msp, total: str = "500.00") -> str:
    m.act("quickbooks.enter_customer", name="Fabrikam")
    return enter_invoice(m, customer="Fabrikam", total=total)


def test_another_customers_invoice_of_our_number_and_total_is_not_paid(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        paid_before_the_export(m)
        somebody_elses(m)
        m.to("2026-02-03")
        m.cycle(1)

        assert m.books("Payment") == []
        assert invoice(m)["Balance"] == 500
        assert "waits for invoice 10401" in note(m)


def test_ours_is_paid_when_it_comes_beside_theirs(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        paid_before_the_export(m)
        theirs = somebody_elses(m)
        m.to("2026-02-03")
        m.cycle(1)
        ours = enter_invoice(m)
        m.to("2026-02-03", 22)
        m.cycle(1)

        assert {row["Id"]: row["Balance"] for row in m.books("Invoice")} == {theirs: 500, ours: 0}
        assert payment(m)["CustomerRef"]["name"] == NAME


def test_a_customer_that_was_merged_into_another_is_looked_up_again(tmp_path: Path) -> None:
    """The number that was remembered for the payer is nobody's any more."""
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        m.to("2026-02-02")
        m.cycle(1)
        m.act("quickbooks.enter_customer", name="Contoso Holding")
        m.act("quickbooks.merge_customers", keep="Contoso Holding", gone=NAME)
        m.act("quickbooks.rename_customer", old="Contoso Holding", new=NAME)
        m.to("2026-02-02", 20)
        m.cycle(1)

        assert (invoice(m)["Balance"], payment(m)["CustomerRef"]["name"]) == (0, NAME)


@pytest.mark.parametrize(("total", "balance"), [("500.00", 0), ("812.00", 812)])
def test_where_the_books_know_no_such_customer_the_total_decides(tmp_path: Path, total: str, balance: int) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        paid_before_the_export(m, customer=False)
        m.act("quickbooks.enter_customer", name="Contoso Dental Group LLP")
        enter_invoice(m, customer="Contoso Dental Group LLP", total=total)
        m.to("2026-02-03")
        m.cycle(1)

        assert invoice(m)["Balance"] == balance


def test_the_check_names_another_customers_invoice_of_our_number(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        paid_before_the_export(m)
        theirs = somebody_elses(m)
        m.to("2026-02-03")
        m.cycle(1)

        drifts = {drift.kind: drift for drift in m.reconcile().drifts}
        assert set(drifts) == {"books_other_customer", "books_payment_missing"}
        assert "invoice 10401" in drifts["books_other_customer"].message
        assert "another customer" in drifts["books_other_customer"].message
        assert theirs


def test_another_customers_invoice_beside_ours_is_no_mismatch(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        m.to("2026-02-02")
        m.cycle(1)
        somebody_elses(m)
        m.to("2026-02-02", 20)
        m.cycle(1)

        assert m.reconcile().ties
