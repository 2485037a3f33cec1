"""A payment that is about to be added, remembered before it is sent: what it left is found again after a crash.

Where ConnectWise holds one payment per invoice, ours replaces what was there. What that was stands in the memory, so that
it can be put back by whoever comes after us.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from adapters.connectwise import wire
from adapters.connectwise.paid import Row, sums
from connector.model.money import Money

PREFIX = "asked:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """`before`: the rows that were there. As text: `asked:30000:301=0/0/20000` (minor units; ours, adopted, foreign)."""

    amount: Money
    before: tuple[Row, ...]

    def __str__(self) -> str:
        shares = (f"{r.payment.id}={r.ours.minor}/{r.adopted.minor}/{r.foreign.minor}" for r in self.before)
        return f"{PREFIX}{self.amount.minor}:{','.join(shares)}"

    @classmethod
    def among(cls, own: Iterable[str], currency: str) -> Self | None:
        """The one that our links remember, if its outcome is not known yet."""
        text = next((token.removeprefix(PREFIX) for token in own if token.startswith(PREFIX)), "")
        if not text:
            return None
        minor, _, shares = text.partition(":")
        rows = tuple(_row(share, currency) for share in shares.split(",") if share)
        return cls(amount=Money(int(minor), currency), before=rows)

    def left_behind(self, payments: Iterable[wire.Payment], *, member: str) -> wire.Payment | None:
        """The row that it left. None: not there (yet), or not to be told apart from what somebody else entered meanwhile."""
        payments = [payment for payment in payments if payment.credit is None]
        new = [p for p in payments if p.id not in {row.payment.id for row in self.before} and self._fits(p, payments)]
        ours = [p for p in new if member and p.applied_by.strip().casefold() == member.casefold()]
        found = ours or new  # a member that was configured wrongly must not make us send twice
        return found[0] if len(found) == 1 else None

    def _fits(self, payment: wire.Payment, payments: Sequence[wire.Payment]) -> bool:
        """As it was sent, or already with what it replaced put back into it."""
        gone = sums(self.lost(payments), self.amount.currency).all
        return Money.from_major(payment.amount, self.amount.currency) in (self.amount, self.amount + gone)

    def lost(self, payments: Iterable[wire.Payment]) -> tuple[Row, ...]:
        there = {payment.id for payment in payments}
        return tuple(row for row in self.before if row.payment.id not in there)


def _row(share: str, currency: str) -> Row:
    id, _, minor = share.partition("=")
    ours, adopted, foreign = (Money(int(part), currency) for part in minor.split("/"))
    whole = (ours + adopted + foreign).major
    return Row(payment=wire.Payment(id=int(id), amount=Decimal(whole)), ours=ours, adopted=adopted, foreign=foreign)
