"""The three-way check of single payments: each that we entered in the books, beside what they show of it now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from connector.flows.desk import Desk
from connector.flows.reconcile_facts import Facts
from connector.flows.reconcile_subjects import Subject
from connector.model.ledger import EntryKind, LedgerEntry
from connector.model.money import Money, total
from connector.model.payment_check import InBooks, PaymentDrift, differences
from connector.store import booking_dates, outbox
from connector.store.links import Link
from connector.store.outbox import DeliveryState

OFF_INVOICE = "off_invoice"  # as `books_changes` notes a payment that was taken off its invoice


def changed(desk: Desk, subject: Subject, facts: Facts) -> tuple[PaymentDrift, ...]:
    """From what was read already: no request."""
    return tuple(drift for one in _ours(desk, subject, facts) for drift in differences(one))


def unapplied(subject: Subject, facts: Facts, drifts: Sequence[PaymentDrift]) -> Money:
    """On no invoice, and neither told as changed nor said to be right so."""
    told = {drift.key for drift in drifts if not drift.accepted}
    return facts.unapplied((e for e in subject.entries if e.key not in told and not is_let_go(facts, e)), subject.currency)


def accepted(subject: Subject, facts: Facts, drifts: Sequence[PaymentDrift]) -> Money:
    """What the books show too little on the invoice, and a person said that it is right so."""
    free = facts.unapplied((entry for entry in subject.entries if is_let_go(facts, entry)), subject.currency)
    return total((drift.lacks for drift in drifts if drift.accepted), subject.currency) + free


def is_let_go(facts: Facts, entry: LedgerEntry) -> bool:
    """Somebody took it off its invoice in the books, and said that it is right so."""
    link = facts.linked.get(entry.key)
    return link is not None and OFF_INVOICE in facts.accepted.get((entry.key, link.target), frozenset())


def _ours(desk: Desk, subject: Subject, facts: Facts) -> Iterator[InBooks]:
    """Every payment that was entered there and was not taken back since."""
    invoices = facts.books(subject)
    customers = {invoice.customer for invoice in invoices}
    customer = customers.pop() if len(customers) == 1 else ""
    for entry in subject.entries:
        link = facts.linked.get(entry.key)
        if entry.kind is EntryKind.PAYMENT and link is not None and _is_entered(desk, subject, entry, link):
            yield InBooks(
                key=entry.key,
                record=link.target,
                amount=entry.amount,
                dated=_dated(desk, entry),
                customer=customer,
                invoices=frozenset(invoice.id for invoice in invoices),
                number=subject.number,
                found=facts.posted.get(entry.key),
                adopted=entry.key in facts.adopted,
                accepted=facts.accepted.get((entry.key, link.target), frozenset()),
            )


def _is_entered(desk: Desk, subject: Subject, entry: LedgerEntry, link: Link) -> bool:
    """Delivered, and not voided by us (or lowered by a person) for money that went back: that is how it is delivered."""
    back = [e.key for e in subject.entries if e.kind is EntryKind.REVERSAL and e.payment == entry.payment]
    with desk.store.read() as tx:
        mine = [d for d in outbox.of_entry(tx, entry.key) if d.target.startswith("books:")]
        taken = [d for key in back for d in outbox.of_entry(tx, key) if d.state is DeliveryState.DONE]
    is_done = all(delivery.state is DeliveryState.DONE for delivery in mine)
    return is_done and not any(delivery.external_id == link.target for delivery in taken)


def _dated(desk: Desk, entry: LedgerEntry) -> date:
    with desk.store.read() as tx:
        return booking_dates.dated(tx, entry.key, entry.on)
