"""Watch: a released invoice is compared with what is still owed, each cycle, until it is paid."""

from __future__ import annotations

from functools import partial

from connector.flows import collect, holding
from connector.flows.desk import Desk
from connector.flows.round import Round, bills_of
from connector.model.charge import Charge, ChargeState
from connector.model.invoice import GatewayInvoice
from connector.model.money import Money, total
from connector.model.release import Keep, Reduce, Stop, Void, WatchDecision, watch
from connector.ports import WriteKey
from connector.store import charges, ledger, outbox

STOPS = frozenset({"paused", "invoice_gone"})  # holds under which we told the gateway to stop


def watch_all(desk: Desk, round_: Round) -> tuple[dict[str, str], list[str]]:
    """What was done, by charge id (reduced, voided, stopped), and what a partner refused."""
    with desk.store.read() as tx:
        watched = charges.every(tx, [ChargeState.RELEASED])
    if not watched:
        return {}, []
    still_open = {invoice.id: invoice for invoice in desk.gateway.open_invoices()}
    done: dict[str, str] = {}
    failed: list[str] = []
    for charge in watched:
        invoice = still_open.get(charge.gateway_invoice)
        failed.append(holding.guarded(desk, charge, partial(_one, desk, round_, charge, invoice, done)))
    return done, [message for message in failed if message]


def _one(desk: Desk, round_: Round, charge: Charge, invoice: GatewayInvoice | None, done: dict[str, str]) -> None:
    if invoice is None:
        # Paid, voided or given up since, and its event may have been missed.
        collect.settle(desk, charge)
    elif charge.unit in round_.units:
        charge = _rebind(desk, round_, charge)
        decision = watch(
            invoice,
            open_now=_open_now(round_, charge, invoice),
            undelivered=_undelivered(desk, charge),
            paused=round_.paused,
        )
        what = _act(desk, charge, invoice, decision)
        if what:
            done[charge.id] = what


def _rebind(desk: Desk, round_: Round, charge: Charge) -> Charge:
    """A bill that was deleted and made again, or that appeared after a computed charge: the charge follows it."""
    bills = bills_of(round_, charge)
    if len(bills) != 1 or bills[0].id == charge.psa_invoice:
        return charge
    with desk.store.begin() as tx:
        return charges.update(tx, charge.id, psa_invoice=bills[0].id, psa_number=bills[0].number, now=desk.now())


def _open_now(round_: Round, charge: Charge, invoice: GatewayInvoice) -> Money | None:
    bills = bills_of(round_, charge)
    if not bills:
        return None if charge.psa_invoice else invoice.amount_remaining
    open_ = [bills[0].balance, *(b.balance for b in round_.books.get(bills[0].number, ()))]
    return max(min(open_, key=lambda m: m.minor), Money.zero(charge.currency), key=lambda m: m.minor)


def _undelivered(desk: Desk, charge: Charge) -> Money:
    """Collected, and not yet shown by PSA and books."""
    with desk.store.read() as tx:
        entries = ledger.entries(tx, charge=charge.id)
        waiting = [e for e in entries if any(d.state != "done" for d in outbox.of_entry(tx, e.key))]
    return total((e.amount for e in waiting), charge.currency)


def _act(desk: Desk, charge: Charge, invoice: GatewayInvoice, decision: WatchDecision) -> str:
    match decision:
        case Keep(note=reason):
            stopped_by_us = bool(holding.names(desk, charge) & STOPS)
            if not invoice.auto_advance and not invoice.in_flight and (reason is None or stopped_by_us):
                desk.gateway.release(invoice)
            holding.note(desk, charge, (reason,) if reason else ())
            return ""
        case Reduce(by=by):
            key = WriteKey(value=f"reduce:{charge.id}:{invoice.amount_remaining.minor}", since=desk.now())
            desk.gateway.reduce(invoice, by, reason="paid elsewhere", key=key)
            return "reduced"
        case Void():
            desk.gateway.write_off(invoice)
            collect.settle(desk, charge)
            return "voided"
        case Stop(reason=reason):
            if invoice.auto_advance:
                desk.gateway.stop(invoice)
            holding.note(desk, charge, (reason,))
            return "stopped"
