"""A month's totals side by side (invoiced, charged, collected, refunded, fees, deposited), and why two that follow from each
other differ. Every difference is explained bill by bill, or by what the gateway held, so the reasons add up to the cent. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from connector.model.charge import ChargeState
from connector.model.money import Money, total
from connector.model.month_end import month_name
from connector.model.year_end import YearMonth

INVOICED, CHARGED, COLLECTED = "invoiced - charged", "charged - collected", "collected - refunded - fees - deposited"


@dataclass(frozen=True, kw_only=True, slots=True)
class Dated:
    on: date
    amount: Money


@dataclass(frozen=True, kw_only=True, slots=True)
class Bill:
    """One bill of the PSA and what became of it; none where the PSA has no bill for what was charged. `refunded`: more than
    nothing for money that went back, less for a reversal that was undone."""

    name: str
    number: str
    currency: str
    state: ChargeState | None
    invoiced: tuple[Dated, ...]
    charged: tuple[Dated, ...]
    collected: tuple[Dated, ...]
    refunded: tuple[Dated, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Why:
    """A part of the difference of two totals. `bills`: numbers of the PSA's invoices that it comes from."""

    between: str
    reason: str
    amount: Money
    bills: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthTotals:
    """`fees` and `deposited` as the gateway says, for everything on its account; None where it was not asked.

    invoiced - charged, and charged - collected, are each the sum of their reasons; so is
    collected - refunded - fees - deposited.
    """

    month: str
    currency: str
    invoiced: Money
    charged: Money
    collected: Money
    refunded: Money
    fees: Money | None
    deposited: Money | None
    why: tuple[Why, ...]

    def unexplained(self) -> tuple[str, ...]:
        """Of which pairs the reasons do not add up; none, or the code is wrong."""
        pairs = [(INVOICED, self.invoiced - self.charged), (CHARGED, self.charged - self.collected)]
        if self.fees is not None and self.deposited is not None:
            pairs.append((COLLECTED, self.collected - self.refunded - self.fees - self.deposited))
        return tuple(name for name, gap in pairs if gap != self._explained(name))

    def _explained(self, between: str) -> Money:
        return total((one.amount for one in self.why if one.between == between), self.currency)


def month_totals(month: str, currency: str, bills: Iterable[Bill], gateway: YearMonth | None) -> MonthTotals:
    kept = [bill for bill in bills if bill.currency == currency]

    def sum_of(events: Callable[[Bill], Sequence[Dated]]) -> Money:
        return total((_in(events(bill), month, currency) for bill in kept), currency)

    found = MonthTotals(
        month=month,
        currency=currency,
        invoiced=sum_of(lambda bill: bill.invoiced),
        charged=sum_of(lambda bill: bill.charged),
        collected=sum_of(lambda bill: bill.collected),
        refunded=sum_of(lambda bill: bill.refunded),
        fees=-gateway.fees if gateway else None,
        deposited=gateway.deposited if gateway else None,
        why=(),
    )
    return replace(found, why=_why(found, kept, gateway))


def _why(found: MonthTotals, bills: Sequence[Bill], gateway: YearMonth | None) -> tuple[Why, ...]:
    month, currency = found.month, found.currency
    parts = [
        *(
            _part(INVOICED, b, _in(b.invoiced, month, currency), _in(b.charged, month, currency), _uncharged(b, month))
            for b in bills
        ),
        *(_part(CHARGED, b, _in(b.charged, month, currency), _in(b.collected, month, currency), _open(b, month)) for b in bills),
    ]
    return (*_together([part for part in parts if part.amount]), *(_of_gateway(found, gateway) if gateway else ()))


def _part(between: str, bill: Bill, first: Money, second: Money, reason: str) -> Why:
    return Why(between=between, reason=reason, amount=first - second, bills=(bill.number,) if bill.number else ())


def _together(parts: Iterable[Why]) -> list[Why]:
    """One row for each reason."""
    groups: dict[tuple[str, str], list[Why]] = {}
    for part in parts:
        groups.setdefault((part.between, part.reason), []).append(part)
    return [
        Why(
            between=between,
            reason=reason,
            amount=total((one.amount for one in found), found[0].amount.currency),
            bills=tuple(number for one in found for number in one.bills),
        )
        for (between, reason), found in groups.items()
    ]


def _in(events: Iterable[Dated], month: str, currency: str) -> Money:
    return total((event.amount for event in events if month_name(event.on) == month), currency)


def _months(events: Iterable[Dated]) -> list[str]:
    return sorted({month_name(event.on) for event in events})


_NOT_CHARGED: dict[ChargeState | None, str] = {
    None: "no charge was made",
    ChargeState.WAITING: "waits for its charge date",
    ChargeState.HELD: "held (connector holds)",
    ChargeState.WRITTEN_OFF: "nothing was owed any more when it was to be charged",
    ChargeState.ENDED: "given up before it was charged",
}
_NOT_COLLECTED: dict[ChargeState | None, str] = {
    ChargeState.RELEASED: "on its way, or being tried again",
    ChargeState.ENDED: "voided or given up at the gateway",
}


def _uncharged(bill: Bill, month: str) -> str:
    """Why this bill makes invoiced and charged differ in this month."""
    if not bill.charged:
        return _NOT_CHARGED.get(bill.state, "no charge was made")
    elsewhere = _other(bill.invoiced, bill.charged, month, ("charged", "invoiced"))
    return elsewhere or "credited or paid elsewhere before it was charged"


def _open(bill: Bill, month: str) -> str:
    if not bill.collected:
        return _NOT_COLLECTED.get(bill.state, "paid outside the gateway")
    elsewhere = _other(bill.charged, bill.collected, month, ("collected", "charged"))
    return elsewhere or _NOT_COLLECTED.get(bill.state, "reduced, or paid elsewhere, after it was charged")


def _other(first: Sequence[Dated], second: Sequence[Dated], month: str, words: tuple[str, str]) -> str:
    """ "" where both happened in this month."""
    here = (month in _months(first), month in _months(second))
    if here == (True, False) and second:
        return f"{words[0]} in {', '.join(_months(second))}"
    if here == (False, True) and first:
        return f"{words[1]} in {', '.join(_months(first))}"
    return f"{words[1]} without a bill" if not first else ""


# What the gateway held


def _of_gateway(found: MonthTotals, gateway: YearMonth) -> Iterable[Why]:
    ours = gateway.gross.cards + gateway.gross.bank_debits
    net = found.collected - found.refunded
    named = (
        (
            "dated in another month by the gateway, or not in the payment journal yet",
            net - (ours + gateway.refunds + gateway.disputes),
        ),
        ("charged at the gateway by others", -(gateway.gross.total - ours)),
        ("reserves, transfers and other movements", -gateway.rest),
        ("held by the gateway when the month began", -gateway.opening),
        ("held by the gateway when it ended", gateway.closing),
        ("on its way to the bank when the month began", -gateway.way_before),
        ("on its way to the bank when it ended", gateway.way_after),
    )
    return (Why(between=COLLECTED, reason=reason, amount=amount) for reason, amount in named if amount)
