"""Journals, transfers and deposits as QuickBooks takes them and shows them. Pure.

Written by hand: the library's objects send defaults that QuickBooks refuses (a detail on lines that take a payment) or that
change the booking (tax, exchange rate).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from adapters.quickbooks import wire
from adapters.quickbooks.translate import MAX_NOTE, marker, money, reference
from connector.errors import Rejected
from connector.model.bookings import (
    Booked,
    Booking,
    BookingKind,
    BookingLine,
    BooksChange,
    ChangedKind,
    DepositBooking,
    JournalBooking,
    TransferBooking,
)
from connector.model.invoice import Posted
from connector.model.money import total
from connector.ports import WriteKey

Body = dict[str, Any]
ENTITY = {BookingKind.JOURNAL: "JournalEntry", BookingKind.TRANSFER: "Transfer", BookingKind.DEPOSIT: "Deposit"}
RECORD: Mapping[BookingKind, type[wire.Entry]] = {
    BookingKind.JOURNAL: wire.JournalEntry,
    BookingKind.TRANSFER: wire.Transfer,
    BookingKind.DEPOSIT: wire.Deposit,
}

CHANGED = {
    "Payment": ChangedKind.PAYMENT,
    "Invoice": ChangedKind.INVOICE,
    "CreditMemo": ChangedKind.CREDIT_MEMO,
    "Customer": ChangedKind.CUSTOMER,
    "JournalEntry": ChangedKind.JOURNAL,
    "Transfer": ChangedKind.TRANSFER,
    "Deposit": ChangedKind.DEPOSIT,
}
_BOOKINGS = frozenset({ChangedKind.JOURNAL, ChangedKind.TRANSFER, ChangedKind.DEPOSIT})


def mark(key: WriteKey, instance: str) -> str:
    """How our note begins. Found again by it: a transfer and a deposit have no number that could be searched for."""
    return f"{marker(instance)} {key.value} |"


def body(booking: Booking, *, key: WriteKey, instance: str, receivable: str, amounts: Mapping[str, Decimal]) -> Body:
    """`amounts`: of the payments in a deposit, by id."""
    common = {"TxnDate": booking.dated.isoformat(), "PrivateNote": f"{mark(key, instance)} {booking.memo}"[:MAX_NOTE]}
    match booking:
        case JournalBooking():
            return {**common, "DocNumber": reference(key), "Line": [_journal_line(line, receivable) for line in booking.lines]}
        case TransferBooking():
            ends = {"FromAccountRef": {"value": booking.from_account}, "ToAccountRef": {"value": booking.to_account}}
            return {**common, **ends, "Amount": booking.amount.major}
        case DepositBooking():
            taken = [_taken(id, amounts[id]) for id in booking.payments]
            lines = [*taken, *(_deposit_line(line, receivable) for line in booking.lines)]
            return {**common, "DepositToAccountRef": {"value": booking.to_account}, "Line": lines}


def accounts_of(booking: Booking) -> set[str]:
    """Ids of the accounts that it names."""
    match booking:
        case TransferBooking():
            return {booking.from_account, booking.to_account}
        case DepositBooking():
            return {booking.to_account} | {line.account for line in booking.lines if line.account}
        case JournalBooking():
            return {line.account for line in booking.lines if line.account}


def lines_of(booking: Booking) -> tuple[BookingLine, ...]:
    return () if isinstance(booking, TransferBooking) else booking.lines


def check_deposit(booking: DepositBooking, posted: Mapping[str, Posted], undeposited: str) -> None:
    """`posted`: its payments, as they are just now. Rejected, with what is wrong with which."""
    wrong = [f"{id} {_not_there(posted.get(id))}" for id in booking.payments if not _waits(posted.get(id), undeposited)]
    if wrong:
        raise Rejected(
            f"these payments are not in Undeposited Funds: {'; '.join(wrong)}. Put that right in QuickBooks (take a payment out"
            " of a deposit made by hand), or leave the deposit as it is there.",
            code="not_undeposited",
        )
    zero = booking.total - booking.total
    taken = total((posted[id].amount for id in booking.payments), zero.currency)
    kept = total((line.amount for line in booking.lines), zero.currency)
    if taken - kept != booking.total:
        raise Rejected(
            f"payments of {taken} less {kept} make {taken - kept}, the bank shows {booking.total}: a payment was changed in"
            " QuickBooks",
            code="deposit_differs",
        )


def booked(entry: wire.Entry, kind: BookingKind, currency: str) -> Booked:
    return Booked(
        id=f"{kind}:{entry.id}",
        kind=kind,
        dated=date.fromisoformat(entry.txn_date[:10]),
        amount=money(entry.total, entry.currency_ref, currency),
    )


def parsed(id: str) -> tuple[BookingKind, str] | None:
    """Kind and QuickBooks' own id; None for what is no id of a booking."""
    kind, _, number = id.partition(":")
    return (BookingKind(kind), number) if kind in set(BookingKind) and number.isdigit() else None


def changes(groups: Iterable[Mapping[str, Any]]) -> Iterator[BooksChange]:
    """`groups`: records by entity, as a CDC answer has them; of a deleted one only its id is told."""
    for group in groups:
        for name, kind in CHANGED.items():
            yield from (_change(kind, row) for row in group.get(name) or ())


def _change(kind: ChangedKind, row: Mapping[str, Any]) -> BooksChange:
    id = str(row.get("Id", ""))
    gone = row.get("status") == "Deleted" or (kind is ChangedKind.CUSTOMER and row.get("Active") is False)
    return BooksChange(kind=kind, id=f"{kind.value}:{id}" if kind in _BOOKINGS else id, gone=gone)


def _waits(payment: Posted | None, undeposited: str) -> bool:
    return payment is not None and not payment.deposited and payment.account == undeposited


def _not_there(payment: Posted | None) -> str:
    if payment is None:
        return "was deleted or voided"
    return f"is in {payment.deposit} already" if payment.deposited else f"went to account {payment.account}"


def _journal_line(line: BookingLine, receivable: str) -> Body:
    detail: Body = {"PostingType": "Debit" if line.amount.minor > 0 else "Credit", "AccountRef": _account(line, receivable)}
    if line.customer:
        detail["Entity"] = {"Type": "Customer", "EntityRef": {"value": line.customer}}
    made = {"Amount": abs(line.amount.major), "DetailType": "JournalEntryLineDetail", "JournalEntryLineDetail": detail}
    return made | ({"Description": line.memo[:MAX_NOTE]} if line.memo else {})


def _taken(payment: str, amount: Decimal) -> Body:
    """No detail: a line that names one would be taken for fresh money."""
    return {"Amount": amount, "LinkedTxn": [{"TxnId": payment, "TxnType": "Payment", "TxnLineId": "0"}]}


def _deposit_line(line: BookingLine, receivable: str) -> Body:
    """What is a debit of another account makes the deposit smaller."""
    detail: Body = {"AccountRef": _account(line, receivable)}
    if line.customer:
        detail["Entity"] = {"value": line.customer, "type": "CUSTOMER"}
    made = {"Amount": -line.amount.major, "DetailType": "DepositLineDetail", "DepositLineDetail": detail}
    return made | ({"Description": line.memo[:MAX_NOTE]} if line.memo else {})


def _account(line: BookingLine, receivable: str) -> Body:
    return {"value": line.account or receivable}
