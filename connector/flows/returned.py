"""A debit that came back or was disputed: its payment method is not debited again, and the payer is asked for another one.

The bar is on the method: it ends where another one is the payer's default, where the dispute is won, or where a person says
that the same account may be debited again. A returned bank debit ends its mandate (payments.md 1.8).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sqlalchemy import Connection

from connector.errors import Rejected
from connector.flows import enrol
from connector.flows.desk import Desk
from connector.model.charge import Charge
from connector.model.ledger import GatewayReversal, ReversalReason, reinstated_key
from connector.store import audit, ledger, marks, payers, units
from connector.store.marks import MethodMark
from connector.store.payers import PayerRow


def note(desk: Desk, charge: Charge, reversals: Iterable[GatewayReversal]) -> None:
    """Disputes and returned debits of one charge bar the method that was debited; each once, also where it is lifted since."""
    found = [r for r in reversals if r.reason is not ReversalReason.REFUND]
    if not found:
        return
    with desk.store.read() as tx:
        new = [r for r in found if r.id not in marks.known(tx)]
        row = _payer(tx, charge)
    if row is None or not new:
        return
    for reversal in new:
        _bar(desk, row.key, reversal, reversal.method or _default(desk, row))


def _payer(tx: Connection, charge: Charge) -> PayerRow | None:
    unit = None if charge.payer else units.get(tx, charge.unit)
    return payers.get(tx, unit.payer if unit is not None else charge.payer)


def _default(desk: Desk, row: PayerRow) -> str:
    customer = desk.gateway.customers([row.customer]).get(row.customer)
    return customer.default_method.id if customer is not None and customer.default_method is not None else ""


def _bar(desk: Desk, payer: str, reversal: GatewayReversal, method: str) -> None:
    mark = MethodMark(
        reversal=reversal.id,
        payer=payer,
        method=method,
        reason=str(reversal.reason),
        detail=reversal.detail,
        at=reversal.reversed_at,
    )
    with desk.store.begin() as tx:
        row = payers.get(tx, payer)
        if row is None or not marks.add(tx, mark):
            return
        enrol.save_barred(tx, row, [*barred(row), method], now=desk.now())
        what = f"the payment method of {payer} is not debited any more"
        audit.write(tx, who=desk.settings.worker, what=what, why=f"{reversal.id}: {reversal.detail}", now=desk.now())


def barred(row: PayerRow) -> list[str]:
    return list(row.detail.get(enrol.BARRED, []))


def look(desk: Desk) -> Mapping[str, MethodMark]:
    """The gateway's customers whose method may not be debited. Asks the gateway only where no other is known."""
    with desk.store.read() as tx:
        active = marks.active(tx)
        won = {m.reversal for m in active if ledger.get(tx, reinstated_key(f"reversal:{m.reversal}")) is not None}
    for mark in active:
        if mark.reversal in won:
            _lift(desk, mark, by=desk.settings.worker, why="the dispute was won")
    standing = {mark.payer: mark for mark in active if mark.reversal not in won}
    if not standing:
        return {}
    with desk.store.read() as tx:
        rows = [row for key in standing if (row := payers.get(tx, key)) is not None and not row.method]
    customers = desk.gateway.customers([row.customer for row in rows]) if rows else {}
    renewed = {row.key for row in rows if row.customer in customers and enrol.renew(desk, row, customers[row.customer])}
    return {row.customer: standing[row.key] for row in rows if row.key not in renewed}


def allow(desk: Desk, payer: str, *, who: str, why: str) -> PayerRow:
    """A person says that the same account may be debited again. Rejected where nothing is barred."""
    with desk.store.read() as tx:
        active, row = marks.active(tx, payer), payers.get(tx, payer)
    if row is None or not active:
        named = row.name if row else payer
        raise Rejected(f"no payment method of {named} is barred: there is nothing to allow", code="not_barred")
    for mark in active:
        _lift(desk, mark, by=who, why=why)
    return row


def _lift(desk: Desk, mark: MethodMark, *, by: str, why: str) -> None:
    with desk.store.begin() as tx:
        marks.lift(tx, mark.reversal, by=by, why=why, now=desk.now())
        row = payers.get(tx, mark.payer)
        if row is None:
            return
        still = {other.method for other in marks.active(tx, mark.payer)}
        row = replace(row, detail={**row.detail, enrol.BARRED: sorted(still)})
        payers.save(tx, row, now=desk.now())
        audit.write(tx, who=by, what=f"the payment method of {mark.payer} may be debited again", why=why, now=desk.now())
    customer = desk.gateway.customers([row.customer]).get(row.customer)
    if customer is not None:
        enrol.renew(desk, row, customer)
