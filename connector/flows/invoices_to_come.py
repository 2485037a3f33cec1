"""Forecast and explanation of charges for invoices that no agreement bills, from what was last read of them."""

from __future__ import annotations

from connector.flows.desk import Desk
from connector.flows.naming import name_of
from connector.model.charge import Charge
from connector.model.forecast import TO_COME, Coming
from connector.model.other import is_other
from connector.model.release import Reason
from connector.store import charges, holds, payers


def invoices_to_come(desk: Desk) -> list[Coming]:
    """Charges that are not released yet."""
    with desk.store.read() as tx:
        waiting = [charge for charge in charges.every(tx, TO_COME) if is_other(charge.unit)]
    return [coming(desk, charge) for charge in waiting]


def coming(desk: Desk, charge: Charge) -> Coming:
    with desk.store.read() as tx:
        row = payers.get(tx, charge.payer)
        name = name_of(tx, charge)
        reasons = tuple(Reason(name=hold.name, message=hold.message, way_on=hold.way_on) for hold in holds.active(tx, charge.id))
    on = charge.charge_date or max(charge.period.start, desk.today())
    return Coming(
        unit=charge.unit,
        name=name,
        payer=row.name if row else charge.payer,
        agreement="",
        period=charge.period,
        on=on if reasons else max(on, desk.today()),
        amount=charge.owed if charge.owed is not None else charge.computed,
        billed=True,
        guessed_date=charge.charge_date is None,
        change=None,
        reasons=reasons,
        charge=charge.id,
        invoice=charge.psa_number,
    )
