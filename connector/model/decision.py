"""Money that went back: what each reversal means, and what people decide about a charge whose money is gone. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from connector.model.ledger import EntryKind, LedgerEntry, RefundIntent, ReversalReason, undone
from connector.model.money import Money, total

ASK_AGAIN_DAYS = 7


class ChargeDecision(StrEnum):
    """What becomes of a charge whose money went back; until somebody says so it is not collected again."""

    RECOLLECT = "recollect"  # what is owed then is collected once more, by a charge of its own
    CREDIT = "credit"  # a credit memo is expected in the PSA: nothing is owed
    WRITE_OFF = "write_off"  # nothing more is collected


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """A reversal that stands, and what it means. None: a refund about which nobody has said it."""

    entry: LedgerEntry
    intent: RefundIntent | None


def is_refund(entry: LedgerEntry) -> bool:
    """The other reversals (a dispute, a returned debit) are the bank's doing and always take the payment back."""
    return entry.kind is EntryKind.REVERSAL and entry.detail.partition(":")[0] == ReversalReason.REFUND


def standing(entries: Sequence[LedgerEntry], said: Mapping[str, RefundIntent]) -> tuple[Standing, ...]:
    """Of one charge's entries, the reversals that were not undone. `said`: by ledger key, what a refund is for."""
    reversals = [e for e in entries if e.kind is EntryKind.REVERSAL and not undone(entries, e)]
    return tuple(Standing(entry=e, intent=said.get(e.key) if is_refund(e) else RefundIntent.CANCEL_PAYMENT) for e in reversals)


def taken_back(reversals: Sequence[Standing], currency: str) -> Money:
    """What of a charge is owed again because its payment was taken back."""
    return total((r.entry.amount for r in reversals if r.intent is RefundIntent.CANCEL_PAYMENT), currency)


def unclassified(reversals: Sequence[Standing]) -> tuple[LedgerEntry, ...]:
    return tuple(r.entry for r in reversals if r.intent is None)
