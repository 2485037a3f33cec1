"""Charges that nothing is owed for any more wait some days, and then they end.

A supplementary one, or one for an invoice that no agreement bills, whose invoice was deleted in the PSA; one that was collected
otherwise because it has no subscription; and any whose agreement is gone and has nothing open there.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from connector.flows import holding
from connector.flows.desk import Desk
from connector.model.charge import Charge, ChargeState
from connector.model.invoice import GatewayInvoiceState, PsaInvoice
from connector.model.money import Money
from connector.model.other import is_other
from connector.model.release import GONE_DAYS
from connector.model.supplement import UNFINISHED
from connector.store import audit, charges, holds, overrules

WAITS = ("missing_invoice", "no_subscription", "not_opted_in")  # holds that such a charge has meanwhile


@dataclass(frozen=True, kw_only=True, slots=True)
class _Waiting:
    charge: Charge
    left: bool  # its agreement was deleted in the PSA, or the field mapping leaves it out
    long: bool  # for GONE_DAYS


def end_gone(desk: Desk, alive: Container[str]) -> list[str]:
    """Ends those for which nothing is owed. What a partner refused, by charge; it is tried again each round.

    `alive`: billing units with an agreement that the PSA shows us.
    """
    patience = holding.Patience()
    failed = [holding.guarded(desk, one.charge, partial(_end_if_gone, desk, one), patience) for one in _waiting(desk, alive)]
    return [message for message in failed if message]


def _waiting(desk: Desk, alive: Container[str]) -> list[_Waiting]:
    """Those without a draft were told to be collected otherwise: they are over as soon as that was done."""
    with desk.store.read() as tx:
        since: dict[str, datetime] = {hold.charge: hold.since for hold in holds.active(tx) if hold.name in WAITS}
        unfinished = [charge for charge in charges.every(tx, UNFINISHED) if charge.id in since]
    before = desk.now() - timedelta(days=GONE_DAYS)
    found = [
        _Waiting(charge=c, left=c.unit not in alive and not is_other(c.unit), long=since[c.id] <= before) for c in unfinished
    ]
    return [one for one in found if _stands_alone(one) and (one.long or not one.charge.gateway_invoice)]


def _stands_alone(one: _Waiting) -> bool:
    """A period's regular charge waits for the period's bill, as long as there is the agreement."""
    return one.left or bool(one.charge.psa_invoice and (one.charge.number or is_other(one.charge.unit)))


def _end_if_gone(desk: Desk, one: _Waiting) -> None:
    charge = one.charge
    bill = desk.psa.invoice(charge.psa_invoice) if charge.psa_invoice else None
    draft = desk.gateway.invoice(charge.gateway_invoice) if charge.gateway_invoice else None
    why = _why_over(one, bill)
    if not why or (draft is not None and draft.state is not GatewayInvoiceState.DRAFT):
        return  # where somebody dealt with it at the gateway, the next round follows that
    nothing = Money.zero(charge.currency)
    with desk.store.begin() as tx:
        charges.update(tx, charge.id, owed=nothing, now=desk.now())  # written ahead: that nothing is owed is known after a crash
    if draft is not None:
        desk.gateway.write_off(draft)
    _ended(desk, charge, why)


def _why_over(one: _Waiting, bill: PsaInvoice | None) -> str:
    """Empty while something is owed, or may be owed again."""
    is_gone = bill is None or bill.voided
    if not is_gone and bill is not None and bill.balance.minor > 0 and not bill.closed:
        return ""
    if is_gone and not one.long:
        return ""
    if one.left:
        return "its agreement is no longer collected, and the PSA has nothing open for it"
    if is_gone:
        return f"invoice {one.charge.psa_number} was deleted in the PSA and not made again within {GONE_DAYS} days"
    if one.charge.gateway_invoice:
        return ""  # the release writes its draft off
    return f"invoice {one.charge.psa_number} has nothing open in the PSA any more"


def _ended(desk: Desk, charge: Charge, why: str) -> None:
    with desk.store.begin() as tx:
        charges.update(tx, charge.id, state=ChargeState.WRITTEN_OFF, now=desk.now())
        holds.replace(tx, charge.id, [], now=desk.now())
        overrules.forget(tx, charge.id, now=desk.now())
        audit.write(tx, who=desk.settings.worker, what=f"ended charge {charge.id}", why=why, now=desk.now())
