"""Charges that the store has lost: each invoice of ours at the gateway bears the id of its charge, or is of a unit's period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection

from connector.flows import elsewhere
from connector.flows.bills import read_bills
from connector.flows.desk import Desk
from connector.model.agreement import BillingUnit
from connector.model.bills import period_of_draft
from connector.model.charge import Charge, ChargeState, charge_id
from connector.model.invoice import GatewayInvoice, GatewayInvoiceState, PsaInvoice
from connector.model.other import PREFIX, is_other
from connector.model.period import Period, add_months, bill_date, period_of
from connector.model.pricing import computed
from connector.store import charges


@dataclass(frozen=True, kw_only=True, slots=True)
class Lost:
    charge: Charge
    invoice: GatewayInvoice


@dataclass(frozen=True, kw_only=True, slots=True)
class _Named:
    """What a charge's id says."""

    unit: str
    start: date
    number: int


def lost(
    desk: Desk, units: Mapping[str, BillingUnit], invoices: Sequence[GatewayInvoice]
) -> tuple[tuple[Lost, ...], tuple[str, ...]]:
    """Those that can be taken over, and sentences about the others."""
    found: dict[str, Lost] = {}
    unclear: list[str] = []
    for invoice in invoices:
        named = _named(units, invoice)
        if named is None or _is_known(desk, invoice) or _comes_by_itself(named, invoice):
            continue
        charge = _charge(desk, units, named, invoice)
        with desk.store.read() as tx:
            other = charges.get(tx, charge.id)
        if charge.id in found or (other is not None and other.gateway_invoice not in ("", invoice.id)):
            there = found[charge.id].invoice.id if charge.id in found else other.gateway_invoice if other else ""
            unclear.append(f"Invoice {invoice.id} ({invoice.total}, {invoice.state}) names charge {charge.id}, as {there} does.")
        else:
            found[charge.id] = Lost(charge=charge, invoice=invoice)
    return tuple(found.values()), tuple(unclear)


def take(desk: Desk, one: Lost) -> None:
    with desk.store.begin() as tx:
        charge = _kept(tx, desk, one)
    if one.invoice.state is not GatewayInvoiceState.DRAFT and charge.state in elsewhere.UNFINISHED:
        elsewhere.mark_released(desk, charge, one.invoice)


def _kept(tx: Connection, desk: Desk, one: Lost) -> Charge:
    charge, _ = charges.ensure(tx, one.charge, now=desk.now())
    if not charge.gateway_invoice:
        charge = charges.update(tx, charge.id, gateway_invoice=one.invoice.id, now=desk.now())
    return charge


def _is_known(desk: Desk, invoice: GatewayInvoice) -> bool:
    with desk.store.read() as tx:
        return charges.by_gateway_invoice(tx, invoice.id) is not None


def _comes_by_itself(named: _Named, invoice: GatewayInvoice) -> bool:
    """A draft of a period finds its charge in the next round of release."""
    return invoice.state is GatewayInvoiceState.DRAFT and not named.number and not is_other(named.unit)


def _named(units: Mapping[str, BillingUnit], invoice: GatewayInvoice) -> _Named | None:
    if invoice.charge:
        unit, _, rest = invoice.charge.partition("/")
        start, _, number = rest.partition("/")
        return _Named(unit=unit, start=date.fromisoformat(start), number=int(number or 0))
    unit_found = units.get(invoice.unit)
    period = period_of_draft(unit_found, invoice.bills_on) if unit_found else None
    return _Named(unit=invoice.unit, start=period.start, number=0) if period else None


def _charge(desk: Desk, units: Mapping[str, BillingUnit], named: _Named, invoice: GatewayInvoice) -> Charge:
    unit = units.get(named.unit)
    period = _period(unit, named)
    bill = _bill(desk, unit, named, period, invoice)
    return Charge(
        id=charge_id(named.unit, period, named.number),
        unit=named.unit,
        period=period,
        number=named.number,
        state=ChargeState.WAITING,
        currency=invoice.total.currency,
        computed=computed(unit, period) if unit and not named.number else invoice.total,
        payer=unit.payer.key if unit else bill.payer if bill else "",
        gateway_invoice=invoice.id,
        psa_invoice=bill.id if bill else "",
        psa_number=bill.number if bill else "",
    )


def _period(unit: BillingUnit | None, named: _Named) -> Period:
    if unit is not None:
        found = period_of(unit.anchor, unit.cycle, named.start)
        return found if found.start == named.start else Period(named.start, found.end)
    one_day = is_other(named.unit)
    return Period(named.start, named.start + timedelta(days=1) if one_day else add_months(named.start, 1))


def _bill(desk: Desk, unit: BillingUnit | None, named: _Named, period: Period, invoice: GatewayInvoice) -> PsaInvoice | None:
    """The regular charge finds its bill by its period, when it is delivered. A further one stands for the invoice that it was
    made for: the one over the same amount, if there is but one."""
    if is_other(named.unit):
        return desk.psa.invoice(named.unit.partition(":")[2].removeprefix(PREFIX))
    if unit is None or not named.number:
        return None
    bills = read_bills(desk, [unit], since=bill_date(period, unit.timing))[unit.key].bills.of(period)
    same = [bill for bill in bills if bill.total == invoice.total]
    return same[0] if len(same) == 1 else None
