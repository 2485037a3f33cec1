"""The PSA's invoice of a charge that is not released yet was closed by a person in another way than by paying it. Pure.

Nothing is collected then, and nothing is computed in its place: what becomes of the period is the person's to say.
"""

from __future__ import annotations

from collections.abc import Iterable

from connector.model.charge import Charge
from connector.model.guards import Reason
from connector.model.invoice import PsaInvoice
from connector.model.release import CLOSED


def closed_differently(charge: Charge, bills: Iterable[PsaInvoice]) -> tuple[Reason, ...]:
    """`bills`: what the charge may stand for now. It remembers the bill that it had."""
    bills = tuple(bills)
    if not bills and charge.psa_invoice and not charge.number:
        return (_gone(charge),)
    return tuple(_given_up(charge, bill) for bill in bills if bill.closed and bill.balance.minor > 0)


def _gone(charge: Charge) -> Reason:
    return Reason(
        name=CLOSED,
        message=f"invoice {charge.psa_number or charge.psa_invoice} was deleted or voided in the PSA before it was charged:"
        " nothing is collected for it",
        way_on="invoice the period again in the PSA and the new invoice is charged; or, if nothing is to be collected:"
        f" connector skip {charge.id}",
    )


def _given_up(charge: Charge, bill: PsaInvoice) -> Reason:
    return Reason(
        name=CLOSED,
        message=f"invoice {bill.number or bill.id} has the status {bill.closed!r} in the PSA with {bill.balance} open: nothing is"
        " collected for it",
        way_on="give it another status in the PSA and it is charged; or, if nothing is to be collected:"
        f" connector skip {charge.id}",
    )
