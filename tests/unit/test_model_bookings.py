"""A booking that does not balance cannot be made."""

from __future__ import annotations

from datetime import date

import pytest

from connector.model.bookings import (
    BookingKind,
    BookingLine,
    DepositBooking,
    JournalBooking,
    TransferBooking,
    kind_of,
)
from connector.model.money import MixedCurrency, Money

DAY = date(2026, 1, 5)


def line(cents: int, *, account: str = "93", customer: str = "", currency: str = "USD") -> BookingLine:
    return BookingLine(account=account, amount=Money(cents, currency), customer=customer)


def journal(*lines: BookingLine) -> JournalBooking:
    return JournalBooking(dated=DAY, memo="", lines=lines)


def deposit(cents: int, *lines: BookingLine, payments: tuple[str, ...] = ("1",)) -> DepositBooking:
    return DepositBooking(to_account="35", payments=payments, lines=lines, total=Money(cents, "USD"), dated=DAY, memo="")


def test_the_amount_of_a_journal_is_its_debits() -> None:
    booking = journal(line(290), line(30), line(-320))

    assert booking.amount == Money(320, "USD")
    assert kind_of(booking) is BookingKind.JOURNAL


@pytest.mark.parametrize("lines", [(), (line(5),), (line(5), line(-4)), (line(5), line(5), line(-5))])
def test_a_journal_balances(lines: tuple[BookingLine, ...]) -> None:
    with pytest.raises(ValueError, match="debits and credits"):
        journal(*lines)


def test_a_journal_has_one_currency() -> None:
    with pytest.raises(MixedCurrency):
        journal(line(5), line(-5, currency="CAD"))


def test_a_line_has_an_amount_and_an_account_or_a_customer() -> None:
    with pytest.raises(ValueError, match="no amount"):
        line(0)
    with pytest.raises(ValueError, match="neither an account nor a customer"):
        line(5, account="")

    assert line(5, account="", customer="7").customer == "7"


@pytest.mark.parametrize("cents", [0, -1])
def test_a_transfer_goes_one_way(cents: int) -> None:
    with pytest.raises(ValueError, match="turn the two accounts round"):
        TransferBooking(from_account="93", to_account="35", amount=Money(cents, "USD"), dated=DAY, memo="")


def test_a_deposit_is_of_something_and_never_less_than_nothing() -> None:
    with pytest.raises(ValueError, match="less than nothing"):
        deposit(-1)
    with pytest.raises(ValueError, match="nothing"):
        deposit(0, payments=())

    assert deposit(0, line(100)).amount == Money(0, "USD")
