"""Bills that nobody would collect: open ones that could be of two periods while no charge waits for one, and those that cannot be
read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from connector.flows.bills import UnitBills
from connector.flows.desk import Desk
from connector.model.agreement import BillingUnit
from connector.model.bills import billed_by
from connector.model.drift import Drift
from connector.model.invoice import PsaInvoice, UnreadableInvoice
from connector.model.period import Period
from connector.store import holds


def unplaced_bills(desk: Desk, bills: Iterable[UnitBills], *, since: date) -> Iterator[Drift]:
    """One difference each, for what is dated since that day. A charge that is held for it says so already."""
    with desk.store.read() as tx:
        told = " ".join(hold.message for hold in holds.active(tx) if hold.name == "ambiguous_invoice")
    for one in bills:
        for invoice in one.bills.unsure:
            if invoice.dated >= since and _is_due(desk, invoice) and f" {invoice.number} (" not in told:
                yield _unplaced(one.unit, billed_by(one.unit, invoice.dated), invoice)


def unreadable_bills(bills: Iterable[UnitBills]) -> Iterator[Drift]:
    """One difference each: of such a billing unit nothing else is compared."""
    for one in bills:
        for invoice in one.unreadable:
            yield _unreadable(one.unit, invoice)


def _unplaced(unit: BillingUnit, period: Period, invoice: PsaInvoice) -> Drift:
    """`period`: the one on whose dates the invoice lies."""
    return Drift(
        kind="unplaced_invoice",
        unit=unit.key,
        name=unit.name,
        period=period,
        message=f"invoice {invoice.number} is due and open with {invoice.balance}, and could be the bill of two periods",
        repair="it is placed by itself once the next period has an invoice; or date it on its period's bill date in the PSA",
    )


def _unreadable(unit: BillingUnit, invoice: UnreadableInvoice) -> Drift:
    """`period`: the agreement's life, as its dates may be what cannot be read."""
    return Drift(
        kind="unreadable_invoice",
        unit=unit.key,
        name=unit.name,
        period=Period(unit.starts, unit.ends or date.max),
        message=f"{invoice.message}; nothing of this agreement is charged or compared meanwhile",
        repair="open the invoice in the PSA and correct it, or report it",
    )


def _is_due(desk: Desk, invoice: PsaInvoice) -> bool:
    return invoice.balance.minor > 0 and (invoice.due_date or invoice.dated) < desk.today()
