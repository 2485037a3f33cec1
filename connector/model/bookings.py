"""What is entered in the books besides payments: journals, transfers, deposits; and what they answer about accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from connector.model.money import Money, total


class AccountKind(StrEnum):
    BANK = "bank"
    UNDEPOSITED_FUNDS = "undeposited_funds"
    RECEIVABLE = "receivable"
    OTHER_CURRENT_ASSET = "other_current_asset"
    CURRENT_LIABILITY = "current_liability"
    CREDIT_CARD = "credit_card"
    EQUITY = "equity"
    INCOME = "income"
    EXPENSE = "expense"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True, slots=True)
class BooksAccount:
    """An account of the books. `balance` is today's, as a debit, for assets; of other kinds it is not to be relied on."""

    id: str
    name: str
    kind: AccountKind
    currency: str
    active: bool
    balance: Money


@dataclass(frozen=True, kw_only=True, slots=True)
class BookingLine:
    """`amount` is a debit of the account when it is positive, a credit when it is negative. Never nothing.

    `account` "" stands for the receivable account, and then `customer` is needed: it is that customer's debt.
    """

    account: str
    amount: Money
    customer: str = ""  # id in the books
    memo: str = ""

    def __post_init__(self) -> None:
        if not self.amount:
            raise ValueError("a line of a booking has no amount")
        if not self.account and not self.customer:
            raise ValueError("a line of a booking names neither an account nor a customer")


class BookingKind(StrEnum):
    JOURNAL = "journal"
    TRANSFER = "transfer"
    DEPOSIT = "deposit"


@dataclass(frozen=True, kw_only=True, slots=True)
class JournalBooking:
    """Lines in one currency whose sum is nothing."""

    dated: date  # the company's
    memo: str
    lines: tuple[BookingLine, ...]

    def __post_init__(self) -> None:
        if len(self.lines) < 2 or total((line.amount for line in self.lines), self.lines[0].amount.currency):
            raise ValueError("the debits and credits of a journal are not the same")

    @property
    def amount(self) -> Money:
        """All debits."""
        zero = Money.zero(self.lines[0].amount.currency)
        return total((line.amount for line in self.lines if line.amount > zero), zero.currency)


@dataclass(frozen=True, kw_only=True, slots=True)
class TransferBooking:
    """Money that goes from one account of the company to another. `amount` is more than nothing."""

    from_account: str
    to_account: str
    amount: Money
    dated: date
    memo: str

    def __post_init__(self) -> None:
        if self.amount.minor <= 0:
            raise ValueError(f"a transfer of {self.amount}: turn the two accounts round")


@dataclass(frozen=True, kw_only=True, slots=True)
class DepositBooking:
    """Payments out of undeposited funds that reached a bank together, with what was kept back or added on the way.

    `lines` are signed as everywhere: a fee is a debit (positive) and makes the deposit smaller. `total` is what the bank
    shows, and never less than nothing: the books refuse that (it is a journal then).
    """

    to_account: str
    payments: tuple[str, ...]  # ids of posted payments
    lines: tuple[BookingLine, ...]
    total: Money
    dated: date
    memo: str

    def __post_init__(self) -> None:
        if self.total.minor < 0:
            raise ValueError(f"a deposit of {self.total}: it cannot be less than nothing")
        if not self.payments and not self.lines:
            raise ValueError("a deposit of nothing")

    @property
    def amount(self) -> Money:
        return self.total


Booking = JournalBooking | TransferBooking | DepositBooking


def kind_of(booking: Booking) -> BookingKind:
    match booking:
        case JournalBooking():
            return BookingKind.JOURNAL
        case TransferBooking():
            return BookingKind.TRANSFER
        case DepositBooking():
            return BookingKind.DEPOSIT


@dataclass(frozen=True, kw_only=True, slots=True)
class Booked:
    """A booking as the books hold it. `id` names the kind too, so that it can be looked up by itself."""

    id: str
    kind: BookingKind
    dated: date
    amount: Money  # all debits of a journal, what a transfer moves, a deposit's total


@dataclass(frozen=True, kw_only=True, slots=True)
class Receivable:
    """What one customer owes, unapplied money and credit memos taken off; less than nothing is their credit."""

    customer: str  # id in the books
    name: str
    amount: Money


class ChangedKind(StrEnum):
    PAYMENT = "payment"
    INVOICE = "invoice"
    CREDIT_MEMO = "credit_memo"
    CUSTOMER = "customer"
    JOURNAL = "journal"
    TRANSFER = "transfer"
    DEPOSIT = "deposit"


@dataclass(frozen=True, kw_only=True, slots=True)
class BooksChange:
    """Somebody (we too) made, changed or removed this record. `id` is as in `Posted`, `BooksInvoice` or `Booked`."""

    kind: ChangedKind
    id: str
    gone: bool  # deleted; or a customer who was made inactive, as a merge does with the one that is given up


@dataclass(frozen=True, kw_only=True, slots=True)
class BooksChanges:
    """Hints, in no order: read the record again. Ask next time with `until`; what lies near it is told twice.

    `lost`: there may have been more than is told (asked too late, or too much at once): look at everything that matters.
    """

    changes: tuple[BooksChange, ...]
    until: datetime
    lost: bool
