"""What the three-way check compares: every period of every billing unit that was billed or charged, with its charges."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from connector.flows import agreements
from connector.flows.bills import UnitBills, read_bills
from connector.flows.desk import Desk
from connector.flows.naming import name_of
from connector.model.agreement import BillingUnit
from connector.model.charge import Charge
from connector.model.invoice import PsaInvoice
from connector.model.ledger import LedgerEntry
from connector.model.period import Period
from connector.store import charges, ledger


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """One period of one billing unit. `bill`: the charge's invoice, or the one that was made in its place."""

    unit: str
    name: str
    period: Period
    charge: Charge | None
    bill: PsaInvoice | None
    further: tuple[PsaInvoice, ...]
    entries: tuple[LedgerEntry, ...]
    invoices: tuple[PsaInvoice, ...] = ()  # everything billed to the unit, credit memos among it
    also: tuple[Charge, ...] = ()  # supplementary charges for what the same invoice was raised by

    @property
    def charges(self) -> tuple[Charge, ...]:
        return (self.charge, *self.also) if self.charge else ()

    @property
    def number(self) -> str:
        return self.bill.number if self.bill else self.charge.psa_number if self.charge else ""

    @property
    def payer(self) -> str:
        return (self.charge.payer if self.charge else "") or (self.bill.payer if self.bill else "")

    @property
    def currency(self) -> str:
        known = self.charge.currency if self.charge else ""
        return known or (self.bill.total.currency if self.bill else "")

    def moved(self) -> bool:
        """What was written for this charge stands on an invoice that is no more."""
        bound = self.charge.psa_invoice if self.charge and self.entries else ""
        return bool(bound) and self.bill is not None and self.bill.id != bound


def subjects_since(desk: Desk, since: date) -> tuple[list[Subject], Collection[UnitBills]]:
    with desk.store.read() as tx:
        recorded = _by_invoice([c for c in charges.every(tx) if c.period.end >= since])
    alive, _ = agreements.billing_units(desk, agreements.stored_reading(desk))
    charged = {unit for unit, _, _ in recorded}
    known = {unit.key: unit for unit in alive if unit.collect or unit.key in charged}
    # A year's bill is dated long before the days in question, and its charge is among them.
    bills = read_bills(desk, known.values(), since=min([since, *(period.start for _, period, _ in recorded)]))
    keys = recorded.keys() | {(unit, period, 0) for unit, period in _billed(bills, since)}
    unreadable = {key for key, unit_bills in bills.items() if unit_bills.unreadable}
    ordered = sorted((key for key in keys if key[0] not in unreadable), key=lambda key: (key[0], key[1].start, key[2]))
    of_period: dict[tuple[str, Period], list[Charge]] = {}
    for charge in (charge for together in recorded.values() for charge in together):
        of_period.setdefault((charge.unit, charge.period), []).append(charge)
    found = [_subject(desk, known, bills, recorded.get(key, ()), of_period.get(key[:2], []), *key[:2]) for key in ordered]
    return found, bills.values()


def _by_invoice(every: Sequence[Charge]) -> dict[tuple[str, Period, int], tuple[Charge, ...]]:
    """By unit, period and number of the first one: charges for one invoice of the PSA are compared with it together."""
    first: dict[tuple[str, Period, str], int] = {}
    found: dict[tuple[str, Period, int], tuple[Charge, ...]] = {}
    for charge in every:
        invoice = charge.psa_invoice or charge.id
        number = first.setdefault((charge.unit, charge.period, invoice), charge.number)
        key = (charge.unit, charge.period, number)
        found[key] = (*found.get(key, ()), charge)
    return found


def _billed(bills: Mapping[str, UnitBills], since: date) -> set[tuple[str, Period]]:
    return {
        (key, period)
        for key, unit_bills in bills.items()
        for period, invoices in unit_bills.bills.by_period.items()
        if any(invoice.dated >= since for invoice in invoices)
    }


def _subject(
    desk: Desk,
    known: Mapping[str, BillingUnit],
    bills: Mapping[str, UnitBills],
    together: Sequence[Charge],
    of_period: Sequence[Charge],
    unit: str,
    period: Period,
) -> Subject:
    charge = together[0] if together else None
    others = {c.psa_invoice for c in of_period if c not in together}
    found = [invoice for invoice in bills[unit].bills.of(period) if invoice.id not in others] if unit in bills else []
    bill = _bill(desk, charge, found)
    with desk.store.read() as tx:
        called = name_of(tx, charge) if charge is not None else unit
        entries = tuple(entry for c in together for entry in ledger.entries(tx, charge=c.id))
    name = known[unit].name if unit in known else called
    return Subject(
        unit=unit,
        name=f"{name}, billed in addition" if charge is not None and charge.number else name,
        period=period,
        charge=charge,
        bill=bill,
        further=tuple(other for other in found if bill is not None and other.id != bill.id and not (charge and charge.number)),
        entries=entries,
        invoices=bills[unit].invoices if unit in bills else (),
        also=tuple(together[1:]),
    )


def _bill(desk: Desk, charge: Charge | None, found: Sequence[PsaInvoice]) -> PsaInvoice | None:
    """The agreement may have left the filter since; its invoice is there all the same."""
    bound = charge.psa_invoice if charge else ""
    mine = next((invoice for invoice in found if invoice.id == bound), None)
    lost = mine is None and bound and not found
    return desk.psa.invoice(bound) if lost else mine or (found[0] if found else None)
