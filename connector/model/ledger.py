"""What really happened: append-only entries of money that moved at the gateway."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from connector.model.invoice import MethodKind
from connector.model.money import Money, total


class EntryKind(StrEnum):
    PAYMENT = "payment"  # money in
    REVERSAL = "reversal"  # money back: refund, dispute, ACH return


class ReversalReason(StrEnum):
    REFUND = "refund"
    DISPUTE = "dispute"
    BANK_RETURN = "bank_return"


class ReversalStage(StrEnum):
    """Where a refund or a dispute stands. A dispute that a bank debit came back by is LOST at once: it is final."""

    PENDING = "pending"  # a refund on its way to the customer
    REQUIRES_ACTION = "requires_action"  # a refund that waits for the customer
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # a refund that came back
    CANCELED = "canceled"
    INQUIRY = "inquiry"  # a question of the bank, before any dispute
    OPENED = "opened"  # a dispute that waits for an answer
    UNDER_REVIEW = "under_review"  # answered; the bank decides
    WON = "won"  # or closed without a loss
    LOST = "lost"


class RefundIntent(StrEnum):
    """What a refund is for, as told at the gateway (refund metadata `psa_connector_intent`) or by a person."""

    CREDIT = "credit"  # a credit memo is expected: the invoice stays paid
    OVERPAYMENT = "overpayment"  # money that was paid too much goes back
    CANCEL_PAYMENT = "cancel_payment"  # the payment is taken back: the invoice is open again


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayPayment:
    """One payment, read again at the gateway (never taken from an event). Keyed on the invoice payment, not the invoice.

    `moved_back`: whether any of it may have gone back, so that its reversals are worth reading.
    """

    id: str  # the gateway's invoice payment
    invoice: str  # the gateway's invoice
    payment: str  # the gateway's payment (payment intent), for look-ups and reversals
    amount: Money
    fee: Money | None  # None until the gateway tells it
    paid_at: datetime  # aware, UTC
    method: MethodKind
    method_last4: str = ""
    moved_back: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayReversal:
    """A refund, a dispute or a returned debit as it stands now. `id` is the gateway's refund or dispute.

    `moved`: the money is away just now. Not so for an inquiry, a refund that failed or waits, a dispute that was won.
    """

    id: str
    payment: str
    amount: Money
    reason: ReversalReason
    detail: str
    reversed_at: datetime
    stage: ReversalStage = ReversalStage.SUCCEEDED
    status: str = ""  # the gateway's word for the stage
    moved: bool = True
    fee: Money | None = None  # what the gateway charged for it and has not given back; None while it has not said
    intent: str = ""  # a RefundIntent, or "": nobody has said what this refund is for
    method: str = ""  # of a dispute or returned debit: the gateway's payment method that was debited
    on_open_dispute: bool = False  # a refund of a payment that a dispute also takes back: the customer may be paid twice


@dataclass(frozen=True, kw_only=True, slots=True)
class LedgerEntry:
    """`key` is unique: kind and the gateway's id. `on` is the company's date. Never changed after it is written."""

    key: str
    kind: EntryKind
    charge: str
    payer: str
    invoice: str  # the gateway's invoice
    payment: str  # the gateway's payment
    amount: Money  # positive; the kind tells the direction
    fee: Money | None
    method: MethodKind
    detail: str
    at: datetime
    on: date


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayEvent:
    """A hint that something happened to an object. Unordered, repeated, sometimes missing: read the object again."""

    id: str
    type: str
    created: datetime
    invoice: str = ""
    payment: str = ""  # payment intent
    customer: str = ""
    subscription: str = ""
    object_id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class EventPage:
    """Events after the cursor, oldest first. `lost` is true when the cursor is older than what the gateway keeps."""

    events: tuple[GatewayEvent, ...]
    cursor: str
    lost: bool = False


# An entry is never changed: a reversal that did not stand (a dispute won, a refund that came back) is followed by one more
# payment entry, under a key that names the reversal.


def payment_key(id: str) -> str:
    return f"payment:{id}"


def reversal_key(id: str) -> str:
    return f"reversal:{id}"


def reinstated_key(reversal: str) -> str:
    """`reversal` is the key of the reversal's entry."""
    return f"reinstated:{reversal.removeprefix('reversal:')}"


def is_reinstated(entry: LedgerEntry) -> bool:
    return entry.key.startswith("reinstated:")


def net(entries: Iterable[LedgerEntry], currency: str) -> Money:
    """Money in less money back."""
    return total((e.amount if e.kind is EntryKind.PAYMENT else -e.amount for e in entries), currency)


def went_back(entries: Iterable[LedgerEntry], currency: str) -> Money:
    """Money back that stayed there."""
    back = [e for e in entries if e.kind is EntryKind.REVERSAL or is_reinstated(e)]
    return -net(back, currency)


def undone(entries: Iterable[LedgerEntry], reversal: LedgerEntry) -> bool:
    return any(entry.key == reinstated_key(reversal.key) for entry in entries)


def reversed_payment(entries: Sequence[LedgerEntry], reversal: LedgerEntry) -> LedgerEntry | None:
    """The payment entry that a reversal takes back: the latest of its payment before it. `entries` in the order written."""
    found: LedgerEntry | None = None
    for entry in entries:
        if entry.key == reversal.key:
            return found
        if entry.kind is EntryKind.PAYMENT and entry.payment == reversal.payment:
            found = entry
    return found
