"""Forecast and explanation of charges for invoices that no agreement bills, from what was last read of them."""

from __future__ import annotations

from connector.flows import books_invoices
from connector.flows.desk import Desk
from connector.flows.naming import name_of
from connector.flows.round import policy_of
from connector.model.approval import NOT_APPROVED, NOT_ASKED, standing
from connector.model.charge import Charge
from connector.model.forecast import TO_COME, Coming
from connector.model.guards import Reason
from connector.model.other import is_other, one_off
from connector.store import approvals, charges, holds, payers


def invoices_to_come(desk: Desk) -> list[Coming]:
    """Charges that are not released yet."""
    with desk.store.read() as tx:
        waiting = [charge for charge in charges.every(tx, TO_COME) if is_other(charge.unit)]
    return [coming(desk, charge) for charge in waiting]


def coming(desk: Desk, charge: Charge) -> Coming:
    with desk.store.read() as tx:
        row = payers.get(tx, charge.payer)
        name = name_of(tx, charge)
        held = [hold for hold in holds.active(tx, charge.id) if hold.name != NOT_APPROVED]  # `approval` says how it stands now
        given = approvals.of(tx, charge.id)
    reasons = tuple(Reason(name=hold.name, message=hold.message, way_on=hold.way_on) for hold in held)
    on = charge.charge_date or max(charge.period.start, desk.today())
    amount = charge.owed if charge.owed is not None else charge.computed
    policy = policy_of(desk.settings, one_off(charge, None, books_invoices.known_payer(desk, charge.payer)))
    asked = policy.approve == "always" and not charge.number  # it has no first periods
    return Coming(
        unit=charge.unit,
        name=name,
        payer=row.name if row else charge.payer,
        agreement=f"invoice {charge.psa_number}",
        period=charge.period,
        on=on if reasons else max(on, desk.today()),
        amount=amount,
        billed=True,
        guessed_date=charge.charge_date is None,
        change=None,
        reasons=reasons,
        charge=charge.id,
        invoice=charge.psa_number,
        approval=standing(amount, given, second_above=policy.second_above) if asked else NOT_ASKED,
    )
