"""What every adapter for books must do. Inherit `BooksContract`, supply the fixtures `books` and `office`, and run pytest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Protocol

import pytest

from connector.errors import OutcomeUnknown, Rejected
from connector.model.agreement import Payer
from connector.model.invoice import BooksInvoice, BooksPayment, MethodKind
from connector.model.money import Money
from connector.ports import Books, WriteKey


class BooksOffice(Protocol):
    """The other side of the books: what a bookkeeper does there, and what is seen there. Amounts are in USD."""

    def enter_customer(self, name: str) -> str:
        """The customer's id."""

    def enter_invoice(self, number: str, customer_name: str, total: str) -> str:
        """A second one of the same number is possible. The invoice's id."""

    def enter_payment(self, customer_name: str, amount: str, number: str | None = None) -> str:
        """A cheque, on that invoice or on none. The payment's id."""

    def enter_credit_memo(self, customer_name: str, amount: str) -> None: ...

    def void_invoice(self, number: str) -> None: ...

    def delete_invoice(self, number: str) -> None: ...

    def delete_payment(self, id: str) -> None: ...

    def deposit(self, payment_ids: Sequence[str]) -> None: ...

    def balance(self, invoice_id: str) -> Decimal: ...

    def payments(self) -> int:
        """How many there are, voided ones not counted."""

    def lose_next_reply(self) -> None:
        """The next write is done, and its answer never arrives."""


def usd(amount: str) -> Money:
    return Money.from_major(amount, "USD")


def key(value: str = "payment/inpay_1", *, attempt: int = 1) -> WriteKey:
    return WriteKey(value=value, since=datetime(2026, 1, 5, 9, 0, tzinfo=UTC), attempt=attempt)


def payment(customer: str, invoice: str, amount: str, *, applied: str | None = None) -> BooksPayment:
    return BooksPayment(
        customer=customer,
        invoice=invoice,
        applied=usd(amount if applied is None else applied),
        amount=usd(amount),
        dated=date(2026, 1, 5),
        method=MethodKind.CARD,
        memo="payment/inpay_1 pi_3PQRstuvwxyz0123456789AB in_1ABC",
    )


def payer(name: str, *, books_id: str = "", books_name: str = "") -> Payer:
    return Payer(psa="connectwise", id="77", name=name, books_id=books_id, books_name=books_name)


class BooksContract:
    """Plain inheritance; a fixture `books` (the adapter) and a fixture `office` (a BooksOffice) on the same company."""

    @pytest.fixture
    def acme(self, office: BooksOffice) -> str:
        return office.enter_customer("Acme")

    @pytest.fixture
    def bill(self, office: BooksOffice, acme: str) -> str:  # noqa: ARG002 - the customer has to be there first
        return office.enter_invoice("1001", "Acme", "100.00")

    def invoice(self, books: Books, number: str = "1001") -> BooksInvoice:
        return books.invoices([number])[number][0]

    # Reading.

    def test_it_answers(self, books: Books) -> None:
        books.ping()

        assert books.name

    def test_an_invoice_is_found_by_its_number(self, books: Books, acme: str, bill: str) -> None:
        found = books.invoices(["1001", "1002"])

        assert list(found) == ["1001"]
        assert (found["1001"][0].id, found["1001"][0].customer) == (bill, acme)
        assert (found["1001"][0].total, found["1001"][0].balance) == (usd("100"), usd("100"))

    def test_invoices_that_share_a_number_are_all_shown(self, books: Books, office: BooksOffice, acme: str, bill: str) -> None:
        other = office.enter_customer("Other")
        second = office.enter_invoice("1001", "Other", "7")

        found = books.invoices(["1001"])["1001"]

        assert {(invoice.id, invoice.customer) for invoice in found} == {(bill, acme), (second, other)}

    @pytest.mark.usefixtures("bill")
    def test_a_paid_invoice_is_shown_and_a_voided_one_is_not(self, books: Books, office: BooksOffice) -> None:
        office.enter_payment("Acme", "100.00", "1001")
        office.enter_invoice("1002", "Acme", "5")
        office.void_invoice("1002")

        found = books.invoices(["1001", "1002"])

        assert list(found) == ["1001"]
        assert not found["1001"][0].balance

    @pytest.mark.usefixtures("acme")
    def test_many_numbers_are_asked_for_at_once(self, books: Books, office: BooksOffice) -> None:
        numbers = [f"B-{number}" for number in range(250)]
        for number in numbers:
            office.enter_invoice(number, "Acme", "1")

        assert sorted(books.invoices(numbers)) == sorted(numbers)

    def test_a_customer_is_found_by_id_or_name(self, books: Books, office: BooksOffice, acme: str) -> None:
        awkward = office.enter_customer("O'Neil \\ Sons")

        assert books.customer(payer("whatever", books_id=acme)) == acme
        assert books.customer(payer("Acme")) == acme
        assert books.customer(payer("Neil", books_name="O'Neil \\ Sons")) == awkward
        assert books.customer(payer("Nobody")) is None

    # Appending.

    def test_a_payment_is_written_applied_and_found_by_its_key(
        self, books: Books, office: BooksOffice, acme: str, bill: str
    ) -> None:
        written = books.post(payment(acme, bill, "100.00"), key=key())

        assert books.find(key()) == written
        assert (written.amount, written.unapplied, written.invoice, written.customer) == (usd("100"), usd("0"), bill, acme)
        assert not written.deposited
        assert office.balance(bill) == 0

    def test_nothing_is_found_that_was_not_written(self, books: Books, acme: str, bill: str) -> None:
        books.post(payment(acme, bill, "40.00"), key=key("another"))

        assert books.find(key()) is None

    def test_never_more_than_the_balance_is_applied(self, books: Books, office: BooksOffice, acme: str, bill: str) -> None:
        office.enter_payment("Acme", "70.00", "1001")

        written = books.post(payment(acme, bill, "100.00"), key=key())

        assert written.unapplied == usd("70")
        assert office.balance(bill) == 0

    def test_a_payment_belongs_to_the_invoices_customer(self, books: Books, office: BooksOffice, acme: str, bill: str) -> None:
        other = office.enter_customer("Other")

        written = books.post(payment(other, bill, "100.00"), key=key())

        assert written.customer == acme
        assert office.balance(bill) == 0

    def test_a_payment_for_an_invoice_that_is_gone_is_refused(
        self, books: Books, office: BooksOffice, acme: str, bill: str
    ) -> None:
        office.delete_invoice("1001")

        with pytest.raises(Rejected):
            books.post(payment(acme, bill, "100.00"), key=key())

        assert office.payments() == 0

    def test_a_lost_answer_is_an_unknown_outcome_that_find_resolves(
        self, books: Books, office: BooksOffice, acme: str, bill: str
    ) -> None:
        office.lose_next_reply()

        with pytest.raises(OutcomeUnknown):
            books.post(payment(acme, bill, "100.00"), key=key())

        found = books.find(key())
        assert found is not None
        assert found.amount == usd("100")
        assert office.payments() == 1

    def test_what_was_written_is_read_again_and_what_is_gone_is_missing(
        self, books: Books, office: BooksOffice, acme: str, bill: str
    ) -> None:
        kept = books.post(payment(acme, bill, "10.00"), key=key("a"))
        voided = books.post(payment(acme, bill, "10.00"), key=key("b"))
        deleted = books.post(payment(acme, bill, "10.00"), key=key("c"))
        books.void(voided.id)
        office.delete_payment(deleted.id)

        assert books.posted([kept.id, voided.id, deleted.id]) == {kept.id: kept}

    def test_a_voided_payment_is_still_found_so_that_it_is_not_written_again(self, books: Books, acme: str, bill: str) -> None:
        written = books.post(payment(acme, bill, "100.00"), key=key())
        books.void(written.id)

        found = books.find(key())

        assert found is not None
        assert (found.id, found.amount) == (written.id, usd("0"))

    # Credit.

    def test_credit_of_others_is_shown_and_ours_is_not(self, books: Books, office: BooksOffice, acme: str, bill: str) -> None:
        other = office.enter_customer("Other")
        office.enter_payment("Acme", "12.50")
        office.enter_credit_memo("Acme", "7.50")
        books.post(payment(acme, "", "30.00", applied="0"), key=key())
        office.enter_payment("Acme", "100.00", "1001")

        credit = books.unapplied([acme, other])

        assert credit[acme] == usd("20")
        assert not credit.get(other)
        assert office.balance(bill) == 0

    def test_an_unapplied_payment_is_applied_when_its_invoice_appears(self, books: Books, office: BooksOffice, acme: str) -> None:
        early = books.post(payment(acme, "", "100.00", applied="0"), key=key())
        bill = office.enter_invoice("1001", "Acme", "60.00")

        applied = books.apply(early.id, invoice=bill, amount=usd("100"))
        again = books.apply(early.id, invoice=bill, amount=usd("100"))

        assert early.unapplied == usd("100")
        assert (applied.unapplied, applied.invoice) == (usd("40"), bill)
        assert again == applied
        assert office.balance(bill) == 0
        assert office.payments() == 1

    def test_the_rest_of_a_payment_is_applied_without_losing_what_was(
        self, books: Books, office: BooksOffice, acme: str, bill: str
    ) -> None:
        written = books.post(payment(acme, bill, "100.00", applied="60"), key=key())
        second = office.enter_invoice("1002", "Acme", "25")

        applied = books.apply(written.id, invoice=second, amount=usd("40"))

        assert applied.unapplied == usd("15")
        assert [office.balance(bill), office.balance(second)] == [40, 0]

    def test_another_customers_invoice_gets_nothing(self, books: Books, office: BooksOffice, acme: str) -> None:
        early = books.post(payment(acme, "", "100.00", applied="0"), key=key())
        office.enter_customer("Other")
        foreign = office.enter_invoice("2001", "Other", "60.00")

        with pytest.raises(Rejected):
            books.apply(early.id, invoice=foreign, amount=usd("60"))

        assert office.balance(foreign) == 60

    # Taking back.

    def test_a_payment_is_voided_once(self, books: Books, office: BooksOffice, acme: str, bill: str) -> None:
        written = books.post(payment(acme, bill, "100.00"), key=key())

        books.void(written.id)
        books.void(written.id)

        assert office.balance(bill) == 100
        assert office.payments() == 0

    def test_a_payment_that_somebody_deleted_counts_as_taken_back(
        self, books: Books, office: BooksOffice, acme: str, bill: str
    ) -> None:
        written = books.post(payment(acme, bill, "100.00"), key=key())
        office.delete_payment(written.id)

        books.void(written.id)

        assert office.balance(bill) == 100

    def test_a_deposited_payment_is_not_voided(self, books: Books, office: BooksOffice, acme: str, bill: str) -> None:
        written = books.post(payment(acme, bill, "100.00"), key=key())
        office.deposit([written.id])

        with pytest.raises(Rejected) as refused:
            books.void(written.id)

        assert refused.value.code == "deposited"
        assert books.posted([written.id])[written.id].deposited
        assert office.balance(bill) == 0

    def test_a_payment_that_is_not_ours_is_left_alone(self, books: Books, office: BooksOffice, bill: str) -> None:
        cheque = office.enter_payment("Acme", "100.00", "1001")

        with pytest.raises(Rejected) as refused:
            books.void(cheque)

        assert refused.value.code == "not_ours"
        assert office.balance(bill) == 0

    # Recorded by somebody else.

    @pytest.mark.usefixtures("bill")
    def test_a_payment_recorded_by_hand_is_recognised(self, books: Books, office: BooksOffice) -> None:
        cheque = office.enter_payment("Acme", "100.00", "1001")
        bill = self.invoice(books)

        found = books.recorded_by_hand(bill, usd("100"))

        assert found is not None
        assert (found.id, found.amount, found.invoice) == (cheque, usd("100"), bill.id)
        assert books.recorded_by_hand(bill, usd("99.99")) is None
        assert books.recorded_by_hand(replace(bill, id="999999"), usd("100")) is None

    def test_our_own_payment_is_not_taken_for_one_recorded_by_hand(self, books: Books, acme: str, bill: str) -> None:
        books.post(payment(acme, bill, "100.00"), key=key())

        assert books.recorded_by_hand(self.invoice(books), usd("100")) is None
