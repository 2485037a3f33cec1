"""A person's word about money that went back: what a refund is for (classify), what becomes of the charge (decide)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from connector.errors import Rejected
from connector.flows.decisions import covers, reversals_of
from connector.flows.desk import Desk
from connector.flows.naming import name_of
from connector.model.charge import Charge, ChargeState, charge_id
from connector.model.decision import ChargeDecision, is_refund, taken_back, unclassified
from connector.model.ledger import EntryKind, LedgerEntry, RefundIntent, ReversalStage, net, reversal_key, undone
from connector.model.money import Money, total
from connector.model.other import is_other
from connector.store import audit, charges, decisions, holds, ledger, links, outbox, units
from connector.store.outbox import DeliveryState

UNDECIDED_AT_BANK = frozenset({ReversalStage.INQUIRY, ReversalStage.OPENED, ReversalStage.UNDER_REVIEW})


@dataclass(frozen=True, kw_only=True, slots=True)
class Classification:
    entry: LedgerEntry
    intent: RefundIntent
    before: RefundIntent | None


def classify(desk: Desk, id: str, intent: RefundIntent, *, who: str, why: str) -> Classification:
    """What the refund `id` (the gateway's id) is for. Waiting deliveries of it go on at once. Said again, it changes nothing.

    Rejected for what is no refund of ours, what was booked as something else already, an overpayment that was never there.
    """
    entry = _refund(desk, id)
    with desk.store.read() as tx:
        before = decisions.intent(tx, entry.key)
    if before is intent:
        return Classification(entry=entry, intent=intent, before=before)
    _not_booked(desk, entry, before)
    if intent is RefundIntent.OVERPAYMENT:
        _was_too_much(desk, entry)
    with desk.store.begin() as tx:
        decisions.classify(tx, entry.key, intent, who=who, why=why, now=desk.now())
        what = f"refund {id} of charge {entry.charge} is {intent}"
        audit.write(tx, who=who, what=what, why=why, before={"intent": before}, after={"intent": intent}, now=desk.now())
        for delivery in outbox.of_entry(tx, entry.key):
            outbox.wake(tx, delivery.id, now=desk.now())
    return Classification(entry=entry, intent=intent, before=before)


def _refund(desk: Desk, id: str) -> LedgerEntry:
    key = id if id.startswith("reversal:") else reversal_key(id)
    with desk.store.read() as tx:
        entry = ledger.get(tx, key)
        entries = ledger.entries(tx, charge=entry.charge) if entry else []
    if entry is None:
        raise Rejected(
            f"there is no refund {id!r} in the payment journal. `connector holds` shows those that wait; a refund of today is"
            " read within a minute",
            code="unknown_refund",
        )
    if not is_refund(entry):
        raise Rejected(
            f"{id} is no refund but a {entry.detail.replace('_', ' ')}: it always takes the payment back, nothing has to be said",
            code="not_a_refund",
        )
    if undone(entries, entry):
        raise Rejected(f"refund {id} of {entry.amount} failed: the money is back, nothing has to be said", code="undone")
    return entry


def _not_booked(desk: Desk, entry: LedgerEntry, before: RefundIntent | None) -> None:
    with desk.store.read() as tx:
        booked = [d.target for d in outbox.of_entry(tx, entry.key) if d.state is DeliveryState.DONE]
    if booked and before is not None:
        raise Rejected(
            f"the refund of {entry.amount} was booked as {before} already ({', '.join(booked)}); correct it there by hand",
            code="booked",
        )


def _was_too_much(desk: Desk, entry: LedgerEntry) -> None:
    there = _overpaid(desk, entry)
    if entry.amount > there:
        raise Rejected(
            f"{entry.amount} was refunded, but only {there} of what this charge collected is on no invoice: it cannot be an"
            " overpayment. Say credit or cancel-payment",
            code="not_overpaid",
        )


def _overpaid(desk: Desk, entry: LedgerEntry) -> Money:
    """What of the charge's payments is on no invoice; without books, what is beyond the invoice's total."""
    currency = entry.amount.currency
    with desk.store.read() as tx:
        charge = charges.get(tx, entry.charge)
        paid = [e for e in ledger.entries(tx, charge=entry.charge) if e.kind is EntryKind.PAYMENT]
        name = desk.books.name if desk.books is not None else ""
        found = [link.target for e in paid if (link := links.find(tx, "books_payment", e.key, name)) is not None and link.target]
    if desk.books is not None and desk.settings.books_payments:
        return total((p.unapplied for p in desk.books.posted(found).values()), currency) if found else Money.zero(currency)
    bill = desk.psa.invoice(charge.psa_invoice) if charge is not None and charge.psa_invoice else None
    left = net(paid, currency) - (bill.total if bill is not None else Money.zero(currency))
    return max(left, Money.zero(currency), key=lambda money: money.minor)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """`next`: the charge that collects it again, or ""."""

    charge: Charge
    name: str
    decision: ChargeDecision
    back: Money
    next: str = ""


def decide(desk: Desk, id: str, decision: ChargeDecision, *, who: str, why: str) -> Outcome:
    """What becomes of a charge whose payment was taken back. Collecting again is one more charge, released under all guards.

    Rejected when nothing went back, when a refund was not classified yet, and, to collect again, while a bank still decides.
    """
    charge, back = _open_question(desk, id)
    if decision is ChargeDecision.RECOLLECT:
        _bank_is_done(desk, charge)
        _has_invoice(charge)
    with desk.store.begin() as tx:
        row, name = units.get(tx, charge.unit), name_of(tx, charge)
        collected = row.state in ("active", "awaiting_enrolment") if row else is_other(charge.unit)
        if decision is ChargeDecision.RECOLLECT and not collected:
            raise Rejected(
                f"{name} is no longer collected by autopay: collect it another way, then say connector decide {id} write-off",
                code="not_collected",
            )
        next = _once_more(tx, desk, charge, back) if decision is ChargeDecision.RECOLLECT else ""
        decisions.decide(tx, id, decision, back=back, next=next, who=who, why=why, now=desk.now())
        holds.lift(tx, id, "reversed", by=who, why=why, now=desk.now())
        after = {"back": str(back), "next": next}
        audit.write(tx, who=who, what=f"decided charge {id}: {decision}", why=why, after=after, now=desk.now())
    return Outcome(charge=charge, name=name, decision=decision, back=back, next=next)


def _open_question(desk: Desk, id: str) -> tuple[Charge, Money]:
    with desk.store.read() as tx:
        charge = charges.get(tx, id)
        there = reversals_of(tx, id)
        before = decisions.decided(tx, id)
    if charge is None:
        raise Rejected(f"there is no charge {id!r}; `connector holds` lists those that wait for you", code="unknown_charge")
    if waiting := unclassified(there):
        first = waiting[0]
        refund = first.key.removeprefix("reversal:")
        raise Rejected(
            f"say first what the refund of {first.amount} is for: connector classify {refund} credit|overpayment|cancel-payment",
            code="unclassified",
        )
    back = taken_back(there, charge.currency)
    if not back.minor:
        raise Rejected(f"no payment of charge {id} was taken back: there is nothing to decide", code="nothing_back")
    if before is not None and covers(before, back):
        _may_change(desk, id, before)
    return charge, back


def _may_change(desk: Desk, id: str, before: decisions.Decided) -> None:
    """Another word about the same money is possible as long as nothing collects it again."""
    if before.decision is ChargeDecision.RECOLLECT:
        raise Rejected(
            f"{before.who} decided on {desk.local_date(before.at).isoformat()} to collect {id} again ({before.why}): charge"
            f" {before.next} does. To stop it, void its draft at the gateway, or enter a payment in the PSA",
            code="decided",
        )


def _bank_is_done(desk: Desk, charge: Charge) -> None:
    with desk.store.read() as tx:
        payments = dict.fromkeys(e.payment for e in ledger.entries(tx, charge=charge.id) if e.kind is EntryKind.REVERSAL)
    for payment in payments:
        waiting = [r for r in desk.gateway.reversal_states(payment) if r.stage in UNDECIDED_AT_BANK]
        if waiting:
            raise Rejected(
                f"the bank has not decided about dispute {waiting[0].id} of {waiting[0].amount}: collecting it now could take the"
                " money twice. Wait until it is won or lost, or say credit or write-off",
                code="dispute_open",
            )


def _has_invoice(charge: Charge) -> None:
    if not charge.psa_invoice:
        raise Rejected(
            f"charge {charge.id} has no invoice in the PSA, so what is owed is not known: create the invoice, collect it another"
            " way, and say write-off",
            code="no_invoice",
        )


def _once_more(tx: Connection, desk: Desk, charge: Charge, back: Money) -> str:
    """Written ahead: the release flow makes the draft, at what is owed then, never more than was invoiced."""
    number = 1 + max(c.number for c in charges.of_unit(tx, charge.unit) if c.period == charge.period)
    more = Charge(
        id=charge_id(charge.unit, charge.period, number),
        unit=charge.unit,
        period=charge.period,
        number=number,
        state=ChargeState.WAITING,
        currency=charge.currency,
        computed=back,
        payer=charge.payer,
        psa_invoice=charge.psa_invoice,
        psa_number=charge.psa_number,
        owed=back,
    )
    charges.ensure(tx, more, now=desk.now())
    return more.id
