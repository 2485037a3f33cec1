"""What the agent can do about a difference by itself, once a person has said so. Everything else a person mends. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MendKind(StrEnum):
    DELIVER = "deliver"  # the target is looked at again, and what is missing there is written
    ENTER_AGAIN = "enter_again"  # what we had entered was removed: it is entered once more
    REPLACE = "replace"  # what we had entered was changed: it is voided, and entered as it was
    BOOK_AGAIN = "book_again"  # the booking of a payout, or of a day's fees, was removed: it is booked once more


@dataclass(frozen=True, kw_only=True, slots=True)
class Mend:
    """`keys`: ledger keys, or for BOOK_AGAIN the booking's name. `record`: its id at the target until now."""

    kind: MendKind
    target: str  # the beginning of a delivery's target: psa, books
    keys: tuple[str, ...]
    record: str = ""
