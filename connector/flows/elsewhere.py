"""Invoices at the gateway that somebody else released, or that the gateway finalized because somebody un-paused their
subscription: they are the charge of their period, so that it is not collected a second time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

from connector.flows import collect
from connector.flows.desk import Desk
from connector.model.agreement import BillingUnit
from connector.model.bills import period_of_draft
from connector.model.charge import Charge, ChargeState, charge_id
from connector.model.invoice import GatewayInvoice, GatewayInvoiceState
from connector.model.money import Money
from connector.model.period import Period
from connector.model.pricing import computed
from connector.model.release import CLOSED
from connector.store import audit, charges, holds, settings

UNFINISHED = (ChargeState.WAITING, ChargeState.HELD)
LOOK_BACK = timedelta(days=3)
_LOOKED_ON = "released_elsewhere"


def ensure_charge(desk: Desk, unit: BillingUnit, period: Period, invoice: GatewayInvoice) -> Charge:
    """The period's one charge; this invoice is its own if it is the first."""
    amount = computed(unit, period)
    new = Charge(
        id=charge_id(unit.key, period),
        unit=unit.key,
        period=period,
        number=0,
        state=ChargeState.WAITING,
        currency=unit.currency,
        computed=amount,
        payer=unit.payer.key,
        gateway_invoice=invoice.id,
    )
    with desk.store.begin() as tx:
        charge, _ = charges.ensure(tx, new, now=desk.now())
        if charge.state in UNFINISHED and charge.computed != amount:
            charge = charges.update(tx, charge.id, computed=amount, now=desk.now())
    return charge


def tidy(desk: Desk, drafts: Sequence[GatewayInvoice]) -> None:
    """A charge whose draft is no draft any more: we released it and crashed, or somebody did it in the dashboard."""
    there = {draft.id for draft in drafts}
    with desk.store.read() as tx:
        lost = [c for c in charges.every(tx, UNFINISHED) if c.gateway_invoice and c.gateway_invoice not in there]
    for charge in lost:
        invoice = desk.gateway.invoice(charge.gateway_invoice)
        if invoice is not None and invoice.state is not GatewayInvoiceState.DRAFT:
            mark_released(desk, charge, _written_off(desk, charge, invoice))


def _written_off(desk: Desk, charge: Charge, invoice: GatewayInvoice) -> GatewayInvoice:
    """We died between finalizing what is not to be collected and voiding it. Where it was closed differently a person decides."""
    with desk.store.read() as tx:
        asked = any(hold.name == CLOSED for hold in holds.active(tx, charge.id))
    began = charge.owed is not None and not charge.owed and bool(charge.breakdown) and not asked
    untouched = invoice.state is GatewayInvoiceState.OPEN and not (
        invoice.auto_advance or invoice.attempts or invoice.amount_paid
    )
    return desk.gateway.write_off(invoice) if began and untouched else invoice


def take_over_daily(desk: Desk, units: Mapping[str, BillingUnit]) -> None:
    """Once a day: a period that was collected without us may have no bill in the PSA that would make us look."""
    today = desk.today()
    with desk.store.read() as tx:
        if settings.get(tx, _LOOKED_ON) == today.isoformat():
            return
    take_over(desk, units, since=today - LOOK_BACK)
    with desk.store.begin() as tx:
        settings.set(tx, _LOOKED_ON, today.isoformat(), now=desk.now())


def take_over(desk: Desk, units: Mapping[str, BillingUnit], *, since: date) -> None:
    """Every invoice of ours that is no draft and that no charge knows becomes the charge of its period."""
    begins = datetime.combine(since, time(), UTC)
    for invoice in desk.gateway.invoices_since(begins):
        unit = units.get(invoice.unit)
        period = period_of_draft(unit, invoice.bills_on) if unit else None
        if unit is None or period is None or invoice.state is GatewayInvoiceState.DRAFT or _is_known(desk, invoice):
            continue
        charge = ensure_charge(desk, unit, period, invoice)
        if charge.gateway_invoice == invoice.id:
            mark_released(desk, charge, invoice)


def _is_known(desk: Desk, invoice: GatewayInvoice) -> bool:
    with desk.store.read() as tx:
        named = charges.get(tx, invoice.charge) if invoice.charge else None
        return charges.by_gateway_invoice(tx, invoice.id) is not None or (named is not None and named.number > 0)


def _was_closed(invoice: GatewayInvoice) -> bool:
    return invoice.state in (GatewayInvoiceState.VOID, GatewayInvoiceState.UNCOLLECTIBLE) and not invoice.amount_paid


def _state(charge: Charge, invoice: GatewayInvoice) -> ChargeState:
    """Closed with nothing owed: that was us, who died before it was noted."""
    nothing_owed = charge.owed is not None and not charge.owed
    return ChargeState.WRITTEN_OFF if _was_closed(invoice) and nothing_owed else ChargeState.RELEASED


def mark_released(desk: Desk, charge: Charge, invoice: GatewayInvoice) -> None:
    state = _state(charge, invoice)
    with desk.store.begin() as tx:
        charge = charges.update(
            tx,
            charge.id,
            state=state,
            owed=Money.zero(charge.currency) if _was_closed(invoice) else invoice.total,
            released_at=charge.released_at or (desk.now() if state is ChargeState.RELEASED else None),
            now=desk.now(),
        )
        holds.replace(tx, charge.id, [], now=desk.now())
        what = f"found {invoice.state} the gateway's invoice {invoice.id} of charge {charge.id}"
        audit.write(tx, who=desk.settings.worker, what=what, after={"total": str(invoice.total)}, now=desk.now())
    collect.settle(desk, charge)
