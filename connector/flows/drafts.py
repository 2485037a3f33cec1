"""Drafts and the charges they stand for: one draft a charge, one charge a period; made by hand where none was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import partial

import structlog

from connector.errors import OutcomeUnknown, Rejected
from connector.flows import holding
from connector.flows.bills import UnitBills, open_periods
from connector.flows.desk import Desk
from connector.flows.elsewhere import ensure_charge, take_over
from connector.model.agreement import BillingUnit
from connector.model.bills import period_of_draft
from connector.model.charge import Charge, charge_id
from connector.model.invoice import Adjustment, GatewayInvoice
from connector.model.period import Period, bill_date
from connector.model.pricing import computed
from connector.model.release import COMPUTED
from connector.model.subscription import LiveSubscription
from connector.ports import WriteKey
from connector.store import audit, charges
from connector.store import units as unit_rows
from connector.store.units import UnitRow
from connector.store.write_once import write_once

FIND_LAG = timedelta(seconds=30)
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
    made = (_made_or_refused(desk, live[unit.key], unit, period) for unit, period in wanted if unit.key in live)
    return [draft for draft in made if draft is not None]


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
        since = {row.key: _collect_since(desk, row) for row in unit_rows.every(tx)}
    return [
        (unit, period)
        for key, unit in units.items()
        if unit.collect and key in bills and key in since
        for period, _ in open_periods(bills[key], from_=since[key], today=today - DRAFT_GRACE)
        if (key, period) not in drafted and (key, period) not in charged
    ]


def _collect_since(desk: Desk, row: UnitRow) -> date:
    """What was invoiced before the payer was opted in is not collected by itself: it may have been agreed otherwise."""
    opted_in = row.detail.get("collect_since")
    first = desk.settings.policy.collect_from
    return max(first, date.fromisoformat(opted_in)) if opted_in else date.max


def _draft_by_hand(desk: Desk, live: LiveSubscription, unit: BillingUnit, period: Period) -> GatewayInvoice:
    id = charge_id(unit.key, period)
    day = bill_date(period, unit.timing)
    line = Adjustment(slot=COMPUTED, description=live.subscription.description, amount=computed(unit, period))

    def send(key: WriteKey) -> str:
        return desk.gateway.draft(live, bills_on=day, charge=id, lines=[line], key=key).id

    def find(key: WriteKey) -> str | None:
        found = desk.gateway.find_draft(key, customer=live.customer)
        return found.id if found else None

    link = write_once(
        desk.store,
        kind="draft",
        source=id,
        target_system=desk.gateway.name,
        now=desk.now,
        find=find,
        send=send,
        find_lag=FIND_LAG,
    )
    draft = desk.gateway.invoice(link.target)
    if draft is None:
        raise Rejected(f"the draft {link.target} that was made for {id} is gone at the gateway")
    return draft


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
        known = {draft.id: charges.by_gateway_invoice(tx, draft.id) for draft in drafts}
    for draft in sorted(drafts, key=lambda d: (d.bills_on, d.unit, d.id)):
        unit = units.get(draft.unit)
        bound = known[draft.id]
        if unit is not None and bound is not None:
            pairs.append((bound, draft))
            continue
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
