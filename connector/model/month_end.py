"""Month end: what the gateway held at both ends of a month, what moved in between, and what of it the books show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from connector.model.money import Money, total
from connector.model.payout import BalanceKind, BalanceLine, sums
from connector.model.period import Period, add_months

_KINDS: tuple[tuple[str, tuple[BalanceKind, ...]], ...] = (
    ("charges", (BalanceKind.CHARGE,)),
    ("refunds", (BalanceKind.REFUND, BalanceKind.REFUND_FAILURE)),
    ("disputes", (BalanceKind.DISPUTE, BalanceKind.DISPUTE_REVERSAL)),
    ("fees withheld", ()),
    ("the gateway's own bills", (BalanceKind.FEE, BalanceKind.ADJUSTMENT)),
    ("held back by the gateway", (BalanceKind.RESERVE,)),
    ("other movements", (BalanceKind.TRANSFER, BalanceKind.OTHER)),
    ("payouts", (BalanceKind.PAYOUT, BalanceKind.PAYOUT_FAILURE)),
)
_ON_THEIR_WAY = {"payouts": "payouts on their way to the bank"}
_ALWAYS_SHOWN = ("charges", "refunds", "disputes", "fees withheld", "payouts")


def month_of(text: str) -> Period:
    """ "2026-02" is [2026-02-01, 2026-03-01). ValueError for anything else."""
    if len(text) != 7:
        raise ValueError(f"{text!r} is not a month like 2026-02")
    try:
        start = date.fromisoformat(f"{text}-01")
    except ValueError:
        raise ValueError(f"{text!r} is not a month like 2026-02") from None
    return Period(start, add_months(start, 1))


def month_name(day: date) -> str:
    """The month of that day."""
    return f"{day:%Y-%m}"


# The gateway's balance


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """`count`: of how many movements it is made; `source`: where it came from, in words."""

    name: str
    amount: Money
    source: str
    count: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayMonth:
    """One currency: opening + figures = closing. `frozen_closing`: what the month before ended with, where it is frozen."""

    currency: str
    opening: Money
    figures: tuple[Figure, ...]
    closing: Money
    frozen_closing: Money | None = None

    @property
    def ties(self) -> bool:
        moved = total((figure.amount for figure in self.figures), self.currency)
        return self.opening + moved == self.closing and self.frozen_closing in (None, self.opening)


def gateway_month(
    now: Money, of_month: Iterable[BalanceLine], after: Iterable[BalanceLine], frozen: Money | None
) -> GatewayMonth:
    """`now`: what the gateway holds after all of these lines. `of_month` and `after`: of its currency alone."""
    lines, currency = tuple(of_month), now.currency
    closing = now - total((line.net for line in after), currency)
    figures = tuple(_figure(name, kinds, lines, currency) for name, kinds in _KINDS)
    return GatewayMonth(
        currency=currency,
        opening=closing - sums(lines, currency).net,
        figures=tuple(figure for figure in figures if figure.count or figure.name in _ALWAYS_SHOWN),
        closing=closing,
        frozen_closing=frozen,
    )


def _figure(name: str, kinds: tuple[BalanceKind, ...], lines: tuple[BalanceLine, ...], currency: str) -> Figure:
    if not kinds:
        withheld = [line.fee for line in lines if line.fee]
        source = "fee of each line of the gateway's balance"
        return Figure(name=name, amount=-total(withheld, currency), count=len(withheld), source=source)
    found = [line.amount for line in lines if line.kind in kinds]
    words = " and ".join(kind.replace("_", " ") for kind in kinds)
    source = f"lines of the gateway's balance: {words}"
    return Figure(name=name, amount=total(found, currency), count=len(found), source=source)


# Beside it, the clearing account


@dataclass(frozen=True, kw_only=True, slots=True)
class Movement:
    """What moves the gateway's balance and, once it is entered, the clearing account, by the same amount.

    `at`: the day on which the gateway shows it; `booked`: the day under which the books show it, None where they do not.
    """

    what: str
    source: str
    amount: Money
    at: date
    booked: date | None

    def apart(self, on: date) -> Money | None:
        """What it makes the clearing account differ by from the gateway at the end of that day; None where it does not."""
        there, here = self.at <= on, self.booked is not None and self.booked <= on
        if there == here:
            return None
        return self.amount if here else -self.amount


@dataclass(frozen=True, kw_only=True, slots=True)
class Clearing:
    """The account that stands for the gateway's balance. closing = gateway + apart + brought_forward + unexplained.

    `apart`: movements that only one of the two shows on the last day, a payout on its way above all.
    `brought_forward`: what the two differed by, beyond such movements, when the month began.
    """

    account: str
    gateway: Money
    apart: tuple[Figure, ...]
    brought_forward: Money
    closing: Money

    @property
    def expected(self) -> Money:
        return self.gateway + total((one.amount for one in self.apart), self.gateway.currency) + self.brought_forward

    @property
    def unexplained(self) -> Money:
        return self.closing - self.expected


def clearing(
    movements: Iterable[Movement], month: Period, gateway: GatewayMonth, *, account: str, opening: Money, closing: Money
) -> Clearing:
    """`opening` and `closing`: the account at the end of the day before the month, and of its last day."""
    known = tuple(movements)
    before, last = _day_before(month.start), _day_before(month.end)
    zero = Money.zero(gateway.currency)
    then = total((one.apart(before) or zero for one in known), gateway.currency)
    return Clearing(
        account=account,
        gateway=gateway.closing,
        apart=_apart(known, last),
        brought_forward=opening - gateway.opening - then,
        closing=closing,
    )


def _apart(movements: tuple[Movement, ...], on: date) -> tuple[Figure, ...]:
    """One row for each sort of movement, with what it is made of where that is little."""
    groups: dict[tuple[str, bool], list[tuple[Movement, Money]]] = {}
    for one in movements:
        amount = one.apart(on)
        if amount is not None and amount:
            groups.setdefault((one.what, one.at <= on), []).append((one, amount))
    return tuple(_group(what, at_gateway, found) for (what, at_gateway), found in sorted(groups.items()))


def _group(what: str, at_gateway: bool, found: list[tuple[Movement, Money]]) -> Figure:
    if at_gateway:
        said, what = "at the gateway already, in the books later or not yet", _ON_THEIR_WAY.get(what, what)
    else:
        said = "in the books already, at the gateway later"
    ids = ", ".join(_told(one) for one, _ in found[:4]) + (f" and {len(found) - 4} more" if len(found) > 4 else "")
    amount = total((amount for _, amount in found), found[0][1].currency)
    return Figure(name=what, amount=amount, count=len(found), source=f"{said}: {ids}")


def _told(one: Movement) -> str:
    booked = f"entered {one.booked.isoformat()}" if one.booked else "not entered"
    return f"{one.source} ({one.at.isoformat()}, {booked})"


def _day_before(day: date) -> date:
    return date.fromordinal(day.toordinal() - 1)


# The whole report


@dataclass(frozen=True, kw_only=True, slots=True)
class Unbooked:
    """Money that moved until the month's end and is not where it belongs. `amount` is negative for money that went back."""

    payer: str
    what: str
    on: date
    amount: Money
    target: str  # psa, books
    why: str
    do: str  # what to type, or to do


@dataclass(frozen=True, kw_only=True, slots=True)
class OnItsWay:
    """A bank debit that was made until the month's end and had not arrived by then: no money yet, and no debt paid."""

    payer: str
    charge: str
    invoice: str
    amount: Money
    released: date
    now: str  # what has become of it


@dataclass(frozen=True, kw_only=True, slots=True)
class Unapplied:
    """Money of a payer that stands on no invoice in the books. `ours`: as the agent entered it; else of somebody else."""

    payer: str
    amount: Money
    ours: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Owed:
    """What one payer owes. None: nothing is known there (no customer in the books, or no books)."""

    payer: str
    psa: Money
    books: Money | None
    why: str  # what a difference may come from; "" where there is none

    @property
    def difference(self) -> Money | None:
        return None if self.books is None else self.books - self.psa


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthEnd:
    """`taken_at`: when the partners were asked. `entries`: keys of the payment journal dated in the month.

    `notes` say what could not be compared, and why.
    """

    month: str
    time_zone: str
    taken_at: datetime
    method: str
    gateway: tuple[GatewayMonth, ...]
    clearing: Clearing | None
    unbooked: tuple[Unbooked, ...]
    on_its_way: tuple[OnItsWay, ...]
    unapplied: tuple[Unapplied, ...]
    owed: tuple[Owed, ...]
    entries: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """Why this month cannot be closed."""
        said = [_not_tied(one) for one in self.gateway if not one.ties]
        if self.unbooked:
            count = len(self.unbooked)
            said.append(f"{count} {'entry is' if count == 1 else 'entries are'} not booked")
        if self.clearing is not None and self.clearing.unexplained:
            said.append(f"{self.clearing.account} differs by {self.clearing.unexplained} from what the gateway held")
        return tuple(said)

    @property
    def ties(self) -> bool:
        return not self.problems


def _not_tied(one: GatewayMonth) -> str:
    if one.frozen_closing not in (None, one.opening):
        return f"the month before was closed with {one.frozen_closing} at the gateway, and this one begins with {one.opening}"
    return f"the gateway's balance in {one.currency} does not add up"
