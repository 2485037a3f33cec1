"""Agreement -> subscription: what the gateway's mirror of a billing unit should be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from connector.model.agreement import Agreement, AgreementLine, BillingUnit, LineBilling
from connector.model.charge import BreakdownLine
from connector.model.money import Money, total
from connector.model.period import Period, Timing, bill_date, boundary, nth_period, period_number
from connector.model.subscription import Item, Subscription

MAX_ITEMS = 20  # the gateway's limit (payments.md 1.4)
MAX_QUANTITY = 999_999


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """One line of a period, as it is priced."""

    key: str
    product: str
    name: str
    amount: Money
    unit_amount: Money | None  # None: quantity is not whole, or the price has fractions of a cent
    quantity: int
    tax_treatment: str


def next_period(unit: BillingUnit, today: date) -> Period:
    """The first period that will be billed after today."""
    number = period_number(unit.anchor, unit.cycle, max(today, unit.starts)) - 2
    while bill_date(period := nth_period(unit.anchor, unit.cycle, number), unit.timing) <= today or period.end <= unit.starts:
        number += 1
    return period


def desired(unit: BillingUnit, *, today: date, automatic: bool, paused: bool = True) -> Subscription:
    """The subscription for the next period to be billed. While `paused` it never charges by itself: drafts are released one by
    one. Without a method it is paused in any case: the gateway would send bills."""
    period = next_period(unit, today)
    return Subscription(
        unit=unit.key,
        payer=unit.payer.key,
        description=f"{unit.root.name} for {unit.root.company_name}",
        currency=unit.currency,
        cycle=unit.cycle,
        bills_on=unit.anchor,
        items=tuple(sorted(_items(_parts(unit, period), unit.currency), key=lambda item: item.key)),
        ends=_last_draft(unit),
        paused=paused or not automatic,
        automatic=automatic,
    )


def first_draft(unit: BillingUnit, today: date) -> date:
    return bill_date(next_period(unit, today), unit.timing)


def computed(unit: BillingUnit, period: Period) -> Money:
    """What the agreements say for one period: before tax, proration and one-off lines."""
    return total((part.amount for part in _parts(unit, period)), unit.currency)


def breakdown(unit: BillingUnit, period: Period) -> tuple[BreakdownLine, ...]:
    """Every line with its PSA record, also those at no charge."""
    lines: list[BreakdownLine] = []
    for agreement in _in_force(unit, period):
        if agreement.base:
            lines.append(BreakdownLine(kind="base", description=agreement.name, amount=agreement.base, source=str(agreement.ref)))
        for line in agreement.lines:
            if line.active_on(pricing_day(unit, period)) and line.billing is not LineBilling.DO_NOT_BILL:
                lines.append(_breakdown_line(agreement, line))
    return tuple(lines)


def pricing_day(unit: BillingUnit, period: Period) -> date:
    """The day whose agreement lines a period is billed at."""
    return period.start if unit.timing is Timing.ADVANCE else period.end - timedelta(days=1)


def next_change(unit: BillingUnit, today: date) -> date | None:
    """The next date on which the unit changes without any edit: a line or agreement starts or ends."""
    dates: list[date | None] = []
    for agreement in unit.agreements:
        dates += [agreement.starts, agreement.ends]
        dates += [day for line in agreement.lines for day in (line.starts, line.ends)]
    return min((day for day in dates if day is not None and day > today), default=None)


def _breakdown_line(agreement: Agreement, line: AgreementLine) -> BreakdownLine:
    charged = line.billing is LineBilling.BILLABLE
    return BreakdownLine(
        kind="line",
        description=f"{line.name}: {_plain(line.quantity)} x {_plain(line.unit_price)}" + ("" if charged else " (no charge)"),
        amount=line.amount if charged else Money.zero(agreement.currency),
        source=f"{agreement.ref}/{line.id}",
        name=line.name,
        quantity=line.quantity,
        unit_price=line.unit_price,
        included=line.included or None,
        starts=line.starts,
        ends=line.ends,
    )


def _in_force(unit: BillingUnit, period: Period) -> Iterable[Agreement]:
    day = pricing_day(unit, period)
    return [a for a in unit.agreements if a.starts < period.end and (a.ends is None or day < a.ends)]


def _parts(unit: BillingUnit, period: Period) -> list[_Part]:
    parts: list[_Part] = []
    for agreement in _in_force(unit, period):
        if agreement.base:
            parts.append(_base_part(agreement))
        parts.extend(_line_part(agreement, line) for line in agreement.lines if _recurs(line, unit, period))
    return parts


def _recurs(line: AgreementLine, unit: BillingUnit, period: Period) -> bool:
    """A line that starts and ends inside one period is a one-off: it reaches the charge through the PSA's invoice. One that
    is in force for exactly the whole period is not: it has another price or quantity in the next."""
    if line.billing is not LineBilling.BILLABLE or not line.active_on(pricing_day(unit, period)):
        return False
    if (line.starts, line.ends) == (period.start, period.end):
        return True
    return not (line.starts and line.ends and line.starts >= period.start and line.ends <= period.end)


def _base_part(agreement: Agreement) -> _Part:
    return _Part(
        key=f"base:{agreement.ref.id}",
        product=f"{agreement.ref.psa}:base:{agreement.kind or 'agreement'}",
        name=agreement.name,
        amount=agreement.base,
        unit_amount=agreement.base,
        quantity=1,
        tax_treatment=agreement.base_tax_treatment,
    )


def _line_part(agreement: Agreement, line: AgreementLine) -> _Part:
    unit_amount = Money.from_major(line.unit_price, agreement.currency)
    whole = line.quantity == line.quantity.to_integral_value() and 0 < line.quantity <= MAX_QUANTITY
    exact = whole and unit_amount.major == line.unit_price and unit_amount.minor * int(line.quantity) == line.amount.minor
    detail = "" if exact else f" ({_plain(line.quantity)} x {_plain(line.unit_price)})"
    return _Part(
        key=f"{agreement.ref.id}/{line.id}",
        product=f"{agreement.ref.psa}:product:{line.product}",
        name=line.name + detail,
        amount=line.amount,
        unit_amount=unit_amount if exact else None,
        quantity=int(line.quantity) if exact else 1,
        tax_treatment=line.tax_treatment,
    )


def _plain(number: object) -> str:
    return f"{number:f}".rstrip("0").rstrip(".") if "." in f"{number:f}" else f"{number:f}"


def _items(parts: list[_Part], currency: str) -> list[Item]:
    if len(parts) > MAX_ITEMS or any(part.amount.minor < 0 for part in parts):
        return _rolled_up(parts, currency)
    items = [_item(part) for part in parts if part.amount]
    return items or [_nothing(currency)]


def _item(part: _Part) -> Item:
    unit_amount = part.unit_amount if part.unit_amount is not None else part.amount
    return Item(key=part.key, product=part.product, name=part.name, unit_amount=unit_amount, quantity=part.quantity)


def _nothing(currency: str) -> Item:
    """A subscription needs an item; one at zero still makes the drafts that one-off lines are billed on."""
    return Item(key="base", product="none", name="Recurring services", unit_amount=Money.zero(currency), quantity=1)


def _rolled_up(parts: list[_Part], currency: str) -> list[Item]:
    """One item a tax treatment; a treatment that nets below zero is taken off the others, never below zero in all."""
    sums: dict[str, Money] = {}
    for part in parts:
        sums[part.tax_treatment] = sums.get(part.tax_treatment, Money.zero(currency)) + part.amount
    debt = total((amount for amount in sums.values() if amount.minor < 0), currency)
    items: list[Item] = []
    for treatment, amount in sorted(sums.items()):
        if amount.minor <= 0:
            continue
        taken = max(-amount.minor, debt.minor)
        debt, amount = Money(debt.minor - taken, currency), Money(amount.minor + taken, currency)
        if amount:
            items.append(_rollup_item(treatment, amount))
    return items or [_nothing(currency)]


def _rollup_item(treatment: str, amount: Money) -> Item:
    return Item(
        key=f"rollup:{treatment}",
        product=f"rollup:{treatment}",
        name=f"Recurring services ({treatment})",
        unit_amount=amount,
        quantity=1,
    )


def _last_draft(unit: BillingUnit) -> date | None:
    """No draft is made on or after this day."""
    if unit.ends is None:
        return None
    number = period_number(unit.anchor, unit.cycle, unit.ends)
    while boundary(unit.anchor, unit.cycle, number) < unit.ends:
        number += 1
    end = boundary(unit.anchor, unit.cycle, number)
    return end if unit.timing is Timing.ADVANCE else end + timedelta(days=1)
