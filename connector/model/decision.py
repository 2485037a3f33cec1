"""What people decide after money came back."""

from __future__ import annotations

from enum import StrEnum


class ChargeDecision(StrEnum):
    """What becomes of a charge whose money went back; until somebody says so it is not collected again."""

    RECOLLECT = "recollect"  # what is owed then is collected once more, by a charge of its own
    CREDIT = "credit"  # a credit memo is expected in the PSA: nothing is owed
    WRITE_OFF = "write_off"  # nothing more is collected
