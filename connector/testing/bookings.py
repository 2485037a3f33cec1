"""What every adapter for books must do besides payments. Inherit `BookingsContract` too, and supply the same fixtures.

Bookings, moving a payment off its invoice, what accounts hold, refused dates, and what changed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Protocol

import pytest

from connector.errors import OutcomeUnknown, Rejected
from connector.model.bookings import (
    AccountKind,
    BookingKind,
    BookingLine,
    BooksChange,
    ChangedKind,
    DepositBooking,
    JournalBooking,
    Receivable,
    TransferBooking,
)
from connector.model.invoice import Posted
from connector.ports import Books, WriteKey
from connector.testing.books import BooksOffice, payment, usd
from connector.testing.books import key as key_of

DAY = date(2026, 1, 5)


class BookingsOffice(BooksOffice, Protocol):
    """The bookkeeper once more. Amounts are in USD; the company's day is 2026-01-05 when a test begins."""

    @property
    def accounts(self) -> dict[str, str]:
        """Ids of the accounts bank, clearing, disputed, fees, receivable and undeposited; they begin empty."""

    def held(self, account: str) -> Decimal:
        """Debits less credits, just now."""

    def owed(self, customer: str) -> Decimal: ...

    def bookings(self) -> int:
        """Journals, transfers and deposits, whoever made them."""

    def delete_booking(self, id: str) -> None: ...

    def take_out_of_deposit(self, payment: str) -> None: ...

    def deactivate_account(self, account: str) -> None: ...

    def deactivate_customer(self, name: str) -> None: ...

    def close_books(self, through: date) -> None: ...

    def now(self) -> datetime: ...

    def pass_time(self, by: timedelta) -> None: ...

    def lose_next_booking_reply(self) -> None: ...


def key(value: str = "payout/po_1", *, attempt: int = 1) -> WriteKey:
    return key_of(value, attempt=attempt)


class BookingsContract:
    """Plain inheritance; a fixture `books` (the adapter) and a fixture `office` (a BookingsOffice) on the same company."""

    @pytest.fixture
    def acme(self, office: BookingsOffice) -> str:
        return office.enter_customer("Acme")

    @pytest.fixture
    def bill(self, office: BookingsOffice, acme: str) -> str:  # noqa: ARG002 - the customer has to be there first
        return office.enter_invoice("1001", "Acme", "100.00")

    def fee(self, office: BookingsOffice, amount: str = "3.20", *, dated: date = DAY) -> JournalBooking:
        lines = (
            BookingLine(account=office.accounts["fees"], amount=usd(amount), memo="fee of ch_1"),
            BookingLine(account=office.accounts["clearing"], amount=-usd(amount)),
        )
        return JournalBooking(dated=dated, memo="fees of 5 January", lines=lines)

    def came_back(self, office: BookingsOffice, customer: str, amount: str) -> JournalBooking:
        lines = (
            BookingLine(account="", amount=usd(amount), customer=customer),
            BookingLine(account=office.accounts["clearing"], amount=-usd(amount)),
        )
        return JournalBooking(dated=DAY, memo="returned by the bank", lines=lines)

    def transfer(self, office: BookingsOffice, amount: str = "96.80") -> TransferBooking:
        return TransferBooking(
            from_account=office.accounts["clearing"],
            to_account=office.accounts["bank"],
            amount=usd(amount),
            dated=DAY,
            memo="payout po_1",
        )

    def deposit(self, office: BookingsOffice, *payments: str, fee: str = "3.20", total: str) -> DepositBooking:
        lines = (BookingLine(account=office.accounts["fees"], amount=usd(fee)),) if fee else ()
        return DepositBooking(
            to_account=office.accounts["bank"], payments=payments, lines=lines, total=usd(total), dated=DAY, memo="payout po_1"
        )

    def paid(self, books: Books, customer: str, bill: str, amount: str, *, into: str = "", name: str = "inpay_1") -> Posted:
        return books.post(replace(payment(customer, bill, amount), deposit_to=into), key=key(name))

    # Bookings.

    def test_a_journal_debits_and_credits(self, books: Books, office: BookingsOffice) -> None:
        made = books.book(self.fee(office), key=key())

        assert (made.kind, made.dated, made.amount) == (BookingKind.JOURNAL, DAY, usd("3.20"))
        assert office.held(office.accounts["fees"]) == Decimal("3.20")
        assert office.held(office.accounts["clearing"]) == Decimal("-3.20")

    def test_a_transfer_moves_money(self, books: Books, office: BookingsOffice) -> None:
        made = books.book(self.transfer(office), key=key())

        assert (made.kind, made.amount) == (BookingKind.TRANSFER, usd("96.80"))
        assert office.held(office.accounts["bank"]) == Decimal("96.80")
        assert office.held(office.accounts["clearing"]) == Decimal("-96.80")

    def test_a_deposit_takes_its_payments_out_of_undeposited_funds(
        self, books: Books, office: BookingsOffice, acme: str, bill: str
    ) -> None:
        first = self.paid(books, acme, bill, "60", name="a")
        second = self.paid(books, acme, bill, "40", name="b")

        made = books.book(self.deposit(office, first.id, second.id, total="96.80"), key=key())

        assert made.amount == usd("96.80")
        assert office.held(office.accounts["bank"]) == Decimal("96.80")
        assert office.held(office.accounts["fees"]) == Decimal("3.20")
        assert office.held(office.accounts["undeposited"]) == 0
        assert {posted.deposit for posted in books.posted([first.id, second.id]).values()} == {made.id}

    def test_a_booking_of_every_kind_is_found_by_its_key_alone(
        self, books: Books, office: BookingsOffice, acme: str, bill: str
    ) -> None:
        posted = self.paid(books, acme, bill, "100", name="a")
        made = [
            books.book(self.fee(office), key=key("fees/2026-01-05")),
            books.book(self.transfer(office), key=key("payout/po_1")),
            books.book(self.deposit(office, posted.id, total="96.80"), key=key("payout/po_10")),
        ]

        found = [books.find_booking(key(name)) for name in ("fees/2026-01-05", "payout/po_1", "payout/po_10")]

        assert found == made
        assert books.find_booking(key("payout/po_100")) is None

    @pytest.mark.parametrize("kind", ["journal", "transfer"])
    def test_a_lost_answer_to_a_booking_is_resolved_by_find(self, books: Books, office: BookingsOffice, kind: str) -> None:
        office.lose_next_booking_reply()

        with pytest.raises(OutcomeUnknown):
            books.book(self.fee(office) if kind == "journal" else self.transfer(office), key=key())

        assert books.find_booking(key()) is not None
        assert office.bookings() == 1

    def test_bookings_are_read_again_and_what_is_gone_is_missing(self, books: Books, office: BookingsOffice) -> None:
        kept = books.book(self.fee(office), key=key("a"))
        deleted = books.book(self.fee(office), key=key("b"))
        moved = books.book(self.transfer(office), key=key("c"))
        office.delete_booking(deleted.id)

        assert books.booked([kept.id, deleted.id, moved.id, "nonsense"]) == {kept.id: kept, moved.id: moved}
        assert books.find_booking(key("b")) is None

    def test_a_booking_is_taken_back_once(self, books: Books, office: BookingsOffice) -> None:
        made = [books.book(self.fee(office), key=key("a")), books.book(self.transfer(office), key=key("b"))]

        for booked in made * 2:
            books.unbook(booked.id)

        assert office.bookings() == 0
        assert [office.held(office.accounts[name]) for name in ("bank", "clearing", "fees")] == [0, 0, 0]

    def test_a_deposit_that_is_taken_back_leaves_its_payments_undeposited(
        self, books: Books, office: BookingsOffice, acme: str, bill: str
    ) -> None:
        posted = self.paid(books, acme, bill, "100")
        made = books.book(self.deposit(office, posted.id, total="96.80"), key=key())

        books.unbook(made.id)

        assert not books.posted([posted.id])[posted.id].deposited
        assert office.held(office.accounts["undeposited"]) == 100

    def test_a_booking_of_others_is_left_alone(self, books: Books, office: BookingsOffice, acme: str, bill: str) -> None:
        posted = self.paid(books, acme, bill, "100")
        office.deposit([posted.id])
        by_hand = books.posted([posted.id])[posted.id].deposit

        with pytest.raises(Rejected) as refused:
            books.unbook(by_hand)

        assert refused.value.code == "not_ours"
        assert books.booked([by_hand])[by_hand].amount == usd("100")

    def test_money_on_a_customers_receivable_is_their_debt(self, books: Books, office: BookingsOffice, acme: str) -> None:
        books.book(self.came_back(office, acme, "25"), key=key())

        assert office.owed(acme) == 25
        assert office.held(office.accounts["receivable"]) == 25

    # Deposits that are not what they seem.

    def test_a_payment_deposited_by_hand_is_not_deposited_again(
        self, books: Books, office: BookingsOffice, acme: str, bill: str
    ) -> None:
        posted = self.paid(books, acme, bill, "100")
        office.deposit([posted.id])

        with pytest.raises(Rejected) as refused:
            books.book(self.deposit(office, posted.id, total="96.80"), key=key())

        assert refused.value.code == "not_undeposited"
        assert office.bookings() == 1
        assert office.held(office.accounts["bank"]) == 100

    def test_payments_that_went_elsewhere_or_are_gone_are_named(
        self, books: Books, office: BookingsOffice, acme: str, bill: str
    ) -> None:
        elsewhere = self.paid(books, acme, bill, "40", into=office.accounts["clearing"], name="a")
        gone = self.paid(books, acme, bill, "60", name="b")
        books.void(gone.id)

        with pytest.raises(Rejected, match=rf"{elsewhere.id} .*{gone.id} ") as refused:
            books.book(self.deposit(office, elsewhere.id, gone.id, total="96.80"), key=key())

        assert refused.value.code == "not_undeposited"
        assert office.bookings() == 0

    def test_a_deposit_that_is_not_the_bank_line_to_the_cent_is_refused(
        self, books: Books, office: BookingsOffice, acme: str, bill: str
    ) -> None:
        posted = self.paid(books, acme, bill, "100")

        with pytest.raises(Rejected) as refused:
            books.book(self.deposit(office, posted.id, total="96.81"), key=key())

        assert refused.value.code == "deposit_differs"
        assert office.bookings() == 0

    def test_a_payment_taken_out_of_its_deposit_can_be_voided(
        self, books: Books, office: BookingsOffice, acme: str, bill: str
    ) -> None:
        first = self.paid(books, acme, bill, "60", name="a")
        second = self.paid(books, acme, bill, "40", name="b")
        books.book(self.deposit(office, first.id, second.id, total="96.80"), key=key())

        office.take_out_of_deposit(first.id)
        books.void(first.id)

        assert office.balance(bill) == 60
        assert books.posted([first.id, second.id]).keys() == {second.id}

    # Where payments go, and off an invoice again.

    def test_a_payment_goes_to_the_account_that_it_names(
        self, books: Books, office: BookingsOffice, acme: str, bill: str
    ) -> None:
        clearing = office.accounts["clearing"]

        posted = self.paid(books, acme, bill, "100", into=clearing)

        assert (posted.account, posted.dated) == (clearing, DAY)
        assert office.held(clearing) == 100
        assert office.held(office.accounts["undeposited"]) == 0

    def test_a_payment_that_came_back_lets_its_invoice_age_again(
        self, books: Books, office: BookingsOffice, acme: str, bill: str
    ) -> None:
        posted = self.paid(books, acme, bill, "100", into=office.accounts["clearing"])
        journal = books.book(self.came_back(office, acme, "100"), key=key())

        moved = books.unapply(posted.id, invoice=bill, to=journal.id, amount=usd("100"))
        again = books.unapply(posted.id, invoice=bill, to=journal.id, amount=usd("100"))

        assert moved == again
        assert (moved.invoice, moved.unapplied, moved.amount) == ("", usd("0"), usd("100"))
        assert moved.moved == {journal.id: usd("100")}
        assert office.balance(bill) == 100
        assert office.owed(acme) == 100
        assert office.held(office.accounts["clearing"]) == 0

    def test_two_parts_of_a_payment_come_back_one_after_the_other(
        self, books: Books, office: BookingsOffice, acme: str, bill: str
    ) -> None:
        posted = self.paid(books, acme, bill, "100", into=office.accounts["clearing"])
        for number, part in enumerate(("30", "45")):
            journal = books.book(self.came_back(office, acme, part), key=key(f"re_{number}"))
            books.unapply(posted.id, invoice=bill, to=journal.id, amount=usd(part))

        assert sorted(part.minor for part in books.posted([posted.id])[posted.id].moved.values()) == [3000, 4500]
        assert office.balance(bill) == 75
        assert office.owed(acme) == 75
        assert books.posted([posted.id])[posted.id].unapplied == usd("0")

    def test_what_is_unapplied_is_moved_where_the_invoice_has_too_little(
        self, books: Books, office: BookingsOffice, acme: str, bill: str
    ) -> None:
        office.enter_payment("Acme", "70.00", "1001")
        posted = self.paid(books, acme, bill, "100", into=office.accounts["clearing"])
        journal = books.book(self.came_back(office, acme, "100"), key=key())

        moved = books.unapply(posted.id, invoice=bill, to=journal.id, amount=usd("100"))

        assert moved.unapplied == usd("0")
        assert office.balance(bill) == 30
        assert office.owed(acme) == 30

    def test_a_payment_that_somebody_applied_elsewhere_is_not_moved(
        self, books: Books, office: BookingsOffice, acme: str, bill: str
    ) -> None:
        posted = self.paid(books, acme, bill, "100", into=office.accounts["clearing"])
        other = office.enter_invoice("1002", "Acme", "100")
        journal = books.book(self.came_back(office, acme, "100"), key=key())

        with pytest.raises(Rejected) as refused:
            books.unapply(posted.id, invoice=other, to=journal.id, amount=usd("100"))

        assert refused.value.code == "applied_elsewhere"
        assert office.balance(bill) == 0

    def test_a_payment_that_a_journal_took_back_is_not_voided_as_well(
        self, books: Books, office: BookingsOffice, acme: str, bill: str
    ) -> None:
        posted = self.paid(books, acme, bill, "100", into=office.accounts["clearing"])
        journal = books.book(self.came_back(office, acme, "30"), key=key())
        books.unapply(posted.id, invoice=bill, to=journal.id, amount=usd("30"))

        with pytest.raises(Rejected) as refused:
            books.void(posted.id)

        assert refused.value.code == "moved"
        assert office.owed(acme) == 30

    def test_a_return_that_was_undone_is_taken_back_and_the_payment_applied_again(
        self, books: Books, office: BookingsOffice, acme: str, bill: str
    ) -> None:
        posted = self.paid(books, acme, bill, "100", into=office.accounts["clearing"])
        journal = books.book(self.came_back(office, acme, "100"), key=key())
        books.unapply(posted.id, invoice=bill, to=journal.id, amount=usd("100"))

        books.unbook(journal.id)
        applied = books.apply(posted.id, invoice=bill, amount=usd("100"))

        assert (applied.invoice, applied.unapplied) == (bill, usd("0"))
        assert office.balance(bill) == 0
        assert office.owed(acme) == 0
        assert office.held(office.accounts["clearing"]) == 100

    # Refused.

    def test_a_closed_date_is_refused_with_the_first_open_day(
        self, books: Books, office: BookingsOffice, acme: str, bill: str
    ) -> None:
        assert books.closed_until() is None
        office.close_books(DAY)

        with pytest.raises(Rejected, match="2026-01-06") as journal:
            books.book(self.fee(office), key=key())
        with pytest.raises(Rejected, match="2026-01-06") as paid:
            self.paid(books, acme, bill, "100")
        later = books.book(self.fee(office, dated=DAY + timedelta(days=1)), key=key())

        assert (journal.value.code, paid.value.code) == ("closed_period", "closed_period")
        assert books.closed_until() == DAY
        assert later.dated == date(2026, 1, 6)
        assert (office.bookings(), office.payments()) == (1, 0)

    def test_payments_wait_for_their_deposit_in_the_books_own_account(self, books: Books, office: BookingsOffice) -> None:
        assert books.undeposited_funds() == office.accounts["undeposited"]

    def test_an_inactive_account_is_named(self, books: Books, office: BookingsOffice) -> None:
        office.deactivate_account(office.accounts["fees"])

        with pytest.raises(Rejected, match=office.accounts["fees"]) as refused:
            books.book(self.fee(office), key=key())

        assert refused.value.code == "inactive_account"
        assert office.bookings() == 0

    def test_an_inactive_customer_is_named(self, books: Books, office: BookingsOffice, acme: str) -> None:
        office.deactivate_customer("Acme")

        with pytest.raises(Rejected, match="Acme") as refused:
            books.book(self.came_back(office, acme, "25"), key=key())

        assert refused.value.code == "inactive_customer"
        assert office.bookings() == 0

    def test_a_payment_of_an_inactive_customer_is_refused_with_the_name(
        self, books: Books, office: BookingsOffice, acme: str, bill: str
    ) -> None:
        office.deactivate_customer("Acme")

        with pytest.raises(Rejected, match="Acme") as refused:
            self.paid(books, acme, bill, "100")

        assert refused.value.code == "inactive_customer"
        assert office.payments() == 0

    # What accounts say.

    def test_accounts_are_read_with_kind_currency_and_balance(self, books: Books, office: BookingsOffice) -> None:
        books.book(self.transfer(office, "10"), key=key())
        ids = office.accounts

        found = books.accounts([*ids.values(), "no such account"])

        assert {name: found[id].kind for name, id in ids.items()} == {
            "bank": AccountKind.BANK,
            "clearing": AccountKind.BANK,
            "disputed": AccountKind.OTHER_CURRENT_ASSET,
            "fees": AccountKind.EXPENSE,
            "receivable": AccountKind.RECEIVABLE,
            "undeposited": AccountKind.UNDEPOSITED_FUNDS,
        }
        assert len(found) == len(ids)
        assert (found[ids["bank"]].balance, found[ids["bank"]].currency) == (usd("10"), "USD")

    def test_an_inactive_account_is_shown_as_such(self, books: Books, office: BookingsOffice) -> None:
        office.deactivate_account(office.accounts["disputed"])

        assert not books.accounts([office.accounts["disputed"]])[office.accounts["disputed"]].active

    def test_balances_are_those_of_the_end_of_the_day(self, books: Books, office: BookingsOffice) -> None:
        books.book(self.fee(office, "3.20"), key=key("a"))
        books.book(self.fee(office, "1.00", dated=DAY + timedelta(days=1)), key=key("b"))
        wanted = [office.accounts[name] for name in ("clearing", "fees", "bank")]

        today, tomorrow = (books.account_balances(wanted, on=DAY + timedelta(days=days)) for days in (0, 1))

        assert list(today.values()) == [usd("-3.20"), usd("3.20"), usd("0")]
        assert list(tomorrow.values()) == [usd("-4.20"), usd("4.20"), usd("0")]

    def test_receivables_are_those_of_the_end_of_the_day(
        self, books: Books, office: BookingsOffice, acme: str, bill: str
    ) -> None:
        office.enter_customer("Other")
        self.paid(books, acme, bill, "40")

        assert books.receivables(on=DAY - timedelta(days=1)) == {acme: Receivable(customer=acme, name="Acme", amount=usd("100"))}
        assert books.receivables(on=DAY) == {acme: Receivable(customer=acme, name="Acme", amount=usd("60"))}

    # What changed.

    def test_what_was_made_changed_and_removed_is_told(self, books: Books, office: BookingsOffice, acme: str, bill: str) -> None:
        kept = self.paid(books, acme, bill, "10", name="a")
        deleted = self.paid(books, acme, bill, "10", name="b")
        journal = books.book(self.fee(office), key=key())
        removed = books.book(self.transfer(office), key=key("t"))
        office.delete_payment(deleted.id)
        office.delete_booking(removed.id)
        office.deactivate_customer("Acme")

        told = books.changes(office.now() - timedelta(hours=1))

        expected = {
            BooksChange(kind=ChangedKind.PAYMENT, id=kept.id, gone=False),
            BooksChange(kind=ChangedKind.PAYMENT, id=deleted.id, gone=True),
            BooksChange(kind=ChangedKind.INVOICE, id=bill, gone=False),
            BooksChange(kind=ChangedKind.JOURNAL, id=journal.id, gone=False),
            BooksChange(kind=ChangedKind.TRANSFER, id=removed.id, gone=True),
            BooksChange(kind=ChangedKind.CUSTOMER, id=acme, gone=True),
        }
        assert not told.lost
        assert set(told.changes) == expected

    def test_nothing_is_told_twice_for_ever(self, books: Books, office: BookingsOffice) -> None:
        office.enter_customer("Acme")
        office.pass_time(timedelta(hours=1))
        first = books.changes(office.now() - timedelta(hours=2))
        office.pass_time(timedelta(hours=1))

        second = books.changes(first.until)

        assert first.changes
        assert second.changes == ()
        assert second.until > first.until

    def test_what_lies_too_far_back_is_lost(self, books: Books, office: BookingsOffice) -> None:
        told = books.changes(office.now() - timedelta(days=31))

        assert told.lost
        assert told.until > office.now() - timedelta(days=1)
