"""Forecast of charges whose agreement was deleted in the PSA, or is left out by the field mapping: exclusions with a reason."""

from __future__ import annotations

from collections.abc import Iterable

from connector.flows.desk import Desk
from connector.flows.naming import name_of
from connector.model.agreement import BillingUnit
from connector.model.charge import Charge
from connector.model.forecast import TO_COME, Coming
from connector.model.guards import Reason
from connector.model.other import is_other
from connector.model.release import LEFT_OUT, LEFT_OUT_WAY_ON
from connector.store import charges, holds, payers


def left_out(desk: Desk, living: Iterable[BillingUnit]) -> list[Coming]:
    """Those that wait or are held."""
    alive = {unit.key for unit in living}
    with desk.store.read() as tx:
        waiting = [c for c in charges.every(tx, TO_COME) if c.unit not in alive and not is_other(c.unit)]
    return [_coming(desk, charge) for charge in waiting]


def _coming(desk: Desk, charge: Charge) -> Coming:
    with desk.store.read() as tx:
        payer, name = payers.get(tx, charge.payer), name_of(tx, charge)
        held = holds.active(tx, charge.id)
    reasons = tuple(Reason(name=hold.name, message=hold.message, way_on=hold.way_on) for hold in held)
    return Coming(
        unit=charge.unit,
        name=name,
        payer=payer.name if payer else charge.payer,
        agreement=name,
        period=charge.period,
        on=charge.charge_date or charge.period.start,
        amount=charge.owed if charge.owed is not None else charge.computed,
        billed=bool(charge.psa_invoice),
        guessed_date=charge.charge_date is None,
        change=None,
        reasons=reasons or (_gone(),),
        charge=charge.id,
        invoice=charge.psa_number,
    )


def _gone() -> Reason:
    """Before the first round of release that sees it."""
    return Reason(
        name="not_opted_in",
        message=LEFT_OUT,
        way_on=LEFT_OUT_WAY_ON,
    )
