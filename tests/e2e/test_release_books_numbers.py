"""Invoice numbers in the books that somebody else's invoice has, too: what another customer owes is nothing to ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from connector.flows import books_invoices, release
from connector.model.agreement import Payer
from connector.model.money import Money
from connector.store import payers
from tests.e2e.charging import at_stripe, bills, debits, hold_names, only
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


# The charge itself


def waits(m: Msp, **agreement: str) -> int:
    """February's invoice is due on the 16th and in the books."""
    id = m.sign_up(**{"terms": "Net 15", **agreement})
    m.to("2026-02-03")
    m.cycle(1)
    return id


def test_a_paid_invoice_of_another_customer_neither_holds_nor_lowers_the_charge(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = waits(m)
        somebody_elses(m, number(m, id), "120.00")
        m.to("2026-02-17")
        m.cycle(1)

        assert m.holds() == []
        assert debits(m) == {f"connectwise:{id}/2026-02-01": [50000]}


def test_unapplied_credit_of_another_customer_with_the_same_number_holds_nothing(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = waits(m)
        somebody_elses(m, number(m, id), "500.00")
        m.act("quickbooks.enter_payment", customer_name="Fabrikam", amount="50.00")
        m.to("2026-02-17")
        m.cycle(1)

        assert debits(m) == {f"connectwise:{id}/2026-02-01": [50000]}


def test_an_invoice_that_another_customer_paid_does_not_void_a_charge_that_is_retried(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = waits(m, behaviour="decline")
        m.to("2026-02-17")
        m.cycle(1)
        m.to("2026-02-17", 22)
        somebody_elses(m, number(m, id), "300.00")
        m.act("quickbooks.enter_payment", customer_name="Fabrikam", amount="300.00")
        m.cycle()

        invoice = only(at_stripe(m))
        assert (invoice["status"], invoice["amount_remaining"]) == ("open", 50000)


def test_a_round_in_which_nothing_changed_asks_the_books_no_more_for_it(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, charging={"cap_per_charge": 400}) as m:
        waits(m)
        m.to("2026-02-17")
        m.cycle(1)
        m.world.requests.clear()
        m.run("release")

        assert hold_names(m) == ["cap"]
        assert len(m.requests(partner="quickbooks")) == 3  # the invoice; unapplied payments and credit memos


# Read again just before the money moves


def in_a_long_round(m: Msp, meanwhile: Callable[[], object]) -> None:
    """One round of release that takes long: ten minutes pass, and something happens, before it comes to the drafts."""
    done: list[bool] = []

    def progress(what: str, _done: int, _of: int) -> None:
        if what == "drafts" and not done:
            done.append(True)
            m.at(m.world.now + timedelta(minutes=10))
            meanwhile()

    desk = m.agent.desk
    release.release(replace(desk, settings=replace(desk.settings, progress=progress)))


def test_a_cheque_entered_in_the_books_during_a_long_round_holds_the_charge(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = waits(m)
        m.to("2026-02-17")
        m.run("mirror")
        in_a_long_round(m, lambda: m.act("quickbooks.enter_payment", customer_name=NAME, amount="500.00", number=number(m, id)))

        assert hold_names(m) == ["balances_differ"]
        assert debits(m) == {}


def test_what_is_retried_is_compared_with_the_books_as_they_are_at_the_end_of_a_long_round(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up("Fabrikam", terms="Net 30")  # its draft waits
        retried = waits(m, behaviour="decline")
        m.to("2026-02-17")
        m.cycle(1)
        m.to("2026-02-17", 22)
        m.cycle(1)
        in_a_long_round(
            m, lambda: m.act("quickbooks.enter_payment", customer_name=NAME, amount="200.00", number=number(m, retried))
        )

        charge = m.charge(f"connectwise:{retried}/2026-02-01")
        assert only([i for i in at_stripe(m) if i["id"] == charge.gateway_invoice])["amount_remaining"] == 30000
