"""Which PSA invoice is the bill of which period.

A ConnectWise invoice names its agreement but not its period: it is derived from the invoice's date and the cycle.
Bills come in the order of their periods, may be dated some days ahead of the bill date (`early_days`) or late.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from connector.model.agreement import BillingUnit
from connector.model.invoice import PsaInvoice, PsaInvoiceKind
from connector.model.period import Period, bill_date, nth_period, period_number
from connector.model.pricing import computed

HABIT_DAYS = 3  # bills that come so many days earlier or later than the last ones come as always


@dataclass(frozen=True, kw_only=True, slots=True)
class Bills:
    """Per period its invoices: exactly one is the bill, several are a question for a person. `unsure`: no one period fits."""

    by_period: Mapping[Period, tuple[PsaInvoice, ...]]
    unsure: tuple[PsaInvoice, ...]

    def of(self, period: Period) -> tuple[PsaInvoice, ...]:
        return self.by_period.get(period, ())


def match_bills(
    unit: BillingUnit, invoices: Iterable[PsaInvoice], *, early_days: int, bound: Mapping[str, Period] | None = None
) -> Bills:
    """Give every agreement invoice of the unit its period, oldest first.

    `bound`: invoice id -> period, as decided before; an earlier decision is kept.
    An invoice dated in the days before a bill date may be the coming period's early bill only if the period that covers
    its date has a bill already, or is before the unit began. If that period has none, it is the late bill of it when it is
    the next to be billed; else, or when it had a bill that is gone, either could be meant: `unsure`. If it has one, the
    invoice may also be an addition to it: see `_early_or_added`.
    """
    found: dict[Period, list[PsaInvoice]] = {}
    unsure: list[PsaInvoice] = []
    bound = bound or {}
    candidates = [i for i in invoices if i.kind is PsaInvoiceKind.AGREEMENT and not i.voided]
    for invoice in sorted(candidates, key=lambda i: (i.id not in bound, i.dated, i.id)):
        period = bound.get(invoice.id) or _period_for(unit, invoice, early_days, found, bound, candidates)
        if period is None:
            unsure.append(invoice)
        else:
            found.setdefault(period, []).append(invoice)
    return Bills(by_period={period: tuple(bills) for period, bills in found.items()}, unsure=tuple(unsure))


def billed_by(unit: BillingUnit, day: date) -> Period:
    """The period whose bill date is the latest one on or before this day."""
    number = period_number(unit.anchor, unit.cycle, day) + 1
    while bill_date(period := nth_period(unit.anchor, unit.cycle, number), unit.timing) > day:
        number -= 1
    return period


def following(unit: BillingUnit, period: Period) -> Period:
    return nth_period(unit.anchor, unit.cycle, period_number(unit.anchor, unit.cycle, period.start) + 1)


def preceding(unit: BillingUnit, period: Period) -> Period:
    return nth_period(unit.anchor, unit.cycle, period_number(unit.anchor, unit.cycle, period.start) - 1)


def period_of_draft(unit: BillingUnit, bills_on: date, *, tolerance_days: int = 3) -> Period | None:
    """The period that the gateway's draft of this day stands for; None when it is off the unit's bill dates.

    Tolerant by some days: the gateway counts the 31st of short months in its own way.
    """
    for day in (bills_on, bills_on + timedelta(days=tolerance_days)):
        period = billed_by(unit, day)
        if abs((bill_date(period, unit.timing) - bills_on).days) <= tolerance_days:
            return period
    return None


def _period_for(
    unit: BillingUnit,
    invoice: PsaInvoice,
    early_days: int,
    found: Mapping[Period, Sequence[PsaInvoice]],
    bound: Mapping[str, Period],
    every: Collection[PsaInvoice],
) -> Period | None:
    dated, decided = invoice.dated, bound.values()
    covering = billed_by(unit, dated)
    coming = following(unit, covering)
    is_early = (bill_date(coming, unit.timing) - dated).days <= early_days
    if covering.end <= unit.starts:
        return coming
    if not is_early:
        return covering
    if covering in found:
        return _early_or_added(unit, invoice, covering, found[covering], [i for i in every if i.id != invoice.id])
    if bill_date(covering, unit.timing) == dated:
        return covering
    return covering if covering not in decided and _is_next(unit, covering, found) else None


def _early_or_added(
    unit: BillingUnit, invoice: PsaInvoice, covering: Period, bills: Sequence[PsaInvoice], others: Iterable[PsaInvoice]
) -> Period | None:
    """The period on whose dates it lies has its bill: this is the coming one's early bill, or an addition to that period.

    Early, if that period's own bill came as early; added, if another invoice is dated on the coming bill date; early
    again, if it comes to what that period's bill did, or to what the agreement says for the coming one. Else nobody can tell.
    """
    coming = following(unit, covering)
    ahead = (bill_date(coming, unit.timing) - invoice.dated).days
    if abs((bill_date(covering, unit.timing) - bills[0].dated).days - ahead) <= HABIT_DAYS:
        return coming
    if any(abs((other.dated - bill_date(coming, unit.timing)).days) <= HABIT_DAYS for other in others):
        return covering
    if invoice.subtotal in (bills[0].subtotal, computed(unit, coming)):
        return coming
    return None


def _is_next(unit: BillingUnit, period: Period, found: Mapping[Period, object]) -> bool:
    """Whether this period is the next to be billed: the one before has its bill, or there is none before."""
    return preceding(unit, period) in found or period.start <= unit.starts
