"""Collect: read the gateway's events since the cursor, re-read the objects they name, append ledger entries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from connector.flows import enrol
from connector.flows.desk import Desk
from connector.model.charge import Charge, ChargeState
from connector.model.invoice import GatewayInvoice, GatewayInvoiceState
from connector.model.ledger import EntryKind, EventPage, GatewayPayment, GatewayReversal, LedgerEntry
from connector.model.money import Money, total
from connector.store import charges, cursors, freshness, ledger, units

LOOK_BACK = timedelta(days=45)  # how far invoices are listed again when the event cursor was lost
_CUSTOMER_EVENTS = ("checkout.session.completed", "customer.updated", "payment_method.attached", "payment_method.detached")


@dataclass(frozen=True, kw_only=True, slots=True)
class Collected:
    entries: int = 0  # new ledger entries
    enrolled: tuple[str, ...] = ()
    relisted: bool = False  # the cursor was lost, so invoices were listed instead


def collect(desk: Desk) -> Collected:
    """Events are hints: unordered, repeated, sometimes missing. What counts is the object, read again."""
    name = f"{desk.gateway.name}.events"
    with desk.store.read() as tx:
        after = cursors.get(tx, name)
    page = desk.gateway.events(after=after)
    enrolled = enrol.adopt(desk, (e.customer for e in page.events if e.type in _CUSTOMER_EVENTS and e.customer))
    entries = sum(settle(desk, charge) for charge in _touched(desk, page))
    if page.lost:
        entries += _relist(desk)
    with desk.store.begin() as tx:
        if page.cursor != after:
            cursors.set(tx, name, page.cursor, now=desk.now())
        freshness.succeeded(tx, name, now=desk.now())
    return Collected(entries=entries, enrolled=enrolled, relisted=page.lost)


def settle(desk: Desk, charge: Charge) -> int:
    """Bring one charge and its ledger up to what the gateway says now. Number of new ledger entries."""
    invoice = desk.gateway.invoice(charge.gateway_invoice)
    if invoice is None or invoice.state is GatewayInvoiceState.DRAFT:
        return 0
    paid = tuple(desk.gateway.payments(invoice.id)) if invoice.amount_paid else ()
    reversed_ = tuple((p, r) for p in paid for r in desk.gateway.reversals(p.payment))
    return record(desk, charge, invoice, paid, reversed_)


def record(
    desk: Desk,
    charge: Charge,
    invoice: GatewayInvoice,
    paid: Iterable[GatewayPayment],
    reversed_: Iterable[tuple[GatewayPayment, GatewayReversal]],
) -> int:
    """Ledger before delivery: entries and their deliveries are one transaction."""
    entries = [_payment(desk, charge, p) for p in paid] + [_reversal(desk, charge, p, r) for p, r in reversed_]
    with desk.store.begin() as tx:
        unit = units.get(tx, charge.unit)
        payer = unit.payer if unit else ""
        written = 0
        for entry in entries:
            written += ledger.append(tx, replace(entry, payer=payer), targets=targets(desk), now=desk.now())
            if entry.fee is not None:
                ledger.add_fee(tx, entry.key, entry.fee)
        state, collected = _state(charge, invoice), _net(entries, charge.currency)
        if (state, collected) != (charge.state, charge.collected):
            charges.update(tx, charge.id, state=state, collected=collected, now=desk.now())
    return written


def targets(desk: Desk) -> list[str]:
    """Where a ledger entry is written back to. Where the owner of PSA payments was not chosen yet the delivery waits."""
    result = []
    if desk.settings.psa_payments != "accounting_sync":
        result.append(f"psa:{desk.psa.name}")
    if desk.books is not None and desk.settings.books_payments:
        result.append(f"books:{desk.books.name}")
    return result


def _touched(desk: Desk, page: EventPage) -> list[Charge]:
    """The charges that these events are about, each once, in the order of the events."""
    found: dict[str, Charge] = {}
    with desk.store.read() as tx:
        for event in page.events:
            charge = charges.by_gateway_invoice(tx, event.invoice) if event.invoice else None
            if charge is None and event.payment:
                charge = _by_payment(desk, event.payment)
            if charge is not None and charge.state not in (ChargeState.WAITING, ChargeState.WRITTEN_OFF):
                found[charge.id] = charge
    return list(found.values())


def _by_payment(desk: Desk, payment: str) -> Charge | None:
    """An event that names only the payment (a refund, a dispute) is about a payment that our ledger has."""
    with desk.store.read() as tx:
        entries = ledger.of_payment(tx, payment)
        return charges.get(tx, entries[0].charge) if entries else None


def _relist(desk: Desk) -> int:
    with desk.store.read() as tx:
        known = {c.gateway_invoice: c for c in charges.every(tx) if c.gateway_invoice}
    since = desk.now() - LOOK_BACK
    return sum(settle(desk, known[i.id]) for i in desk.gateway.invoices_since(since) if i.id in known)


def _payment(desk: Desk, charge: Charge, payment: GatewayPayment) -> LedgerEntry:
    return LedgerEntry(
        key=f"payment:{payment.id}",
        kind=EntryKind.PAYMENT,
        charge=charge.id,
        payer="",
        invoice=payment.invoice,
        payment=payment.payment,
        amount=payment.amount,
        fee=payment.fee,
        method=payment.method,
        detail=payment.method_last4,
        at=payment.paid_at,
        on=desk.local_date(payment.paid_at),
    )


def _reversal(desk: Desk, charge: Charge, payment: GatewayPayment, reversal: GatewayReversal) -> LedgerEntry:
    return LedgerEntry(
        key=f"reversal:{reversal.id}",
        kind=EntryKind.REVERSAL,
        charge=charge.id,
        payer="",
        invoice=payment.invoice,
        payment=payment.payment,
        amount=reversal.amount,
        fee=None,
        method=payment.method,
        detail=f"{reversal.reason}: {reversal.detail}",
        at=reversal.reversed_at,
        on=desk.local_date(reversal.reversed_at),
    )


def _state(charge: Charge, invoice: GatewayInvoice) -> ChargeState:
    match invoice.state:
        case GatewayInvoiceState.PAID:
            return ChargeState.PAID
        case GatewayInvoiceState.VOID | GatewayInvoiceState.UNCOLLECTIBLE:
            return charge.state if charge.state is ChargeState.WRITTEN_OFF else ChargeState.ENDED
        case _:
            return ChargeState.RELEASED


def _net(entries: Iterable[LedgerEntry], currency: str) -> Money:
    return total((e.amount if e.kind is EntryKind.PAYMENT else -e.amount for e in entries), currency)
