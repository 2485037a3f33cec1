"""A supplementary charge, or one for an invoice that no agreement bills, whose invoice was deleted in the PSA: it waits for the
invoice to be made again, and then it ends."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from connector.flows import holding
from connector.flows.desk import Desk
from connector.model.charge import Charge, ChargeState
from connector.model.invoice import GatewayInvoiceState
from connector.model.money import Money
from connector.model.other import is_other
from connector.model.release import GONE_DAYS
from connector.model.supplement import UNFINISHED
from connector.store import audit, charges, holds, overrules

WAITS = ("missing_invoice", "no_subscription")  # holds that such a charge has meanwhile


def end_gone(desk: Desk) -> list[str]:
    """Ends those whose invoice is gone for so long. What a partner refused, by charge; it is tried again each round."""
    patience = holding.Patience()
    failed = [holding.guarded(desk, charge, partial(_end_if_gone, desk, charge), patience) for charge in _waiting_long(desk)]
    return [message for message in failed if message]


def _waiting_long(desk: Desk) -> list[Charge]:
    with desk.store.read() as tx:
        since: dict[str, datetime] = {hold.charge: hold.since for hold in holds.active(tx) if hold.name in WAITS}
        unfinished = charges.every(tx, UNFINISHED)
    before = desk.now() - timedelta(days=GONE_DAYS)
    mine = [charge for charge in unfinished if charge.psa_invoice and (charge.number or is_other(charge.unit))]
    return [charge for charge in mine if charge.id in since and since[charge.id] <= before]


def _end_if_gone(desk: Desk, charge: Charge) -> None:
    bill = desk.psa.invoice(charge.psa_invoice)
    if bill is not None and not bill.voided:
        return
    draft = desk.gateway.invoice(charge.gateway_invoice) if charge.gateway_invoice else None
    if draft is not None and draft.state is not GatewayInvoiceState.DRAFT:
        return  # somebody dealt with it at the gateway: the next round follows that
    nothing = Money.zero(charge.currency)
    with desk.store.begin() as tx:
        charges.update(tx, charge.id, owed=nothing, now=desk.now())  # written ahead: that nothing is owed is known after a crash
    if draft is not None:
        desk.gateway.write_off(draft)
    _ended(desk, charge)


def _ended(desk: Desk, charge: Charge) -> None:
    why = f"invoice {charge.psa_number} was deleted in the PSA and not made again within {GONE_DAYS} days"
    with desk.store.begin() as tx:
        charges.update(tx, charge.id, state=ChargeState.WRITTEN_OFF, now=desk.now())
        holds.replace(tx, charge.id, [], now=desk.now())
        overrules.forget(tx, charge.id, now=desk.now())
        audit.write(tx, who=desk.settings.worker, what=f"ended charge {charge.id}", why=why, now=desk.now())
