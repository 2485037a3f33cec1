"""Charges that nothing is owed for any more wait some days, and then they end.

A supplementary one, or one for an invoice that no agreement bills, whose invoice was deleted in the PSA; and any whose agreement
is gone and has nothing open there.
"""

from __future__ import annotations

from collections.abc import Container
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

WAITS = ("missing_invoice", "no_subscription", "not_opted_in")  # holds that such a charge has meanwhile


def end_gone(desk: Desk, alive: Container[str]) -> list[str]:
    """Ends those that are gone for so long. What a partner refused, by charge; it is tried again each round.

    `alive`: billing units with an agreement that the PSA shows us.
    """
    patience = holding.Patience()
    waiting = _waiting_long(desk, alive)
    failed = [holding.guarded(desk, charge, partial(_end_if_gone, desk, charge, alive), patience) for charge in waiting]
    return [message for message in failed if message]


def _waiting_long(desk: Desk, alive: Container[str]) -> list[Charge]:
    with desk.store.read() as tx:
        since: dict[str, datetime] = {hold.charge: hold.since for hold in holds.active(tx) if hold.name in WAITS}
        unfinished = charges.every(tx, UNFINISHED)
    before = desk.now() - timedelta(days=GONE_DAYS)
    mine = [c for c in unfinished if (c.psa_invoice and (c.number or is_other(c.unit))) or _is_left(c, alive)]
    return [charge for charge in mine if charge.id in since and since[charge.id] <= before]


def _is_left(charge: Charge, alive: Container[str]) -> bool:
    """Its agreement was deleted in the PSA, or the field mapping leaves it out."""
    return charge.unit not in alive and not is_other(charge.unit)


def _end_if_gone(desk: Desk, charge: Charge, alive: Container[str]) -> None:
    bill = desk.psa.invoice(charge.psa_invoice) if charge.psa_invoice else None
    if bill is not None and not bill.voided and (bill.balance.minor > 0 or not _is_left(charge, alive)):
        return
    draft = desk.gateway.invoice(charge.gateway_invoice) if charge.gateway_invoice else None
    if draft is not None and draft.state is not GatewayInvoiceState.DRAFT:
        return  # somebody dealt with it at the gateway: the next round follows that
    nothing = Money.zero(charge.currency)
    with desk.store.begin() as tx:
        charges.update(tx, charge.id, owed=nothing, now=desk.now())  # written ahead: that nothing is owed is known after a crash
    if draft is not None:
        desk.gateway.write_off(draft)
    _ended(desk, charge, left=_is_left(charge, alive))


def _ended(desk: Desk, charge: Charge, *, left: bool) -> None:
    why = f"invoice {charge.psa_number} was deleted in the PSA and not made again within {GONE_DAYS} days"
    if left:
        why = f"its agreement is no longer collected, and for {GONE_DAYS} days the PSA had nothing open for it"
    with desk.store.begin() as tx:
        charges.update(tx, charge.id, state=ChargeState.WRITTEN_OFF, now=desk.now())
        holds.replace(tx, charge.id, [], now=desk.now())
        overrules.forget(tx, charge.id, now=desk.now())
        audit.write(tx, who=desk.settings.worker, what=f"ended charge {charge.id}", why=why, now=desk.now())
