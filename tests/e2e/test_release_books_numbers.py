"""Invoice numbers in the books that somebody else's invoice has, too: what another customer owes is nothing to ours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from connector.flows import books_invoices
from connector.model.agreement import Payer
from connector.model.money import Money
from connector.store import payers
from tests.e2e.charging import bills, only
from tests.e2e.msp import Msp, msp

NAME = "Contoso Dental"


def number(m: Msp, id: int) -> str:
    return str(bills(m, id)[-1]["invoiceNumber"])


def somebody_elses(m: Msp, number: str, total: str, *, name: str = "Fabrikam") -> None:
    m.act("quickbooks.enter_customer", name=name)
    m.act("quickbooks.enter_invoice", number=number, customer_name=name, dated="2026-02-01", due="2026-02-16", total=total)


def payer(m: Msp) -> Payer:
    with m.agent.store.read() as tx:
        return books_invoices.known_payer(m.agent.desk, only(payers.every(tx)).key)


def picked(m: Msp, number: str, billed: str = "500.00") -> list[str]:
    """Customers of the invoices of this number that are taken for the payer's."""
    assert m.agent.desk.books is not None
    found = m.agent.desk.books.invoices([number]).get(number, ())
    mine = books_invoices.of_payer(m.agent.desk, payer(m), found, billed=lambda: Money.from_major(billed, "USD"))
    return [customer_names(m)[invoice.customer] for invoice in mine]


def customer_names(m: Msp) -> dict[str, str]:
    return {row["Id"]: row["DisplayName"] for row in m.books("Customer")}


def billed(m: Msp) -> int:
    id = m.sign_up()
    m.to("2026-02-01", 22)
    return id


def test_of_two_invoices_with_a_number_the_payers_is_taken(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = billed(m)
        m.to("2026-02-03")
        somebody_elses(m, number(m, id), "500.00")

        assert picked(m, number(m, id)) == [NAME]


def test_the_payers_customer_is_asked_for_once(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = billed(m)
        m.to("2026-02-03")
        picked(m, number(m, id))
        m.world.requests.clear()
        picked(m, number(m, id))

        assert len(m.requests(partner="quickbooks")) == 1  # the invoices


def test_an_only_invoice_of_somebody_else_is_not_the_payers(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        billed(m)
        somebody_elses(m, "777", "500.00")
        m.to("2026-02-03")

        assert picked(m, "777") == []


def test_where_the_books_know_no_such_customer_an_only_invoice_of_the_bills_total_is_taken(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        billed(m)
        somebody_elses(m, "777", "500.00", name="CONTOSO Dental LLC")

        assert picked(m, "777", "500.00") == ["CONTOSO Dental LLC"]
        assert picked(m, "777", "499.00") == []


def test_a_customer_that_the_books_merged_into_another_is_looked_up_again(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = billed(m)
        m.to("2026-02-03")
        remembered = books_invoices.look_up(m.agent.desk, payer(m))
        with m.agent.store.begin() as tx:
            row = only(payers.every(tx))
            payers.save(tx, replace(row, books_customer="9999"), now=m.world.now)

        assert picked(m, number(m, id)) == [NAME]
        assert books_invoices.remembered(m.agent.desk, payer(m).key) == remembered
