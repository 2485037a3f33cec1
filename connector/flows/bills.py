"""The PSA's invoices of the billing units in question, each given its period."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from connector.flows import agreements
from connector.flows.desk import Desk
from connector.model.agreement import BillingUnit
from connector.model.bills import Bills, match_bills
from connector.model.invoice import PsaInvoice, UnreadableInvoice
from connector.model.period import Period, bill_date
from connector.store import charges

LOOK_BACK = timedelta(days=31)  # and a cycle: the period before has its bill, so that an early one is told apart
MONTH = timedelta(days=31)


@dataclass(frozen=True, kw_only=True, slots=True)
class UnitBills:
    """One unit's bills, and every invoice that was read for it. While one is `unreadable` nobody can say what is owed."""

    unit: BillingUnit
    bills: Bills
    invoices: tuple[PsaInvoice, ...]
    unreadable: tuple[UnreadableInvoice, ...] = ()


def read_bills(desk: Desk, units: Iterable[BillingUnit], *, since: date) -> dict[str, UnitBills]:
    """Read once for all units; an invoice that a charge is bound to keeps its period."""
    wanted = list(units)
    found: dict[str, list[PsaInvoice]] = {}
    unreadable: dict[str, list[UnreadableInvoice]] = {}
    owner = {ref: unit.key for unit in wanted for ref in agreements.refs(unit)}
    for invoice in _invoices(desk, wanted, since):
        for key in {owner[ref] for ref in invoice.agreements if ref in owner}:
            if isinstance(invoice, UnreadableInvoice):
                unreadable.setdefault(key, []).append(invoice)
            else:
                found.setdefault(key, []).append(invoice)
    bound = _bound(desk)
    early = desk.settings.invoice_early_days
    return {
        unit.key: UnitBills(
            unit=unit,
            bills=match_bills(unit, found.get(unit.key, []), early_days=early, bound=bound.get(unit.key)),
            invoices=tuple(found.get(unit.key, [])),
            unreadable=tuple(unreadable.get(unit.key, [])),
        )
        for unit in wanted
    }


def _invoices(desk: Desk, units: Iterable[BillingUnit], since: date) -> Iterator[PsaInvoice | UnreadableInvoice]:
    """The few with a long cycle are read apart, further back: for the others that would be a year's invoices each time."""
    long: list[BillingUnit] = []
    usual: list[BillingUnit] = []
    for unit in units:
        (long if unit.cycle.months > 1 else usual).append(unit)
    for group in (usual, long):
        if group:
            back = LOOK_BACK + MONTH * max(unit.cycle.months for unit in group)
            yield from desk.psa.invoices([ref for unit in group for ref in agreements.refs(unit)], since=since - back)


def open_periods(unit_bills: UnitBills, *, from_: date, today: date) -> list[tuple[Period, PsaInvoice]]:
    """Periods billed from that day on, with one open bill each."""
    return [
        (period, bills[0])
        for period, bills in sorted(unit_bills.bills.by_period.items())
        if len(bills) == 1 and bills[0].balance.minor > 0 and bills[0].dated >= from_
        if bill_date(period, unit_bills.unit.timing) <= today
    ]


def _bound(desk: Desk) -> Mapping[str, Mapping[str, Period]]:
    result: dict[str, dict[str, Period]] = {}
    with desk.store.read() as tx:
        for charge in charges.every(tx):
            if charge.psa_invoice:
                result.setdefault(charge.unit, {})[charge.psa_invoice] = charge.period
    return result
