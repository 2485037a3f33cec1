"""Open bills that could be the bill of two periods while no charge waits for one of them: nobody would collect them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from connector.flows.bills import UnitBills
from connector.flows.desk import Desk
from connector.model.bills import billed_by
from connector.model.drift import Drift, unplaced
from connector.model.invoice import PsaInvoice
from connector.store import holds


def unplaced_bills(desk: Desk, bills: Iterable[UnitBills], *, since: date) -> Iterator[Drift]:
    """One difference each, for what is dated since that day. A charge that is held for it says so already."""
    with desk.store.read() as tx:
        told = " ".join(hold.message for hold in holds.active(tx) if hold.name == "ambiguous_invoice")
    for one in bills:
        for invoice in one.bills.unsure:
            if invoice.dated >= since and _is_due(desk, invoice) and f" {invoice.number} (" not in told:
                yield unplaced(one.unit, billed_by(one.unit, invoice.dated), invoice)


def _is_due(desk: Desk, invoice: PsaInvoice) -> bool:
    return invoice.balance.minor > 0 and (invoice.due_date or invoice.dated) < desk.today()
