"""Collect: read the gateway's events since the cursor, re-read the objects they name, append ledger entries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import structlog
from sqlalchemy import Connection

from connector.errors import ConnectorError, Rejected
from connector.flows import enrol, returned
from connector.flows.decisions import note_intents
from connector.flows.desk import Desk
from connector.model.charge import Charge, ChargeState
from connector.model.invoice import GatewayInvoice, GatewayInvoiceState
from connector.model.ledger import (
    EntryKind,
    EventPage,
    GatewayPayment,
    GatewayReversal,
    LedgerEntry,
    ReversalReason,
    ReversalStage,
    is_reinstated,
    net,
    payment_key,
    reinstated_key,
    reversal_key,
)
from connector.store import audit, charges, cursors, freshness, holds, ledger, outbox, settings, stages, stuck, units
from connector.store.stuck import StuckKind

LOOK_BACK = timedelta(days=200)  # how old a charge is read again when the event cursor was lost: disputes come this late
LOOK_AGAIN = "collect.look_again"  # ids of charges for which reconciliation found the ledger behind
log = structlog.get_logger(__name__)
_CUSTOMER_EVENTS = ("checkout.session.completed", "customer.updated", "payment_method.attached", "payment_method.detached")


@dataclass(frozen=True, kw_only=True, slots=True)
class Collected:
    entries: int = 0  # new ledger entries
    enrolled: tuple[str, ...] = ()
    relisted: bool = False  # the cursor was lost, so every charge of the last months was read again


def collect(desk: Desk) -> Collected:
    """Events are hints: unordered, repeated, sometimes missing. What counts is the object, read again.

    Rejected when the gateway refuses to show a charge: the others are collected, that one is tried again each time until it
    is parked.
    """
    name = f"{desk.gateway.name}.events"
    with desk.store.read() as tx:
        after = cursors.get(tx, name)
        again = list(settings.get(tx, LOOK_AGAIN) or [])
    page = desk.gateway.events(after=after)
    enrolled = enrol.adopt(desk, (e.customer for e in page.events if e.type in _CUSTOMER_EVENTS and e.customer))
    moments = {event.object_id: event.created for event in page.events}
    entries, refused = _settle_all(desk, _touched(desk, page, again), moments)
    refused = _not_parked(desk, refused)
    with desk.store.begin() as tx:
        if page.cursor != after:
            cursors.set(tx, name, page.cursor, now=desk.now())
        if again or refused:
            added = set(settings.get(tx, LOOK_AGAIN) or []) - set(again)
            settings.set(tx, LOOK_AGAIN, sorted({*added, *refused}), now=desk.now())
        freshness.succeeded(tx, name, now=desk.now())
    if refused:
        raise Rejected("; ".join(refused.values()))
    return Collected(entries=entries, enrolled=enrolled, relisted=page.lost)


def look_again(desk: Desk, charge_ids: Iterable[str]) -> None:
    """The next `collect` reads these charges whether there is an event about them or not."""
    with desk.store.begin() as tx:
        listed = settings.get(tx, LOOK_AGAIN) or []
        settings.set(tx, LOOK_AGAIN, sorted({*listed, *charge_ids}), now=desk.now())


def _settle_all(desk: Desk, touched: Iterable[Charge], moments: Mapping[str, datetime]) -> tuple[int, dict[str, str]]:
    """New ledger entries, and by charge id what the gateway refused."""
    written, refused = 0, {}
    with desk.store.read() as tx:
        failed = stuck.every(tx, StuckKind.CHARGE)
    for charge in touched:
        try:
            written += settle(desk, charge, moments)
            if charge.id in failed:
                _works_again(desk, charge)
        except Rejected as error:
            refused[charge.id] = f"{charge.id}: {error}"
        except ConnectorError:
            raise
        except Exception as error:  # a defect of ours in one charge must not keep back the others' money
            log.exception("charge could not be collected", charge=charge.id)
            refused[charge.id] = f"{charge.id}: unexpected {type(error).__name__}; the log has the details"
    return written, refused


def _works_again(desk: Desk, charge: Charge) -> None:
    with desk.store.begin() as tx:
        stuck.worked(tx, StuckKind.CHARGE, charge.id)


def _not_parked(desk: Desk, refused: Mapping[str, str]) -> dict[str, str]:
    """Those that are worth another attempt: one that was refused often enough waits for a person."""
    with desk.store.begin() as tx:
        return {id: why for id, why in refused.items() if not stuck.failed(tx, StuckKind.CHARGE, id, why=why, now=desk.now())}


def settle(desk: Desk, charge: Charge, moments: Mapping[str, datetime] | None = None) -> int:
    """Bring one charge and its ledger up to what the gateway says now. Number of new ledger entries.

    `moments`: when the gateway last said something about an object, by its id: the day on which a dispute was decided, or a
    refund came back. Without it, that is now.
    """
    moments = moments or {}
    invoice = desk.gateway.invoice(charge.gateway_invoice)
    if invoice is None or invoice.state is GatewayInvoiceState.DRAFT:
        return 0
    paid = tuple(desk.gateway.payments(invoice.id)) if invoice.amount_paid else ()
    with desk.store.read() as tx:
        known = ledger.entries(tx, charge=charge.id)
    seen = tuple((p, r) for p in paid if _may_have_gone_back(p, known) for r in desk.gateway.reversal_states(p.payment))
    back = tuple((p, r) for p, r in seen if r.moved)
    note_intents(desk, [reversal for _, reversal in back])
    returned.note(desk, charge, [reversal for _, reversal in back])
    entries = [_payment(desk, charge, p) for p in paid] + [_reversal(desk, charge, p, r) for p, r in back]
    _note_stages(desk, charge, [reversal for _, reversal in seen], moments)
    return _record(desk, charge, invoice, [*entries, *_reinstated(desk, known, entries, moments)])


def _note_stages(desk: Desk, charge: Charge, reversals: Iterable[GatewayReversal], moments: Mapping[str, datetime]) -> None:
    """Before the entries, whose delivery depends on them. A dispute that was lost is delivered once more: what was set apart
    until then is owed again."""
    with desk.store.begin() as tx:
        for reversal in reversals:
            new = stages.note(tx, reversal, charge=charge.id, now=moments.get(reversal.id, desk.now()))
            if new and reversal.stage is ReversalStage.LOST and reversal.reason is ReversalReason.DISPUTE:
                for delivery in outbox.of_entry(tx, reversal_key(reversal.id)):
                    outbox.reopen(tx, delivery.id, now=desk.now())


def _may_have_gone_back(payment: GatewayPayment, known: Iterable[LedgerEntry]) -> bool:
    return payment.moved_back or any(e.kind is EntryKind.REVERSAL and e.payment == payment.payment for e in known)


def _reinstated(
    desk: Desk, known: Iterable[LedgerEntry], now: Iterable[LedgerEntry], moments: Mapping[str, datetime]
) -> list[LedgerEntry]:
    """What the ledger has as a reversal and the gateway no longer has: a dispute won, a refund that came back."""
    standing = {entry.key for entry in now}
    read = {entry.payment for entry in now}
    when = {reversal_key(id): moment for id, moment in moments.items()}
    return [
        replace(
            entry,
            key=reinstated_key(entry.key),
            kind=EntryKind.PAYMENT,
            detail=f"undone: {entry.detail}",
            at=when.get(entry.key, desk.now()),
            on=desk.local_date(when.get(entry.key, desk.now())),
        )
        for entry in known
        if entry.kind is EntryKind.REVERSAL and entry.key not in standing and entry.payment in read
    ]


def _record(desk: Desk, charge: Charge, invoice: GatewayInvoice, entries: Iterable[LedgerEntry]) -> int:
    """Ledger before delivery: entries and their deliveries are one transaction."""
    with desk.store.begin() as tx:
        payer = _payer(tx, charge)
        written = sum(_append(tx, desk, replace(entry, payer=payer)) for entry in entries)
        state = _state(charge, invoice)
        booked = net(ledger.entries(tx, charge=charge.id), charge.currency)
        collected = booked if booked or state is not ChargeState.WRITTEN_OFF else charge.collected
        if (state, collected) != (charge.state, charge.collected):
            charges.update(tx, charge.id, state=state, collected=collected, now=desk.now())
        if state is not charge.state and state in (ChargeState.PAID, ChargeState.ENDED, ChargeState.WRITTEN_OFF):
            holds.replace(tx, charge.id, [], now=desk.now())  # nothing is to be collected any more
            if charge.state is ChargeState.HELD:  # it was never released, or that was not noted
                what = f"found {invoice.state} the gateway's invoice {invoice.id} of charge {charge.id}"
                audit.write(tx, who=desk.settings.worker, what=what, after={"total": str(invoice.total)}, now=desk.now())
    return written


def _payer(tx: Connection, charge: Charge) -> str:
    """Whoever was charged: the agreement may be billed to somebody else since. Old rows do not say who."""
    unit = None if charge.payer else units.get(tx, charge.unit)
    return unit.payer if unit else charge.payer


def _append(tx: Connection, desk: Desk, entry: LedgerEntry) -> bool:
    new = ledger.append(tx, entry, targets=targets(desk), now=desk.now())
    if entry.fee is not None:
        ledger.add_fee(tx, entry.key, entry.fee)
    if new and is_reinstated(entry):
        _try_again(tx, entry, desk.now())
    return new


def _try_again(tx: Connection, entry: LedgerEntry, now: datetime) -> None:
    """The reversal that was undone may be parked for a person: now nobody has to do anything about it."""
    reversal = reversal_key(entry.key.removeprefix("reinstated:"))
    for delivery in outbox.of_entry(tx, reversal):
        outbox.retry_parked(tx, delivery.id, now=now)


def targets(desk: Desk) -> list[str]:
    """Where a ledger entry is written back to. Where the owner of PSA payments was not chosen yet the delivery waits."""
    result = []
    if desk.settings.psa_payments != "accounting_sync":
        result.append(f"psa:{desk.psa.name}")
    if desk.books is not None and desk.settings.books_payments:
        result.append(f"books:{desk.books.name}")
    return result


def looked_at_again(desk: Desk) -> list[str]:
    with desk.store.read() as tx:
        return list(settings.get(tx, LOOK_AGAIN) or [])


def _touched(desk: Desk, page: EventPage, again: Iterable[str]) -> list[Charge]:
    """The charges to read, each once: those that the events are about, in their order, and those to look at again."""
    found: dict[str, Charge] = {}
    with desk.store.read() as tx:
        for event in page.events:
            charge = charges.by_gateway_invoice(tx, event.invoice) if event.invoice else None
            if charge is None and event.payment:
                charge = _by_payment(tx, event.payment)
            if charge is not None and charge.state not in (ChargeState.WAITING, ChargeState.WRITTEN_OFF):
                found[charge.id] = charge
        found.update((charge.id, charge) for id in again if (charge := charges.get(tx, id)) is not None)
        if page.lost:
            found.update((charge.id, charge) for charge in _all_recent(tx, desk.today() - LOOK_BACK))
    return list(found.values())


def _by_payment(tx: Connection, payment: str) -> Charge | None:
    """An event that names only the payment (a refund, a dispute) is about a payment that our ledger has."""
    entries = ledger.of_payment(tx, payment)
    return charges.get(tx, entries[0].charge) if entries else None


def _all_recent(tx: Connection, since: date) -> list[Charge]:
    """The cursor was lost: what happened in between is looked for at every charge that was released."""
    released = charges.every(tx, [ChargeState.RELEASED, ChargeState.PAID, ChargeState.ENDED])
    return [charge for charge in released if charge.gateway_invoice and charge.period.end >= since]


def _payment(desk: Desk, charge: Charge, payment: GatewayPayment) -> LedgerEntry:
    return LedgerEntry(
        key=payment_key(payment.id),
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
        key=reversal_key(reversal.id),
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
            # Held with nothing owed: we died between writing it off and noting it.
            nothing_owed = charge.state is ChargeState.HELD and charge.owed is not None and not charge.owed
            return ChargeState.WRITTEN_OFF if nothing_owed or charge.state is ChargeState.WRITTEN_OFF else ChargeState.ENDED
        case _:
            return ChargeState.RELEASED
