"""A payout as one deposit of exactly its payments, with what was kept back or added on the way. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from connector.model.bookings import BookingLine, DepositBooking, JournalBooking
from connector.model.money import Money, total


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """How one line of a payout is entered: as payments that wait for their deposit, or else its gross against an account."""

    gross: Money  # signed as the gateway's balance moves
    fee: Money
    payments: Mapping[str, Money] = field(default_factory=dict)  # ids of posted payments, and what each was posted with
    account: str = ""
    memo: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ends:
    """Ids of accounts."""

    bank: str
    fees: str
    undeposited: str


def deposit(parts: Iterable[Part], amount: Money, ends: Ends, *, dated: date, memo: str) -> DepositBooking | JournalBooking:
    """`amount` is what the bank shows; money that was fetched from there (less than nothing) is a journal.

    ValueError when the parts do not come to it.
    """
    kept = tuple(parts)
    payments = {id: money for part in kept for id, money in part.payments.items()}
    lines = tuple(_lines(kept, ends, amount.currency))
    taken = total(payments.values(), amount.currency)
    if taken - total((line.amount for line in lines), amount.currency) != amount:
        raise ValueError(f"payments of {taken} and {len(lines)} other lines do not come to {amount}")
    if amount.minor >= 0:
        return DepositBooking(to_account=ends.bank, payments=tuple(payments), lines=lines, total=amount, dated=dated, memo=memo)
    out = tuple(BookingLine(account=ends.undeposited, amount=-money, memo=f"Payment {id}") for id, money in payments.items())
    return JournalBooking(dated=dated, memo=memo, lines=(BookingLine(account=ends.bank, amount=amount), *out, *lines))


def _lines(parts: tuple[Part, ...], ends: Ends, currency: str) -> Iterable[BookingLine]:
    """The fees in one line, everything else line by line: an accountant compares them with the gateway's own list."""
    fees = total((part.fee for part in parts), currency)
    if fees:
        yield BookingLine(account=ends.fees, amount=fees, memo="Gateway fees")
    for part in parts:
        if not part.payments and part.gross:
            yield BookingLine(account=part.account, amount=-part.gross, memo=part.memo)
