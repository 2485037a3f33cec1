"""What explains a charge to the cent, and how it differs from the period before. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from connector.model.agreement import AgreementLine, BillingUnit, LineBilling
from connector.model.charge import BreakdownLine
from connector.model.invoice import PsaInvoice
from connector.model.money import Money, total
from connector.model.period import Period, Timing, nth_period, period_number

OF_AGREEMENT = frozenset({"base", "line"})  # kinds that stand for a record in the PSA; the others exist once a charge


def sum_up(
    lines: Iterable[BreakdownLine], bill: PsaInvoice | None, owed: Money, *, prorated: Sequence[BreakdownLine] = ()
) -> tuple[BreakdownLine, ...]:
    """The agreements' lines and everything else that makes `owed` of them. Sums to it, to the cent.

    `prorated`: what proration would come to. It is shown only if it explains the rest; what nothing explains is the
    true-up, shown and never spread.
    """
    rows = [*lines, *(_on_bill(bill, owed) if bill is not None else ())]
    rest = owed - total((row.amount for row in rows), owed.currency)
    rest_after = rest - total((row.amount for row in prorated), owed.currency)
    if prorated and _is_rounding(rest_after, rows):
        rows, rest = [*rows, *prorated], rest_after
    rows.append(_rest(rest, rows))
    return tuple(row for row in rows if row.amount or row.kind == "line")


def _on_bill(bill: PsaInvoice, owed: Money) -> Iterator[BreakdownLine]:
    source = f"invoice {bill.number}"
    yield BreakdownLine(kind="tax", description="Sales tax", amount=bill.tax, source=source)
    yield BreakdownLine(kind="credit", description="Credits applied in the PSA", amount=-bill.credits, source=source)
    elsewhere = owed - bill.total + bill.credits
    yield BreakdownLine(kind="elsewhere", description="Payments made elsewhere", amount=elsewhere, source=source)


def _is_rounding(amount: Money, rows: Sequence[BreakdownLine]) -> bool:
    """Each line and the tax may be off by half a cent."""
    return abs(amount.minor) <= max(1, len(rows) // 2)


def _rest(rest: Money, rows: Sequence[BreakdownLine]) -> BreakdownLine:
    if _is_rounding(rest, rows):
        return BreakdownLine(kind="rounding", description="Rounding in the PSA", amount=rest)
    return BreakdownLine(kind="true_up", description="What else the PSA's invoice has: one-off lines, adjustments", amount=rest)


def prorations(unit: BillingUnit, period: Period) -> tuple[BreakdownLine, ...]:
    """By days, for lines that began or ended inside a period: the one before where billing is in advance, this one in arrears.

    How the PSA prorates is its own matter: this is what it would come to, to be compared with the invoice.
    """
    if unit.timing is Timing.ARREARS:
        return tuple(_of_lines(unit, period, began=-1, ended=1))
    before = nth_period(unit.anchor, unit.cycle, period_number(unit.anchor, unit.cycle, period.start) - 1)
    return tuple(_of_lines(unit, before, began=1, ended=-1)) if before.start >= unit.starts else ()


def _of_lines(unit: BillingUnit, period: Period, *, began: int, ended: int) -> Iterator[BreakdownLine]:
    for agreement in unit.agreements:
        for line in agreement.lines:
            if line.billing is not LineBilling.BILLABLE or _one_off(line, period):
                continue
            source = f"{agreement.ref}/{line.id}"
            if line.starts is not None and period.start < line.starts < period.end:
                # In advance the days from its start were not billed yet; in arrears those before it are not to be.
                used = (period.end - line.starts).days if began > 0 else (line.starts - period.start).days
                yield _proration(line, source, period, began * used, f"from {line.starts.isoformat()}")
            if line.ends is not None and period.start < line.ends < period.end:
                left = (period.end - line.ends).days if ended < 0 else (line.ends - period.start).days
                yield _proration(line, source, period, ended * left, f"until {last_day(line.ends)}")


def _one_off(line: AgreementLine, period: Period) -> bool:
    return bool(line.starts and line.ends and line.starts >= period.start and line.ends <= period.end)


def _proration(line: AgreementLine, source: str, period: Period, days: int, when: str) -> BreakdownLine:
    length = (period.end - period.start).days
    return BreakdownLine(
        kind="proration",
        description=f"{line.name}, {when}: {abs(days)} of {length} days of {period}",
        amount=Money.from_major(line.amount.major * days / length, line.amount.currency),
        source=source,
        name=line.name,
    )


def complete(lines: Sequence[BreakdownLine], charged: Money) -> tuple[BreakdownLine, ...]:
    """A stored breakdown, with a line for what it does not explain (somebody changed the invoice at the gateway)."""
    rest = charged - total((line.amount for line in lines), charged.currency)
    if not rest:
        return tuple(lines)
    said = "Not explained: the gateway's invoice was changed or released by somebody else" if lines else "No breakdown was kept"
    return (*lines, BreakdownLine(kind="unexplained", description=said, amount=rest))


# Two breakdowns compared


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One reason why a charge differs from the period before. `amount` is how much more (or, negative, less) it makes."""

    what: str
    amount: Money
    source: str


def compare(before: Sequence[BreakdownLine], after: Sequence[BreakdownLine], currency: str) -> tuple[Difference, ...]:
    """Line by line, the larger difference first. The amounts sum to the difference of the two totals, to the cent."""
    old, new = _by_record(before), _by_record(after)
    found = []
    for key in dict.fromkeys((*new, *old)):
        amount = _amount(new.get(key), currency) - _amount(old.get(key), currency)
        if amount:
            line = (new.get(key) or old[key])[0]
            found.append(Difference(what=_said(old.get(key), new.get(key)), amount=amount, source=line.source))
    return tuple(sorted(found, key=lambda d: (-abs(d.amount.minor), d.what)))


def _by_record(lines: Sequence[BreakdownLine]) -> dict[str, list[BreakdownLine]]:
    """A line of an agreement is known by its record; tax, credits and the like by what they are."""
    result: dict[str, list[BreakdownLine]] = {}
    for line in lines:
        record = f":{line.source}" if line.kind in OF_AGREEMENT or line.kind == "proration" else ""
        result.setdefault(f"{line.kind}{record}", []).append(line)
    return result


def _amount(lines: Sequence[BreakdownLine] | None, currency: str) -> Money:
    return total((line.amount for line in lines or ()), currency)


def _said(before: Sequence[BreakdownLine] | None, after: Sequence[BreakdownLine] | None) -> str:
    match before, after:
        case None, [line, *_]:
            return _came(line)
        case [line, *_], None:
            return _went(line)
        case [old], [new]:
            return _changed(old, new)
        case _, [line, *_]:
            return f"{title(line)}: another amount"
    raise ValueError("a difference of nothing")


def title(line: BreakdownLine) -> str:
    """What a person calls it."""
    return line.name or line.description


def _came(line: BreakdownLine) -> str:
    if line.kind not in OF_AGREEMENT:
        return f"{title(line)}, not in the period before" if line.kind != "proration" else line.description
    since = f" (since {line.starts.isoformat()})" if line.starts else ""
    return f"new: {line.description}{since}"


def _went(line: BreakdownLine) -> str:
    if line.kind not in OF_AGREEMENT:
        return f"{line.description}: only in the period before"
    until = f" (its last day was {last_day(line.ends)})" if line.ends else ""
    return f"no longer: {line.description}{until}"


def _changed(old: BreakdownLine, new: BreakdownLine) -> str:
    if old.quantity is None or new.quantity is None or old.unit_price is None or new.unit_price is None:
        return f"{title(new)}: {old.amount} before, {new.amount} now"
    more, dearer = new.quantity - old.quantity, new.unit_price != old.unit_price
    if more and not dearer:
        return (
            f"{plain(abs(more))} {'more' if more > 0 else 'fewer'} {title(new)} ({plain(old.quantity)} -> {plain(new.quantity)})"
        )
    if dearer and not more:
        return f"{title(new)}: price {plain(old.unit_price)} -> {plain(new.unit_price)}"
    if not more:
        return f"{title(new)}: {old.amount} before, {new.amount} now"
    return (
        f"{title(new)}: quantity {plain(old.quantity)} -> {plain(new.quantity)},"
        f" price {plain(old.unit_price)} -> {plain(new.unit_price)}"
    )


def plain(number: Decimal) -> str:
    """Without the zeros that a database or an API puts behind the point."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def in_force(line: BreakdownLine) -> str:
    """From its first day to its last."""
    if line.starts is None and line.ends is None:
        return ""
    return f"{line.starts.isoformat() if line.starts else '...'} to {last_day(line.ends) if line.ends else '...'}"


def last_day(ends: date) -> str:
    """Of a half-open interval, as a person counts."""
    return (ends - timedelta(days=1)).isoformat()
