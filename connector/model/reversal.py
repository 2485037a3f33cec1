"""What money that went back means for its invoice, and how it is entered in the books. Pure.

what went back                       the invoice               in the books
unsaid: a refund without a word      waits for a person        waits
credit: a refund, credit memo due    stays paid                debit receivable, credit where the payment went
overpaid: paid too much              stays paid                the same, taken from the unapplied rest
disputed: a bank decides             stays paid                debit disputed funds, credit where the payment went
taken_back                           open again                debit receivable (or disputed funds before), application moved off
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from connector.model.bookings import BookingLine, JournalBooking
from connector.model.ledger import EntryKind, LedgerEntry, RefundIntent, ReversalReason, ReversalStage, is_reinstated, undone
from connector.model.money import Money, total

UNDECIDED = frozenset({ReversalStage.INQUIRY, ReversalStage.OPENED, ReversalStage.UNDER_REVIEW})


class Meaning(StrEnum):
    UNSAID = "unsaid"
    CREDIT = "credit"
    OVERPAID = "overpaid"
    DISPUTED = "disputed"
    TAKEN_BACK = "taken_back"


_OF_INTENT = {
    None: Meaning.UNSAID,
    RefundIntent.CREDIT: Meaning.CREDIT,
    RefundIntent.OVERPAYMENT: Meaning.OVERPAID,
    RefundIntent.CANCEL_PAYMENT: Meaning.TAKEN_BACK,
}
_OFF_THE_INVOICE = (Meaning.OVERPAID, Meaning.TAKEN_BACK)  # what the PSA no longer shows as paid


def reason_of(entry: LedgerEntry) -> ReversalReason:
    return ReversalReason(entry.detail.partition(":")[0])


def meaning(entry: LedgerEntry, intent: RefundIntent | None, stage: ReversalStage | None, *, set_apart: bool) -> Meaning:
    """`set_apart`: disputed money has an account of its own, so that the invoice stays paid until the bank has decided.

    A returned bank debit is final at once.
    """
    waits_for_bank = set_apart and reason_of(entry) is ReversalReason.DISPUTE and stage is not None
    if waits_for_bank and stage is not ReversalStage.LOST:
        return Meaning.DISPUTED
    return _OF_INTENT[intent]


def kept(entries: Sequence[LedgerEntry], meanings: Mapping[str, Meaning], currency: str) -> Money:
    """What its invoice shows as paid by us: money in, without what was taken back. `meanings`: by key of the reversals."""
    paid = [e.amount for e in entries if e.kind is EntryKind.PAYMENT and not is_reinstated(e)]
    back = [
        e.amount
        for e in entries
        if e.kind is EntryKind.REVERSAL and meanings[e.key] in _OFF_THE_INVOICE and not undone(entries, e)
    ]
    return total(paid, currency) - total(back, currency)


def credited(entries: Sequence[LedgerEntry], meanings: Mapping[str, Meaning], currency: str) -> Money:
    """What was refunded for a credit memo that is to follow, and stayed away."""
    found = (e for e in entries if meanings.get(e.key) is Meaning.CREDIT and not undone(entries, e))
    return total((e.amount for e in found), currency)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sides:
    """Account ids; "" is the receivable account of the customer."""

    debit: str
    credit: str

    def turned(self) -> Sides:
        return Sides(debit=self.credit, credit=self.debit)


def journal(sides: Sides, amount: Money, *, customer: str, dated: date, memo: str) -> JournalBooking:
    """`customer`: id in the books, for the receivable line."""
    lines = ((sides.debit, amount), (sides.credit, -amount))
    return JournalBooking(
        dated=dated,
        memo=memo,
        lines=tuple(BookingLine(account=a, amount=m, customer="" if a else customer, memo=memo) for a, m in lines),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A payment in the books from which money can be taken off. `free`: what of it stands on no other journal."""

    id: str
    invoice: str  # id in the books; "": it is taken from the unapplied rest
    free: Money


def parts(sources: Iterable[Source], amount: Money) -> tuple[tuple[tuple[Source, Money], ...], Money]:
    """What is taken of each, in their order, and what is missing in the end."""
    found: list[tuple[Source, Money]] = []
    rest = amount
    for source in sources:
        part = min(rest, source.free, key=lambda money: money.minor)
        if part.minor > 0:
            found.append((source, part))
            rest -= part
    return tuple(found), rest
