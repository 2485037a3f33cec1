"""The gateway's balance: every movement on it, and the payouts that take it to the bank (or fetch money from there)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from connector.model.money import Money, total


class BalanceKind(StrEnum):
    CHARGE = "charge"  # a payment came in
    REFUND = "refund"
    REFUND_FAILURE = "refund_failure"  # a refund that did not reach the customer is back
    DISPUTE = "dispute"  # withdrawn for a dispute or a returned bank debit
    DISPUTE_REVERSAL = "dispute_reversal"  # given back: the dispute was won
    FEE = "fee"  # the gateway's own bill: fees, network costs, tax on them; not what it withheld from a payment
    ADJUSTMENT = "adjustment"
    RESERVE = "reserve"  # held back by the gateway (negative), or let go again
    PAYOUT = "payout"  # to the bank (negative), or from it
    PAYOUT_FAILURE = "payout_failure"  # a payout that failed or was called off is back in the balance
    TRANSFER = "transfer"  # between balances: transfers and top-ups
    OTHER = "other"  # the gateway's category is new to us: see `category`


@dataclass(frozen=True, kw_only=True, slots=True)
class BalanceLine:
    """One movement on the gateway's balance, never changed afterwards. net = amount - fee.

    `amount` and `net` are signed as the balance moves: a charge is positive, a refund and a payout negative.
    The gateway does not name the invoice here: whether a line is ours and for which invoice, the ledger tells by `payment`.
    """

    id: str
    kind: BalanceKind
    amount: Money  # gross
    fee: Money  # withheld for this movement; negative where a fee was given back (a dispute won)
    net: Money
    at: datetime  # aware, UTC
    source: str = ""  # the gateway's charge, refund, dispute or payout; "" where it names none
    payment: str = ""  # the gateway's payment (payment intent) behind the source; "" where there is none
    description: str = ""
    category: str = ""  # the gateway's own word


class PayoutState(StrEnum):
    PENDING = "pending"
    IN_TRANSIT = "in_transit"
    PAID = "paid"  # may still turn into FAILED within five business days
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True, kw_only=True, slots=True)
class Payout:
    """One transfer between the gateway's balance and the bank. `amount` is negative where the gateway took from the bank.

    Which lines it is made of is known only where it is `automatic`, and for certain only once it is `reconciled`.
    """

    id: str
    amount: Money
    state: PayoutState
    arrives: date  # the day on which the bank shows it, as the gateway expects
    created: datetime
    automatic: bool
    reconciled: bool
    failure: str = ""  # why it failed, in the gateway's words
    returned_by: str = ""  # the balance line (PAYOUT_FAILURE) that put a failed or cancelled payout back
    original: str = ""  # the payout that this one reverses
    reversed_by: str = ""  # the payout that reverses this one
    trace: str = ""  # the bank's reference, where the gateway knows it

    @property
    def stands(self) -> bool:
        """The money is at the bank or on its way there."""
        return self.state not in (PayoutState.FAILED, PayoutState.CANCELED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sums:
    """What lines come to. net = sum of the kinds - fees."""

    gross: Mapping[BalanceKind, Money]  # signed, by kind; kinds that do not occur are missing
    fees: Money  # withheld from payments, refunds and disputes; the gateway's own bills are the kind FEE
    net: Money


def sums(lines: Iterable[BalanceLine], currency: str) -> Sums:
    """MixedCurrency where a line is of another currency: a payout has one, a month end has one per currency."""
    kept = tuple(lines)
    kinds = sorted({line.kind for line in kept})
    return Sums(
        gross={kind: total((line.amount for line in kept if line.kind is kind), currency) for kind in kinds},
        fees=total((line.fee for line in kept), currency),
        net=total((line.net for line in kept), currency),
    )


def unexplained(payout: Payout, lines: Iterable[BalanceLine]) -> Money:
    """What of a payout its lines do not explain: zero when it may be booked. `lines` without the payout's own."""
    return payout.amount - sums(lines, payout.amount.currency).net


def by_currency(lines: Iterable[BalanceLine]) -> Mapping[str, tuple[BalanceLine, ...]]:
    """In the order given; an account may hold balances of several currencies, which are never added up."""
    found: dict[str, list[BalanceLine]] = {}
    for line in lines:
        found.setdefault(line.amount.currency, []).append(line)
    return {currency: tuple(group) for currency, group in sorted(found.items())}
