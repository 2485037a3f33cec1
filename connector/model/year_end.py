"""Year end: what was charged in each month before anything was taken off, and how the deposits at the bank follow from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from connector.model.invoice import MethodKind
from connector.model.money import Money, total
from connector.model.month_end import month_name
from connector.model.payout import BalanceKind, BalanceLine, Payout
from connector.model.period import Period, add_months

_REFUNDS = (BalanceKind.REFUND, BalanceKind.REFUND_FAILURE)
_DISPUTES = (BalanceKind.DISPUTE, BalanceKind.DISPUTE_REVERSAL)
_BILLS = (BalanceKind.FEE, BalanceKind.ADJUSTMENT)
_PAYOUTS = (BalanceKind.PAYOUT, BalanceKind.PAYOUT_FAILURE)
_REST = (BalanceKind.RESERVE, BalanceKind.TRANSFER, BalanceKind.OTHER)


def year_of(text: str) -> Period:
    """ "2026" is [2026-01-01, 2027-01-01). ValueError for anything else."""
    if len(text) != 4 or not (text.isascii() and text.isdigit()) or int(text) < 2000:
        raise ValueError(f"{text!r} is not a year like 2026")
    return Period(date(int(text), 1, 1), date(int(text) + 1, 1, 1))


def months_of(year: Period, today: date) -> tuple[Period, ...]:
    """Those that have begun; the running one ends with today."""
    return tuple(Period(one.start, min(one.end, today + timedelta(days=1))) for one in _months(year) if one.start <= today)


def _months(year: Period) -> tuple[Period, ...]:
    return tuple(Period(start, end) for start, end in pairwise(add_months(year.start, number) for number in range(13)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Gross:
    """Charges by the day on which they were made, nothing taken off: not refunds, not disputes, not fees.

    `cards` and `bank_debits` are the agent's; `others` were charged by somebody else, of whom the method is not known here.
    `total_utc`: the same total when days are counted in UTC.
    """

    number: int
    cards: Money
    bank_debits: Money
    others: Money
    total_utc: Money

    @property
    def total(self) -> Money:
        return self.cards + self.bank_debits + self.others


@dataclass(frozen=True, kw_only=True, slots=True)
class YearMonth:
    """opening + gross + refunds + disputes + fees + rest - paid_out = closing, and way_before + paid_out - deposited = way_after.

    `fees`: withheld, and the gateway's own bills. `paid_out`: payouts that were made, less those that came back.
    `way_before`, `way_after`: payouts on their way to the bank at both ends. `frozen`: the closing balance as it was frozen.
    """

    month: str
    opening: Money
    gross: Gross
    refunds: Money
    disputes: Money
    fees: Money
    rest: Money
    paid_out: Money
    closing: Money
    way_before: Money
    deposited: Money
    way_after: Money
    frozen: Money | None = None

    @property
    def ties(self) -> bool:
        held = self.opening + self.gross.total + self.refunds + self.disputes + self.fees + self.rest - self.paid_out
        way = self.way_before + self.paid_out - self.deposited
        return held == self.closing and way == self.way_after and self.frozen in (None, self.closing)


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """`lines`: from some time before the year until now, oldest first, of one currency. `now`: what the gateway holds after them.

    `methods`: by the gateway's payment, of those that the agent collected. `day`, `day_utc`: a line's day.
    """

    now: Money
    lines: tuple[BalanceLine, ...]
    payouts: Mapping[str, Payout]
    methods: Mapping[str, MethodKind]
    today: date
    day: Callable[[BalanceLine], date]
    day_utc: Callable[[BalanceLine], date]


def year_months(facts: Facts, year: Period, frozen: Mapping[str, Money]) -> tuple[YearMonth, ...]:
    """`frozen`: closing balance by month, of the months that were frozen."""
    return tuple(_month(facts, month, frozen.get(month_name(month.start))) for month in months_of(year, facts.today))


def _month(facts: Facts, month: Period, frozen: Money | None) -> YearMonth:
    lines = [line for line in facts.lines if facts.day(line) in month]
    return YearMonth(
        month=month_name(month.start),
        opening=_held(facts, month.start),
        gross=_gross(facts, month, lines),
        refunds=_of(facts, lines, _REFUNDS),
        disputes=_of(facts, lines, _DISPUTES),
        fees=_of(facts, lines, _BILLS) - _sum(facts, (line.fee for line in lines)),
        rest=_of(facts, lines, _REST),
        paid_out=-_of(facts, lines, _PAYOUTS),
        closing=_held(facts, month.end),
        way_before=_on_its_way(facts, month.start),
        deposited=_deposited(facts, month),
        way_after=_on_its_way(facts, month.end),
        frozen=frozen,
    )


def _sum(facts: Facts, amounts: Iterable[Money]) -> Money:
    return total(amounts, facts.now.currency)


def _of(facts: Facts, lines: Iterable[BalanceLine], kinds: tuple[BalanceKind, ...]) -> Money:
    return _sum(facts, (line.amount for line in lines if line.kind in kinds))


def _held(facts: Facts, on: date) -> Money:
    """When that day begins."""
    return facts.now - _sum(facts, (line.net for line in facts.lines if facts.day(line) >= on))


def _gross(facts: Facts, month: Period, lines: Iterable[BalanceLine]) -> Gross:
    charged = [line for line in lines if line.kind is BalanceKind.CHARGE]
    of = {kind: [one.amount for one in charged if facts.methods.get(one.payment) is kind] for kind in MethodKind}
    others = [one.amount for one in charged if one.payment not in facts.methods]
    in_utc = (one.amount for one in facts.lines if one.kind is BalanceKind.CHARGE and facts.day_utc(one) in month)
    return Gross(
        number=len(charged),
        cards=_sum(facts, of[MethodKind.CARD]),
        bank_debits=_sum(facts, of[MethodKind.BANK_DEBIT]),
        others=_sum(facts, (*of[MethodKind.OTHER], *others)),
        total_utc=_sum(facts, in_utc),
    )


# Payouts: made by the gateway on one day, at the bank on a later one


def _arrival(facts: Facts, line: BalanceLine) -> date | None:
    """None: not at the bank, because it came back or nothing is known of it."""
    payout = facts.payouts.get(line.source)
    return payout.arrives if payout is not None and payout.stands else None


def _deposited(facts: Facts, month: Period) -> Money:
    made = (line for line in facts.lines if line.kind is BalanceKind.PAYOUT)
    return -_sum(facts, (line.amount for line in made if (on := _arrival(facts, line)) is not None and on in month))


def _on_its_way(facts: Facts, on: date) -> Money:
    """Made, less what came back, less what had arrived, when that day began."""
    moved = (line for line in facts.lines if line.kind in _PAYOUTS and facts.day(line) < on)
    return -_sum(facts, (line.amount for line in moved if (arrived := _arrival(facts, line)) is None or arrived >= on))
