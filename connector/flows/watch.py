"""Watch: a released invoice is compared with what is still owed, each cycle, until it is paid."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial

from connector.errors import OutcomeUnknown, Rejected, RetryLater
from connector.flows import books_invoices, collect, holding, late, other_writers
from connector.flows.desk import Desk
from connector.flows.holding import Patience
from connector.flows.reduction import reduce_once
from connector.flows.round import Round, bills_of, in_books, is_old, is_paused, read_books, siblings
from connector.model.agreement import Payer
from connector.model.charge import Charge, ChargeState
from connector.model.dunning import OVER, over
from connector.model.guards import Reason
from connector.model.invoice import GatewayInvoice, GatewayInvoiceState, PsaInvoice
from connector.model.money import Money, total
from connector.model.release import unreadable
from connector.model.watch import Keep, Reduce, Stop, Void, WatchDecision, watch
from connector.store import charges

NOT_LOWERED = "not_lowered"
# Holds under which we told the gateway to stop.
STOPS = frozenset({"paused", "invoice_gone", "method_returned", OVER, NOT_LOWERED})


def stop_while_paused(desk: Desk) -> dict[str, str]:
    """Nothing but the store and the open invoices is read for it: a pause holds also while the PSA has no answer."""
    if not is_paused(desk):
        return {}
    with desk.store.read() as tx:
        watched = charges.every(tx, [ChargeState.RELEASED])
    done: dict[str, str] = {}
    patience = Patience()
    for charge, invoice in _still_open(desk, watched):
        decision = watch(invoice, open_now=invoice.amount_remaining, paused=True)
        if isinstance(decision, Stop):
            failed = holding.guarded(desk, charge, partial(_stop, desk, charge, invoice, decision.reason), patience)
            done.update({} if failed else {charge.id: "stopped"})
    return done


def _still_open(desk: Desk, watched: Sequence[Charge]) -> Iterator[tuple[Charge, GatewayInvoice]]:
    """Where the gateway does not list them they are read one by one."""
    found: Callable[[str], GatewayInvoice | None] = desk.gateway.invoice
    with suppress(RetryLater, Rejected):
        found = {invoice.id: invoice for invoice in desk.gateway.open_invoices()}.get if watched else found
    for charge in watched:
        invoice = found(charge.gateway_invoice)
        if invoice is not None and invoice.state is GatewayInvoiceState.OPEN:
            yield charge, invoice


def watch_all(desk: Desk, round_: Round) -> tuple[dict[str, str], list[str]]:
    """What was done, by charge id (reduced, voided, stopped), and what a partner refused."""
    with desk.store.read() as tx:
        watched = charges.every(tx, [ChargeState.RELEASED])
    if not watched:
        return {}, []
    if is_old(desk, round_):
        round_ = read_books(desk, round_, [], watched)
    still_open = {invoice.id: invoice for invoice in desk.gateway.open_invoices()}
    done: dict[str, str] = {}
    failed: list[str] = []
    patience = Patience()
    for charge in watched:
        failed.append(holding.guarded(desk, charge, partial(_one, desk, round_, charge, still_open, done), patience))
    return done, [message for message in failed if message]


def _one(desk: Desk, round_: Round, charge: Charge, still_open: Mapping[str, GatewayInvoice], done: dict[str, str]) -> None:
    invoice = still_open.get(charge.gateway_invoice)
    if invoice is None:
        # Paid, voided or given up since, and its event may have been missed.
        collect.settle(desk, charge)
        return
    if not_read := _unreadable(round_, charge):
        if not holding.names(desk, charge) & STOPS:
            holding.note(desk, charge, not_read)
        return
    bill = _bill(desk, round_, charge)
    charge = _rebind(desk, charge, bill)
    stopped = round_.returned.get(invoice.customer) or _tried_enough(desk, charge, invoice)
    decision = watch(invoice, open_now=_open_now(desk, round_, charge, bill, still_open), paused=round_.paused, stopped=stopped)
    if bill is not None and isinstance(decision, Reduce | Void):
        # What cannot be taken back is decided on what the PSA says now, not when the round began.
        now = desk.psa.invoice(bill.id)
        bill = now if now is not None and not now.voided else None
        there = other_writers.brought(desk, charge)
        open_now = _open_now(desk, round_, charge, bill, still_open, there)
        decision = watch(invoice, open_now=open_now, paused=round_.paused)
    what = _act(desk, charge, invoice, decision)
    if what:
        done[charge.id] = what


def _unreadable(round_: Round, charge: Charge) -> tuple[Reason, ...]:
    """Whether less is owed by now cannot be said: what was released stays as it is."""
    bills = round_.bills.get(charge.unit)
    return unreadable(bills.unreadable) if bills is not None else ()


def _tried_enough(desk: Desk, charge: Charge, invoice: GatewayInvoice) -> Reason | None:
    """Another method than the one that failed is another chance."""
    released_on = desk.local_date(charge.released_at) if charge.released_at else charge.period.start
    reason = over(invoice, desk.settings.dunning, released_on=released_on, today=desk.today())
    if reason is None or not invoice.failed_method:
        return reason
    customer = desk.gateway.customers([invoice.customer]).get(invoice.customer)
    method = customer.default_method if customer is not None else None
    return None if method is not None and method.id != invoice.failed_method else reason


def _bill(desk: Desk, round_: Round, charge: Charge) -> PsaInvoice | None:
    """The period's one bill; of an agreement that left the filter, the bill that the charge was released on."""
    if charge.unit not in round_.units:
        found = desk.psa.invoice(charge.psa_invoice) if charge.psa_invoice else None
        return found if found is not None and not found.voided and not found.closed else None
    bills = bills_of(round_, charge)
    own = [bill for bill in bills if bill.id == charge.psa_invoice]
    found = own[0] if own else bills[0] if len(bills) == 1 else None
    return found if found is None or not found.closed or not found.balance else None


def _rebind(desk: Desk, charge: Charge, bill: PsaInvoice | None) -> Charge:
    """A bill that was deleted and made again, or that appeared after a computed charge: the charge follows it."""
    if bill is None or bill.id == charge.psa_invoice:
        return charge
    with desk.store.begin() as tx:
        return charges.update(tx, charge.id, psa_invoice=bill.id, psa_number=bill.number, now=desk.now())


def _open_now(
    desk: Desk,
    round_: Round,
    charge: Charge,
    bill: PsaInvoice | None,
    still_open: Mapping[str, GatewayInvoice],
    there: tuple[Money, Money] | None = None,
) -> Money | None:
    """What is still owed: the lowest that PSA and books say, each less what we collected and it does not show yet, and less
    what earlier charges on the same invoice still collect. `there`: of ours, what other writers brought to PSA and books."""
    if bill is None:
        return None if charge.psa_invoice else still_open[charge.gateway_invoice].amount_remaining
    together = [other for other in siblings(round_, charge) if other.psa_invoice == bill.id and other.id != charge.id]
    late_psa, late_books = late.of_all(desk, (charge, *together), charge.currency)
    if there is not None:
        late_psa, late_books = _less(late_psa, there[0]), _less(late_books, there[1])
    earlier = [still_open[c.gateway_invoice] for c in together if c.number < charge.number and c.gateway_invoice in still_open]
    of_books = in_books(desk, round_, _payer(desk, round_, charge), bill)
    lowest = min([bill.balance - late_psa, *(b.balance - late_books for b in of_books)], key=lambda m: m.minor)
    left = lowest - total((invoice.amount_remaining for invoice in earlier), charge.currency)
    return max(left, Money.zero(charge.currency), key=lambda m: m.minor)


def _less(late_: Money, there: Money) -> Money:
    return late_ - min(late_, there, key=lambda m: m.minor) if late_.minor > 0 else late_


def _payer(desk: Desk, round_: Round, charge: Charge) -> Payer:
    """Whoever was charged: the agreement may be billed to somebody else since, or be gone."""
    unit = round_.units.get(charge.unit)
    if unit is not None and charge.payer in ("", unit.payer.key):
        return unit.payer
    return books_invoices.known_payer(desk, charge.payer)


def _act(desk: Desk, charge: Charge, invoice: GatewayInvoice, decision: WatchDecision) -> str:
    match decision:
        case Keep(note=reason):
            if not invoice.auto_advance and not invoice.in_flight and holding.names(desk, charge) & STOPS:
                desk.gateway.release(invoice)  # one that a person stopped in the dashboard stays stopped
                reason = None  # what the gateway does about it now is seen in the next round
            holding.note(desk, charge, (reason,) if reason else ())
            return ""
        case Reduce(by=by):
            return _lowered(desk, charge, invoice, by, partial(reduce_once, desk, charge, invoice, by), "reduced")
        case Void():
            by = invoice.amount_remaining
            what = _lowered(desk, charge, invoice, by, partial(desk.gateway.write_off, invoice), "voided")
            if what == "voided":
                collect.settle(desk, charge)
            return what
        case Stop(reason=reason):
            _stop(desk, charge, invoice, reason)
            return "stopped"


def _lowered(desk: Desk, charge: Charge, invoice: GatewayInvoice, by: Money, act: Callable[[], object], done: str) -> str:
    """Should it fail, the gateway is not to collect the amount that is too high meanwhile; tried again each cycle."""
    try:
        act()
    except (Rejected, OutcomeUnknown, RetryLater) as error:
        reason = Reason(
            name=NOT_LOWERED,
            message=f"{by} of the {invoice.amount_remaining} was paid elsewhere, and the gateway did not lower it: {error}",
            way_on="wait: it is not collected meanwhile and is tried again each cycle; or lower it in the gateway's dashboard",
        )
        _stop(desk, charge, invoice, reason)
        if isinstance(error, RetryLater):
            raise
        return "stopped"
    return done


def _stop(desk: Desk, charge: Charge, invoice: GatewayInvoice, reason: Reason) -> None:
    """Noted before it is done: only what we stopped do we let go on again."""
    stopped_by_person = not invoice.auto_advance and not holding.names(desk, charge) & STOPS
    if not stopped_by_person:
        holding.note(desk, charge, (reason,))
    if invoice.auto_advance:
        desk.gateway.stop(invoice)
