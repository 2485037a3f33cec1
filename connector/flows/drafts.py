"""Drafts and the charges they stand for: one draft a charge, one charge a period; made by hand where none was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from connector.errors import OutcomeUnknown, Rejected
from connector.flows import holding
from connector.flows.bills import UnitBills, open_periods
from connector.flows.by_hand import collect_since, draft_by_hand, nothing_live
from connector.flows.desk import Desk
from connector.flows.elsewhere import UNFINISHED, ensure_charge, take_over
from connector.model.agreement import BillingUnit
from connector.model.bills import period_of_draft
from connector.model.charge import Charge, charge_id
from connector.model.guards import Reason
from connector.model.invoice import Adjustment, GatewayInvoice
from connector.model.other import is_other
from connector.model.period import Period, bill_date
from connector.model.pricing import computed
from connector.model.release import COMPUTED, GONE_DAYS, LEFT_OUT, LEFT_OUT_WAY_ON
from connector.model.subscription import LiveSubscription
from connector.store import audit, charges, payers
from connector.store import units as unit_rows

log = structlog.get_logger(__name__)
DRAFT_GRACE = timedelta(days=1)  # the gateway makes its draft at midday UTC of the bill date; later we make it


def missing_drafts(
    desk: Desk, units: Mapping[str, BillingUnit], bills: Mapping[str, UnitBills], drafts: Sequence[GatewayInvoice]
) -> list[GatewayInvoice]:
    """Bills of periods for which the subscription made no draft, because it began later: the draft is made by hand."""
    wanted = _without_draft(desk, units, bills, drafts)
    if not wanted:
        return []
    # Before a second invoice of a period is made: is there one that is no draft any more, and that we never saw as one?
    take_over(desk, units, since=min(bill_date(period, unit.timing) for unit, period in wanted) - DRAFT_GRACE)
    wanted = _without_draft(desk, units, bills, drafts)
    live = {s.subscription.unit: s for s in desk.gateway.subscriptions()}
    found = ((live.get(unit.key) or _of_ended(desk, unit, period), unit, period) for unit, period in wanted)
    made = (_made_or_refused(desk, by, unit, period) for by, unit, period in found if by is not None)
    return [draft for draft in made if draft is not None]


def _of_ended(desk: Desk, unit: BillingUnit, period: Period) -> LiveSubscription | None:
    """What is billed after an agreement's last day is owed. One that goes on without a subscription is for a person to see to."""
    with desk.store.read() as tx:
        payer = payers.get(tx, unit.payer.key)
    if unit.ends is None or unit.ends > desk.today() or payer is None or not payer.customer:
        return None
    return nothing_live(
        desk,
        unit=unit.key,
        payer=unit.payer.key,
        customer=payer.customer,
        currency=unit.currency,
        day=bill_date(period, unit.timing),
        description=unit.name,
    )


def _made_or_refused(desk: Desk, live: LiveSubscription, unit: BillingUnit, period: Period) -> GatewayInvoice | None:
    """One that the gateway refuses, or whose outcome is not known yet, keeps nobody else's charge back."""
    try:
        return _draft_by_hand(desk, live, unit, period)
    except (Rejected, OutcomeUnknown) as error:
        log.warning("no draft could be made", unit=unit.key, period=str(period), error=str(error))
        return None


def _without_draft(
    desk: Desk, units: Mapping[str, BillingUnit], bills: Mapping[str, UnitBills], drafts: Sequence[GatewayInvoice]
) -> list[tuple[BillingUnit, Period]]:
    today = desk.today()
    drafted = {(d.unit, period_of_draft(units[d.unit], d.bills_on)) for d in drafts if d.unit in units}
    with desk.store.read() as tx:
        charged = {(c.unit, c.period) for c in charges.every(tx)}
        since = {row.key: collect_since(desk, row) for row in unit_rows.every(tx)}
    return [
        (unit, period)
        for key, unit in units.items()
        if unit.collect and key in bills and key in since
        for period, _ in open_periods(bills[key], from_=since[key], today=today - DRAFT_GRACE)
        if (key, period) not in drafted and (key, period) not in charged
    ]


def _draft_by_hand(desk: Desk, live: LiveSubscription, unit: BillingUnit, period: Period) -> GatewayInvoice:
    id = charge_id(unit.key, period)
    day = bill_date(period, unit.timing)
    line = Adjustment(slot=COMPUTED, description=live.subscription.description, amount=computed(unit, period))
    return draft_by_hand(desk, live, id, day, line)


def charges_of(
    desk: Desk, units: Mapping[str, BillingUnit], drafts: Sequence[GatewayInvoice]
) -> tuple[list[tuple[Charge, GatewayInvoice]], list[str]]:
    """Each draft's charge, and the drafts that belong to no period of a known billing unit.

    A draft that has a charge keeps it, wherever the agreement's bill day has moved to since. A second draft of a charge is
    written off: a period is charged once.
    """
    pairs: list[tuple[Charge, GatewayInvoice]] = []
    unknown: list[str] = []
    patience = holding.Patience()
    with desk.store.read() as tx:
        known = {draft.id: charges.by_gateway_invoice(tx, draft.id) or _supplement(tx, draft) for draft in drafts}
    for draft in sorted(drafts, key=lambda d: (d.bills_on, d.unit, d.id)):
        unit = units.get(draft.unit)
        bound = known[draft.id]
        if bound is not None and not bound.gateway_invoice and not draft.lines:
            continue  # we died before its line was on it: whoever makes it goes on with it
        if unit is not None and bound is not None:
            pairs.append((bound, draft))
            continue
        if unit is None and bound is not None and bound.state in UNFINISHED and not is_other(bound.unit):
            holding.hold(desk, bound, (_left_out(bound),))
        period = period_of_draft(unit, draft.bills_on) if unit else None
        if unit is None or period is None:
            unknown.append(draft.id)
            continue
        charge = ensure_charge(desk, unit, period, draft)
        if charge.gateway_invoice == draft.id:
            pairs.append((charge, draft))
        else:
            holding.guarded(desk, charge, partial(_write_off_second, desk, charge, draft), patience)
    return pairs, unknown


def _left_out(charge: Charge) -> Reason:
    number = f"invoice {charge.psa_number}" if charge.psa_number else f"the period {charge.period}"
    return Reason(
        name="not_opted_in",
        message=f"{LEFT_OUT}: nothing is collected for {number}",
        way_on=f"{LEFT_OUT_WAY_ON}; where nothing is open in the PSA this charge ends by itself after {GONE_DAYS} days",
    )


def _supplement(tx: Connection, draft: GatewayInvoice) -> Charge | None:
    """A draft made for a charge that does not know it yet because we died after making it."""
    charge = charges.get(tx, draft.charge) if draft.charge else None
    ours = charge is not None and (charge.number > 0 or is_other(charge.unit))
    return charge if ours and charge is not None and not charge.gateway_invoice else None


def _write_off_second(desk: Desk, charge: Charge, draft: GatewayInvoice) -> None:
    desk.gateway.write_off(draft)
    with desk.store.begin() as tx:
        audit.write(
            tx,
            who=desk.settings.worker,
            what=f"wrote off draft {draft.id}",
            why=f"charge {charge.id} has draft {charge.gateway_invoice} already",
            now=desk.now(),
        )
