"""Invoices of ours at the gateway that are the charge of nothing.

A draft that a subscription made on a day that is no bill day of its agreement any more, because the agreement was renewed with
another one while the agent was down. Nothing collects it, and after some days it is written off, so that nobody finalizes it by
mistake. What was finalized all the same is told by reconciliation: it is in no ledger.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta

from connector.errors import OutcomeUnknown, Rejected, RetryLater
from connector.flows.by_hand import collect_since
from connector.flows.desk import Desk
from connector.flows.reconcile_facts import net_at_gateway
from connector.model.drift import Drift
from connector.model.invoice import GatewayInvoice, GatewayInvoiceState
from connector.model.money import Money
from connector.model.release import GONE_DAYS
from connector.store import audit, charges, units
from connector.store.units import UnitRow


def write_off_strays(desk: Desk, drafts: Sequence[GatewayInvoice], unknown: Collection[str]) -> tuple[list[str], list[str]]:
    """Of the `unknown` ones those that are still nothing's after GONE_DAYS: ids of the written off, and what was refused.

    One that a charge stands for ends with its charge (`gone`). Should the agreement take its old bill day again, and its period
    be billed, a draft is made by hand as for any other.
    """
    done, failed = [], []
    before = desk.today() - timedelta(days=GONE_DAYS)
    with desk.store.read() as tx:
        charged = {draft.id for draft in drafts if charges.by_gateway_invoice(tx, draft.id) or charges.get(tx, draft.charge)}
    for draft in drafts:
        if draft.id not in unknown or draft.id in charged or draft.bills_on > before:
            continue
        try:
            desk.gateway.write_off(draft)
        except (Rejected, OutcomeUnknown, RetryLater) as error:
            failed.append(f"draft {draft.id} of {draft.unit}, which is of no period: {error}")
            continue
        done.append(draft.id)
        _noted(desk, draft)
    return done, failed


def _noted(desk: Desk, draft: GatewayInvoice) -> None:
    what = f"wrote off draft {draft.id} of {draft.unit}, {draft.total}, made for {draft.bills_on.isoformat()}"
    why = f"for {GONE_DAYS} days it has belonged to no period of the agreement"
    with desk.store.begin() as tx:
        audit.write(tx, who=desk.settings.worker, what=what, why=why, now=desk.now())


def uncharged(desk: Desk, *, since: date) -> Iterator[Drift]:
    """One difference for each that asks for money, or has some, and that no charge stands for."""
    with desk.store.read() as tx:
        known = {charge.gateway_invoice for charge in charges.every(tx)}
        rows = {row.key: row for row in units.every(tx)}
    for invoice in desk.gateway.invoices_since(datetime.combine(since, time(), UTC)):
        row = rows.get(invoice.unit)
        if invoice.id in known or row is None or invoice.bills_on < collect_since(desk, row):
            continue
        kept = net_at_gateway(desk, invoice.id, invoice.total.currency) if invoice.amount_paid else invoice.amount_paid
        if kept.minor > 0 or (invoice.state is GatewayInvoiceState.OPEN and invoice.amount_remaining.minor > 0):
            yield _uncharged(row, invoice, kept)


def _uncharged(row: UnitRow, invoice: GatewayInvoice, kept: Money) -> Drift:
    said = f"paid with {kept}" if kept.minor else "open"
    number = invoice.number or invoice.id
    return Drift(
        kind="invoice_uncharged",
        unit=row.key,
        name=row.name,
        period=None,
        message=(
            f"the gateway's invoice {number} of {invoice.bills_on.isoformat()} over {invoice.total} is {said}, and it is of no"
            " period of the agreement: it is in neither the PSA nor the books"
        ),
        repair=f"{f'refund {kept} of' if kept.minor else 'void'} {number} in the gateway's dashboard",
        about=invoice.id,
        amount=kept or invoice.amount_remaining,
    )
