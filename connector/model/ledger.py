"""What really happened: append-only entries of money that moved at the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from connector.model.invoice import MethodKind
from connector.model.money import Money


class EntryKind(StrEnum):
    PAYMENT = "payment"  # money in
    REVERSAL = "reversal"  # money back: refund, dispute, ACH return


class ReversalReason(StrEnum):
    REFUND = "refund"
    DISPUTE = "dispute"
    BANK_RETURN = "bank_return"


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayPayment:
    """One payment, read again at the gateway (never taken from an event). Keyed on the invoice payment, not the invoice."""

    id: str  # the gateway's invoice payment
    invoice: str  # the gateway's invoice
    payment: str  # the gateway's payment (payment intent), for look-ups and reversals
    amount: Money
    fee: Money | None  # None until the gateway tells it
    paid_at: datetime  # aware, UTC
    method: MethodKind
    method_last4: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayReversal:
    """Money that moved back. `id` is the gateway's refund or dispute."""

    id: str
    payment: str
    amount: Money
    reason: ReversalReason
    detail: str
    reversed_at: datetime


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
