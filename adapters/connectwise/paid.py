"""What an invoice's payments should be so that it shows what we collected. Pure; see psa.md 3.4.

Whether ConnectWise holds one payment per invoice or many is not settled by what it publishes. So our money stands in
one row that is changed to the total so far, which is right in both cases; only where that row can no longer be changed
(it is in a general ledger batch) is the difference added beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

from adapters.connectwise import wire
from connector.errors import Rejected
from connector.model.invoice import PsaInvoice
from connector.model.money import Money, total

SAME_PAYMENT = timedelta(days=5)  # a payment entered by hand may be dated by the bank's day instead of ours


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """How a row is remembered in our links: `302` is ours; `302+5000` is ours and carries 5000 minor units of someone
    else's (ConnectWise held one payment only), `302+5000~2000` also 2000 that were entered by hand for our money;
    `adopted:301` was entered by hand and stands for our money as a whole."""

    id: int
    carried: int = 0
    stands: int = 0
    adopted: bool = False

    def __str__(self) -> str:
        if self.adopted:
            return f"adopted:{self.id}"
        carried = f"+{self.carried}" if self.carried else ""
        return f"{self.id}{carried}" + (f"~{self.stands}" if self.stands else "")

    @classmethod
    def parse(cls, text: str) -> Self:
        head, _, rest = text.rpartition(":")
        rest, _, stands = rest.partition("~")
        id, _, carried = rest.partition("+")
        return cls(id=int(id), carried=int(carried or 0), stands=int(stands or 0), adopted=head == "adopted")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One payment on the invoice. `ours`: what of it we wrote; `adopted`: what was entered by hand for our money;
    `foreign`: the rest."""

    payment: wire.Payment
    ours: Money
    adopted: Money
    foreign: Money

    @property
    def mine(self) -> bool:
        return bool(self.ours)

    @property
    def whole(self) -> Money:
        return self.ours + self.adopted + self.foreign

    @property
    def locked(self) -> bool:
        return bool(self.payment.batch) or self.payment.sync_status == "Synced"

    @property
    def token(self) -> Token | None:
        """None for a row in which nothing is ours."""
        if self.adopted and not self.ours and not self.foreign:
            return Token(id=self.payment.id, adopted=True)
        if not self.ours and not self.adopted:
            return None
        return Token(id=self.payment.id, carried=self.foreign.minor, stands=self.adopted.minor)


@dataclass(frozen=True, kw_only=True, slots=True)
class Add:
    amount: Money


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    row: Row
    to: Money  # of the whole row, 0 deletes it


Write = Add | Change


@dataclass(frozen=True, kw_only=True, slots=True)
class Sums:
    """`ours` was written by us, `adopted` entered by hand for our money, `foreign` is someone else's."""

    ours: Money
    adopted: Money
    foreign: Money

    @property
    def all(self) -> Money:
        return self.ours + self.adopted + self.foreign


def rows(payments: Iterable[wire.Payment], own: Iterable[str], currency: str) -> list[Row]:
    """The payments (credit memos apart), with our share of each by what we remember."""
    tokens = {token.id: token for token in (Token.parse(text) for text in own if not text.startswith("asked:"))}
    return [_row(payment, tokens.get(payment.id), currency) for payment in payments if payment.credit is None]


def _row(payment: wire.Payment, token: Token | None, currency: str) -> Row:
    amount, nothing = Money.from_major(payment.amount, currency), Money.zero(currency)
    if token is None:
        return Row(payment=payment, ours=nothing, adopted=nothing, foreign=amount)
    if token.adopted:
        return Row(payment=payment, ours=nothing, adopted=amount, foreign=nothing)
    foreign = _least(Money(token.carried, currency), amount)
    adopted = _least(Money(token.stands, currency), amount - foreign)
    return Row(payment=payment, ours=amount - foreign - adopted, adopted=adopted, foreign=foreign)


def _least(first: Money, second: Money) -> Money:
    return min(first, second, key=lambda money: money.minor)


def claim(found: Sequence[Row], missing: Money, dated: date, *, member: str, open_: Money) -> list[Row]:
    """A row of exactly the missing amount stands for our money though we do not remember it.

    Recorded by our API member on that day it is ours: the answer to our write was lost. Entered by someone else around
    that day it is adopted, but only where the invoice has no room for ours (`open_`) any more: what fits beside a cheque
    is another payment, whatever its amount.
    """
    if missing.minor <= 0:
        return list(found)
    candidates = [row for row in found if not row.ours and not row.adopted and row.foreign == missing]
    for row in candidates:
        if member and row.payment.applied_by.strip().casefold() == member.casefold() and row.payment.payment_date == dated:
            return _taken(found, row, Row(payment=row.payment, ours=row.foreign, adopted=row.adopted, foreign=row.ours))
    for row in candidates if missing > open_ else ():
        if row.payment.payment_date is not None and abs(row.payment.payment_date - dated) <= SAME_PAYMENT:
            return _taken(found, row, Row(payment=row.payment, ours=row.ours, adopted=row.foreign, foreign=row.adopted))
    return list(found)


def _taken(found: Sequence[Row], row: Row, now: Row) -> list[Row]:
    return [now if other is row else other for other in found]


def sums(found: Iterable[Row], currency: str) -> Sums:
    found = list(found)
    return Sums(
        ours=total((row.ours for row in found), currency),
        adopted=total((row.adopted for row in found), currency),
        foreign=total((row.foreign for row in found), currency),
    )


def wanted(invoice: PsaInvoice, collected: Money, now: Sums) -> Money:
    """What our rows should come to: what we collected, but never more than the invoice leaves for us.

    Someone who enters too much beside our payment does not make us take ours back.
    """
    ours = _not_negative(collected - now.adopted)
    room = _not_negative(invoice.total - invoice.credits - now.adopted - now.foreign)
    if ours <= room:
        return ours
    kept = now.ours if now.ours <= ours else ours
    return room if room >= kept else kept


def _not_negative(amount: Money) -> Money:
    return amount if amount.minor > 0 else Money.zero(amount.currency)


def writes(found: Sequence[Row], target: Money, invoice: PsaInvoice) -> list[Write]:
    """How our rows come to `target`. Rejected when money must be taken back from rows that cannot be changed."""
    mine = [row for row in found if row.mine]
    difference = target - total((row.ours for row in mine), target.currency)
    if difference.minor == 0:
        return []
    free = [row for row in mine if not row.locked]
    if difference.minor > 0:
        return [Change(row=free[-1], to=free[-1].whole + difference)] if free else [Add(amount=difference)]
    return _lowered(free, -difference, invoice)


def _lowered(free: Sequence[Row], excess: Money, invoice: PsaInvoice) -> list[Write]:
    result: list[Write] = []
    left = excess
    for row in reversed(free):
        if left.minor <= 0:
            break
        taken = row.ours if row.ours <= left else left
        result.append(Change(row=row, to=row.whole - taken))
        left = left - taken
    if left.minor > 0:
        raise Rejected(
            f"invoice {invoice.number} (id {invoice.id}): {excess} must be taken back, but {left} of it is recorded"
            " in payments that are in a general ledger batch and can no longer be changed. Reverse it in ConnectWise by hand.",
            code="payment_batched",
        )
    return result


def check_reversible(now: Sums, collected: Money, invoice: PsaInvoice) -> None:
    """Rejected when the money that went back was entered by hand: only our own rows are changed."""
    if now.adopted > _not_negative(collected):
        raise Rejected(
            f"invoice {invoice.number} (id {invoice.id}): only {collected} of it is collected any more, but {now.adopted}"
            " was entered there by hand. Lower or delete that payment in ConnectWise; the agent changes only its own.",
            code="entered_by_hand",
        )


def check_shown(invoice: PsaInvoice, expected: Sums) -> None:
    """Rejected, with the figures, unless the invoice shows exactly these payments: before a write, and read back after it."""
    balance = invoice.total - invoice.credits - expected.all
    if invoice.payments == expected.all and invoice.balance == balance:
        return
    raise Rejected(
        f"invoice {invoice.number} (id {invoice.id}) of {invoice.total} should show payments of {expected.all} and a balance of"
        f" {balance}, but ConnectWise shows payments of {invoice.payments}, credits of {invoice.credits} and a"
        f" balance of {invoice.balance}. Look at its payments in ConnectWise; nothing more is written until it is put right.",
        code="balance_mismatch",
    )
