"""Unit rows -> what a service costs from when to when. Pure.

`price` of a row is its extended amount, never to be multiplied again - as far as one tenant was seen (psa.md 4.3). So every
row that is still to be billed is compared with the listed price of its service, both ways; what fits neither is shown to a
person. Where rows agree with the price of one unit instead, that is what they are taken for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from adapters.autotask.wire import Units
from connector.model.money import Money, total
from connector.model.period import Cycle, Period, add_months, period_of

ONE_DAY = timedelta(days=1)
AGREEING = 2  # so many full rows at one price are a price that was raised (or lowered) from a day on


class Problem(Exception):
    """This contract cannot be mirrored. `reason` is a word, `text` goes on from "Acme: Gold (contract 7): "."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


@dataclass(frozen=True, kw_only=True, slots=True)
class Sold:
    """A service, or a bundle of services, on a contract, with its rows. `listed` are its unit prices as the contract has them."""

    id: str
    name: str
    listed: tuple[Decimal, ...]
    rows: tuple[Units, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """The same amount per period from `starts` on, up to (not with) `ends`. None: as long as the contract."""

    quantity: Decimal
    unit_price: Decimal
    amount: Money
    starts: date | None
    ends: date | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """The contract's own: `read_from` is the day from which on rows were read."""

    anchor: date
    cycle: Cycle
    ends: date
    read_from: date
    today: date
    currency: str

    def period(self, row: Units) -> Period:
        return period_of(self.anchor, self.cycle, row.first)

    def is_full(self, row: Units) -> bool:
        period = self.period(row)
        return row.first == period.start and row.last + ONE_DAY == period.end


def first_period(starts: date, rows: Iterable[Units], months: int) -> date | None:
    """The first day of a period, on or after the contract's first: its own, unless the rows begin on another day."""
    full = [row.first for row in rows if add_months(row.first, months) == row.last + ONE_DAY]
    if not full:
        return None
    if any(day == boundary_before(starts, months, day) for day in full):
        return starts
    latest = max(full, key=lambda day: (day.day, day))
    behind = ((latest.year - starts.year) * 12 + latest.month - starts.month) // months
    earliest = add_months(latest, -months * behind)
    return earliest if earliest >= starts else add_months(latest, -months * (behind - 1))


def boundary_before(starts: date, months: int, day: date) -> date:
    """The last day on or before `day` that begins a period of a contract that starts then."""
    number = ((day.year - starts.year) * 12 + day.month - starts.month) // months
    found = add_months(starts, months * number)
    return found if found <= day else add_months(starts, months * (number - 1))


def is_extended(sold: Iterable[Sold], span: Span) -> bool:
    """Whether rows show the price of all units, or of one. Raises Problem when one contract has both."""
    found: dict[bool, tuple[Sold, Units]] = {}
    for item in sold:
        for row in item.rows:
            if row.units in (0, 1) or not span.is_full(row):
                continue
            whole, single = _meets(row, item.listed, extended=True), _meets(row, item.listed, extended=False)
            if whole is not None or single is not None:
                found.setdefault(whole is not None, (item, row))
    if len(found) == 2:
        text = " and ".join(f"{row.price} for {row.units} x {item.name}" for item, row in found.values())
        raise Problem(
            "amount_mismatch", f"its units show the price of all units for one service and of a single unit for another: {text}."
        )
    return False not in found


def segments(sold: Sold, span: Span, *, extended: bool) -> list[Segment]:
    """In the order of their days. Raises Problem for an amount that cannot be explained."""
    for row in sold.rows:
        _check_fits_a_period(sold, row, span)
    periods: dict[Period, list[Units]] = {}
    for row in sorted(sold.rows, key=lambda row: (row.first, row.id)):
        if row.units or row.price:
            periods.setdefault(span.period(row), []).append(row)
    prices = _prices(sold, span, extended=extended)
    found = [_cell(sold, rows, span, prices, extended=extended) for _, rows in sorted(periods.items())]
    return _open_ended(_merged(found), span)


def _check_fits_a_period(sold: Sold, row: Units, span: Span) -> None:
    period = span.period(row)
    if row.last >= period.end and row.last >= span.today:
        raise Problem(
            "mixed_cycle",
            f"{sold.name} is billed for {row.first} to {row.last}, but the contract's {span.cycle} periods begin on"
            f" {period.start} and {period.end}. Bill its services from the same day on, or put them on contracts of their own.",
        )


def _prices(sold: Sold, span: Span, *, extended: bool) -> tuple[Decimal, ...]:
    """The listed prices, and those that several rows agree on, provided that others agree with what is listed."""
    full = [row for row in sold.rows if row.units and span.is_full(row)]
    if not any(_meets(row, sold.listed, extended=extended) is not None for row in full):
        return sold.listed
    agreed = Counter(row.price / row.units if extended else row.price for row in full)
    return (*sold.listed, *(price for price, rows in agreed.items() if rows >= AGREEING and price not in sold.listed))


def _meets(row: Units, prices: Iterable[Decimal], *, extended: bool) -> Decimal | None:
    """The unit price that explains the row to the cent."""
    for price in prices:
        if abs(row.price - (row.units * price if extended else price)) < Decimal("0.005"):
            return price
    return None


def _cell(sold: Sold, rows: Sequence[Units], span: Span, prices: tuple[Decimal, ...], *, extended: bool) -> Segment:
    """What one service costs in one period: a row of its own, or the sum of the slices that it was cut into."""
    for row in rows:
        if row.posted is None and row.last >= span.today:
            _check_amount(sold, row, span, prices, extended=extended)
    # Autotask rounds each row when it is posted.
    amounts = [Money.from_major(row.price if extended else row.price * row.units, span.currency) for row in rows]
    amount = total(amounts, span.currency)
    quantity, unit_price = Decimal(1), amount.major
    if len(rows) == 1 and span.is_full(rows[0]) and (price := _meets(rows[0], prices, extended=extended)) is not None:
        quantity, unit_price = rows[0].units, price
    first, last = min(row.first for row in rows), max(row.last for row in rows)
    return Segment(quantity=quantity, unit_price=unit_price, amount=amount, starts=first, ends=last + ONE_DAY)


def _check_amount(sold: Sold, row: Units, span: Span, prices: tuple[Decimal, ...], *, extended: bool) -> None:
    """To the cent for a full period; a part of one costs a part."""
    if _meets(row, prices, extended=extended) is not None:
        return
    if not span.is_full(row) and any(_is_part(row, price, extended=extended) for price in prices):
        return
    listed = " or ".join(map(_shown, sold.listed)) or "no price"
    figures = ", ".join(f"{row.units:f} x {_shown(price)} = {_shown(row.units * price)}" for price in sold.listed)
    raise Problem(
        "amount_mismatch",
        f"{sold.name}: Autotask shows a price of {_shown(row.price)} for {row.units:f} units from {row.first} to {row.last},"
        f" which is neither the price of all ({figures}) nor that of one ({listed}). Look at the service on the contract in"
        " Autotask and save its price again; nothing of this contract is mirrored until it adds up.",
    )


def _shown(price: Decimal) -> str:
    return f"{price:.2f}" if price == price.quantize(Decimal("0.01")) else f"{price:f}"


def _is_part(row: Units, price: Decimal, *, extended: bool) -> bool:
    whole = row.units * price if extended else price
    return row.price * whole >= 0 and abs(row.price) <= abs(whole)


def _merged(found: Iterable[Segment]) -> list[Segment]:
    result: list[Segment] = []
    for segment in found:
        last = result[-1] if result else None
        if last is not None and last.ends == segment.starts and _price_of(last) == _price_of(segment):
            result[-1] = replace(last, ends=segment.ends)
        else:
            result.append(segment)
    return result


def _price_of(segment: Segment) -> tuple[Decimal, Decimal, Money]:
    return segment.quantity, segment.unit_price, segment.amount


def _open_ended(found: list[Segment], span: Span) -> list[Segment]:
    """What began before rows were read has no beginning; what goes on to the contract's end has no end of its own."""
    return [
        replace(
            segment,
            starts=None if segment.starts is None or segment.starts <= span.read_from else segment.starts,
            ends=None if segment.ends is None or segment.ends >= span.ends else segment.ends,
        )
        for segment in found
    ]
