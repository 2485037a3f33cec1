"""A bill that was deleted and made again, or that appeared after a computed charge: the charge follows it."""

from __future__ import annotations

from connector.errors import Rejected
from connector.flows import agreements
from connector.flows.bills import read_bills
from connector.flows.desk import Desk
from connector.model.charge import Charge
from connector.model.supplement import own_bills
from connector.store import charges


def follow_bill(desk: Desk, charge: Charge) -> Charge | None:
    """The charge with the invoice that is its bill now. None while there is none, and then nothing is changed: that its
    bill is gone must stay known to whoever still collects it. Rejected when there are several."""
    if charge.psa_invoice and desk.psa.invoice(charge.psa_invoice) is not None:
        return charge
    alive, _ = agreements.billing_units(desk, agreements.stored_reading(desk))
    units = [unit for unit in alive if unit.key == charge.unit]
    bills = read_bills(desk, units, since=charge.period.start)
    found = bills[charge.unit].bills.of(charge.period) if charge.unit in bills else ()
    with desk.store.read() as tx:
        together = [other for other in charges.of_unit(tx, charge.unit) if other.period == charge.period]
    found = own_bills(found, charge, together, charge.period.start)
    if len(found) > 1:
        raise Rejected(f"{charge.id} has {len(found)} invoices in the PSA; delete the one that is not its bill")
    if not found:
        return None
    with desk.store.begin() as tx:
        return charges.update(tx, charge.id, psa_invoice=found[0].id, psa_number=found[0].number, now=desk.now())
