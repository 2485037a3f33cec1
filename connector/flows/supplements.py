"""Supplementary charges: a period that was charged and is billed again gets one more charge, with a draft of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

import structlog

from connector.errors import OutcomeUnknown, Rejected
from connector.flows import again, holding, late
from connector.flows.bills import UnitBills
from connector.flows.by_hand import collect_since, draft_by_hand
from connector.flows.desk import Desk
from connector.model.agreement import BillingUnit
from connector.model.charge import Charge, ChargeState, charge_id
from connector.model.guards import Reason
from connector.model.invoice import Adjustment, GatewayInvoice, PsaInvoice
from connector.model.period import Period, bill_date
from connector.model.release import COMPUTED
from connector.model.supplement import UNFINISHED, charged, further, remainder
from connector.store import audit, charges
from connector.store import units as unit_rows

log = structlog.get_logger(__name__)


def supplements(desk: Desk, units: Mapping[str, BillingUnit], bills: Mapping[str, UnitBills]) -> list[GatewayInvoice]:
    """A charge for everything billed beyond what was charged, and the drafts that are made for them."""
    for unit, period, bill in _billed_again(desk, units, bills):
        _add(desk, unit, period, bill)
    with desk.store.read() as tx:
        waiting = [c for c in charges.every(tx, UNFINISHED) if c.number and not c.gateway_invoice and c.unit in units]
        collected_again = again.every(tx)
    if not waiting:
        return []
    live = {s.subscription.unit: s for s in desk.gateway.subscriptions()}
    drafts: list[GatewayInvoice] = []
    for charge in waiting:
        if charge.unit not in live:
            holding.hold(desk, charge, (_no_subscription(charge),))
            continue
        line = Adjustment(slot=COMPUTED, description=again.describe(charge, collected_again), amount=charge.computed)
        day = bill_date(charge.period, units[charge.unit].timing)
        try:
            drafts.append(_bound(desk, charge, draft_by_hand(desk, live[charge.unit], charge.id, day, line)))
        except (Rejected, OutcomeUnknown) as error:
            log.warning("no draft could be made", charge=charge.id, error=str(error))
    return drafts


def _bound(desk: Desk, charge: Charge, draft: GatewayInvoice) -> GatewayInvoice:
    with desk.store.begin() as tx:
        charges.update(tx, charge.id, gateway_invoice=draft.id, now=desk.now())
    return draft


def _no_subscription(charge: Charge) -> Reason:
    return Reason(
        name="no_subscription",
        message=f"invoice {charge.psa_number} was billed in addition, and the agreement has no subscription any more",
        way_on="collect it outside autopay and enter the payment in the PSA, or delete the invoice there: this charge ends then",
    )


def _billed_again(
    desk: Desk, units: Mapping[str, BillingUnit], bills: Mapping[str, UnitBills]
) -> Iterator[tuple[BillingUnit, Period, PsaInvoice]]:
    with desk.store.read() as tx:
        since = {row.key: collect_since(desk, row) for row in unit_rows.every(tx)}
        of_period: dict[tuple[str, Period], list[Charge]] = {}
        for charge in charges.every(tx):
            of_period.setdefault((charge.unit, charge.period), []).append(charge)
    for (key, period), found in of_period.items():
        unit, unit_bills = units.get(key), bills.get(key)
        if unit is None or unit_bills is None or not unit.collect or unit_bills.unreadable:
            continue
        for bill in further(unit_bills.bills.of(period), found):
            left = left_of(desk, bill, found)
            if bill.dated >= since.get(key, date.max) and left.balance.minor > 0:
                yield unit, period, left


def left_of(desk: Desk, bill: PsaInvoice, others: Sequence[Charge]) -> PsaInvoice:
    """What no other charge stands for: the invoice itself, or what is left of one that was charged before."""
    on_it = [charge for charge in others if charge.psa_invoice == bill.id]
    if not on_it:
        return bill
    currency = bill.total.currency
    stands_for = charged(on_it, currency) - again.given_up(desk, on_it, currency)
    return remainder(bill, charged=stands_for, late=late.of_all(desk, on_it, currency)[0])


def _add(desk: Desk, unit: BillingUnit, period: Period, bill: PsaInvoice) -> None:
    """Written ahead, bound to its invoice: after a restart the same invoice is the same charge's."""
    with desk.store.begin() as tx:
        number = 1 + max(c.number for c in charges.of_unit(tx, unit.key) if c.period == period)
        charge = Charge(
            id=charge_id(unit.key, period, number),
            unit=unit.key,
            period=period,
            number=number,
            state=ChargeState.WAITING,
            currency=unit.currency,
            computed=bill.subtotal,
            payer=unit.payer.key,
            psa_invoice=bill.id,
            psa_number=bill.number,
            owed=bill.balance,
        )
        charges.ensure(tx, charge, now=desk.now())
        what = f"supplementary charge {charge.id} for invoice {bill.number}"
        audit.write(tx, who=desk.settings.worker, what=what, after={"open": str(bill.balance)}, now=desk.now())
