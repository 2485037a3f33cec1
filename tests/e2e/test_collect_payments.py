"""A payment at the gateway reaches the ledger, ConnectWise and QuickBooks once, with the company's date."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from connector.model.charge import ChargeState
from connector.model.invoice import MethodKind
from tests.e2e.msp import Msp, msp


def billed(m: Msp) -> None:
    """February's bill is there, exported to the books, and its charge was released."""
    m.to("2026-02-02")
    m.cycle(1)


def only(rows: list[dict[str, Any]]) -> dict[str, Any]:
    (row,) = rows
    return row


def test_a_card_payment_pays_the_connectwise_invoice_and_the_quickbooks_invoice(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        billed(m)
        m.to("2026-02-02", 20)
        m.cycle(1)

        bill, payment = only(m.psa_invoices()), only(m.psa_payments())
        assert (bill["payments"], bill["balance"]) == (Decimal(500), 0)
        assert (payment["amount"], payment["paymentDate"]) == (Decimal(500), "2026-02-02T00:00:00Z")
        in_books, invoice = only(m.books("Payment")), only(m.books("Invoice"))
        assert (in_books["TotalAmt"], in_books["UnappliedAmt"], invoice["Balance"]) == (Decimal(500), 0, 0)
        assert m.reconcile().ties


def test_a_payment_in_the_books_says_how_it_was_paid_and_where_it_came_from(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        billed(m)
        m.to("2026-02-02", 20)
        m.cycle(1)

        payment, (entry,) = only(m.books("Payment")), m.ledger()
        names = {row["Id"]: row["Name"] for row in m.books("PaymentMethod")}
        assert names[payment["PaymentMethodRef"]["value"]] == "Credit Card"
        assert payment["PaymentRefNum"]
        memo = str(payment["PrivateNote"])
        assert entry.payment in memo
        assert entry.invoice in memo
        assert str(only(m.psa_invoices())["invoiceNumber"]) in memo


def test_the_fee_stands_in_the_ledger_and_is_no_part_of_what_the_customer_paid(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        billed(m)
        m.to("2026-02-02", 20)
        m.cycle(1)

        (entry,) = m.ledger()
        (charged,) = [row for row in m.stripe("balance_transaction") if row["type"] in ("charge", "payment")]
        assert entry.amount.minor == 50000
        assert entry.fee is not None
        assert entry.fee.minor == charged["fee"] > 0


def test_a_payment_late_in_the_evening_belongs_to_that_day_in_the_psa_and_the_books(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        m.at(datetime(2026, 2, 3, 4, 20, tzinfo=UTC))  # 23:20 on the second in New York
        m.cycle(1)
        m.at(datetime(2026, 2, 3, 9, 0, tzinfo=UTC))
        m.cycle(1)

        (entry,) = m.ledger()
        assert (entry.at.day, str(entry.on)) == (3, "2026-02-02")
        assert only(m.psa_payments())["paymentDate"] == "2026-02-02T00:00:00Z"
        assert only(m.books("Payment"))["TxnDate"] == "2026-02-02"


def test_a_company_west_of_us_has_its_own_day(tmp_path: Path) -> None:
    company = {"name": "Test MSP", "time_zone": "Pacific/Honolulu", "currency": "USD"}
    with msp(tmp_path, agreements=0, company=company) as m:
        m.sign_up()
        m.at(datetime(2026, 2, 3, 9, 40, tzinfo=UTC))  # 23:40 on the second in Honolulu
        m.cycle(1)
        m.at(datetime(2026, 2, 3, 16, 0, tzinfo=UTC))
        m.cycle(1)

        assert only(m.psa_payments())["paymentDate"] == "2026-02-02T00:00:00Z"
        assert only(m.books("Payment"))["TxnDate"] == "2026-02-02"


def test_a_bank_debit_is_written_nowhere_until_it_is_settled(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up(method="us_bank_account")
        billed(m)
        m.to("2026-02-03")
        m.cycle()

        assert only(m.stripe("payment_intent"))["status"] == "processing"
        assert (m.ledger(), m.psa_payments(), m.books("Payment")) == ([], [], [])

        m.to("2026-02-10")
        m.cycle()

        (entry,) = m.ledger()
        assert entry.method is MethodKind.BANK_DEBIT
        assert only(m.psa_payments())["paymentDate"] == f"{entry.on}T00:00:00Z"
        assert only(m.books("Payment"))["TxnDate"] == str(entry.on)
        assert str(entry.on) > "2026-02-03"
        assert m.reconcile().ties


def test_a_bank_debit_that_fails_is_written_nowhere(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up(method="us_bank_account", behaviour="ach_fails")
        billed(m)
        m.to("2026-02-10")
        m.cycle()

        (charge,) = m.charges()
        assert charge.state is ChargeState.RELEASED
        assert (m.ledger(), m.psa_payments(), m.books("Payment")) == ([], [], [])


def test_collecting_and_delivering_twice_changes_nothing(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        billed(m)
        m.to("2026-02-02", 20)
        m.cycle(1)
        written = len(m.requests(writes=True))
        before = (m.psa_payments(), m.books("Payment"), m.ledger())
        m.run("collect", "deliver", "collect", "deliver")

        assert (m.psa_payments(), m.books("Payment"), m.ledger()) == before
        assert len(m.requests(writes=True)) == written


def test_only_the_payer_of_a_bill_is_named_in_the_books(tmp_path: Path) -> None:
    """Agreement 105 serves one company and bills another."""
    with msp(tmp_path, agreements=5, lines=1) as m:
        m.cycle()
        m.enrol()
        m.cycle()
        m.to("2026-02-17")
        m.cycle(1)
        m.to("2026-02-17", 22)
        m.cycle(1)

        charge = m.charge("connectwise:105/2026-02-01")
        bill = next(row for row in m.psa_invoices() if str(row["id"]) == charge.psa_invoice)
        payment = next(row for row in m.books("Payment") if charge.psa_number in row.get("PrivateNote", ""))
        assert charge.state is ChargeState.PAID
        assert bill["company"]["name"] != bill["billToCompany"]["name"]
        assert payment["CustomerRef"]["name"] == bill["billToCompany"]["name"]
