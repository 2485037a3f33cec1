"""One row of the three-way check: what PSA, gateway, ledger and books say of one period, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta

from connector.flows import reconcile_payments, settled, told_of_reversals
from connector.flows.decisions import decision_of, reversals_of
from connector.flows.deliver_psa import WRITTEN_ON
from connector.flows.desk import Desk
from connector.flows.meanings import meanings_of
from connector.flows.reconcile_facts import Facts
from connector.flows.reconcile_subjects import Subject
from connector.model.agreement import company_of
from connector.model.charge import ChargeState
from connector.model.decision import ChargeDecision
from connector.model.drift import Row
from connector.model.invoice import PsaInvoice
from connector.model.ledger import LedgerEntry, net, went_back
from connector.model.money import Money, total
from connector.model.reversal import kept
from connector.store import links, outbox
from connector.store.links import Link
from connector.store.outbox import Delivery, DeliveryState

BY_HAND = "by hand: "  # begins the note of a delivery that a person took over: what they entered cannot be seen from here
PATIENCE_DAYS = 7  # what is on its way for longer does not arrive by itself any more
NOT_CHOSEN = "write_back.psa_payments is not chosen in the configuration"


def _decision(desk: Desk, subject: Subject) -> ChargeDecision | None:
    """The last charge of the invoice of which money is away speaks for it."""
    with desk.store.read() as tx:
        gone = [c for c in subject.charges if c.collected is not None and reversals_of(tx, c.id)]
        found = decision_of(tx, gone[-1]) if gone else None
    return found.decision if found is not None else None


def row_of(desk: Desk, subject: Subject, facts: Facts) -> Row:
    bill, entries, currency = subject.bill, subject.entries, subject.currency
    in_books = facts.books(subject)
    to_psa, to_books = _undelivered(desk, entries, "psa:"), _undelivered(desk, entries, "books:")
    open_ = [other for other in subject.further if other.balance.minor > 0 and _is_due(desk, other)]
    row = Row(
        unit=subject.unit,
        name=subject.name,
        period=subject.period,
        state=_state(subject),
        due=bill is not None and _is_due(desk, bill),
        psa_number=bill.number if bill else "",
        psa_total=bill.total if bill else None,
        psa_paid=bill.payments if bill else None,
        psa_open=bill.balance if bill else None,
        psa_recorded=_recorded(desk, subject),
        gateway_collected=facts.at_gateway(subject),
        ledger=net(entries, currency),
        went_back=went_back(entries, currency),
        charge=subject.charge.id if subject.charge else "",
        decision=_decision(desk, subject),
        books_open=total((b.balance for b in in_books), currency) if in_books else None,
        books_ours=_in_books(desk, entries, facts, currency) if desk.books is not None else None,
        books_unapplied=None,
        books_others=", ".join(sorted(other.customer for other in facts.others(subject))),
        pending_psa=any(d.state is not DeliveryState.PARKED for d in to_psa),
        pending_books=any(d.state is not DeliveryState.PARKED for d in to_books),
        parked_psa=_parked(to_psa) or (NOT_CHOSEN if to_psa and desk.settings.psa_payments is None else ""),
        parked_books=_parked(to_books),
        writes_psa=desk.settings.psa_payments != "accounting_sync",
        writes_books=desk.books is not None and desk.settings.books_payments,
        cannot_hold_parts="" if settled.holds_parts(desk) else desk.psa.name.capitalize(),
        further_numbers=", ".join(other.number for other in open_),
        further_open=total((other.balance for other in open_), currency) if open_ else None,
        number=subject.charge.number if subject.charge else 0,
        charges=tuple(charge.id for charge in subject.charges),
        told=told_of_reversals.told(desk, subject.payer, entries, subject.invoices),
    )
    return _with_payments(desk, subject, facts, replace(row, late_psa=_late(desk, to_psa), late_books=_late(desk, to_books)))


def _with_payments(desk: Desk, subject: Subject, facts: Facts, row: Row) -> Row:
    """What is told of single payments, and of the bill's own day and payer."""
    drifts = reconcile_payments.changed(desk, subject, facts)
    return replace(
        row,
        payments=drifts,
        accepted=reconcile_payments.accepted(subject, facts, drifts),
        books_unapplied=reconcile_payments.unapplied(subject, facts, drifts) if desk.books is not None else None,
        paid_on=subject.bill.paid_on if subject.bill else None,
        paid_as_written=_written_on(desk, subject),
        other_payer=_other_payer(subject),
        sync_to_books=desk.books is not None and desk.settings.books_sync,
        overdue=_overdue(desk, subject.entries),
        kept=_kept(desk, subject),
    )


def _state(subject: Subject) -> ChargeState | None:
    """Of several charges for one invoice the one that is still to be collected, else the latest."""
    states = [charge.state for charge in subject.charges]
    going_on = [state for state in states if state in (ChargeState.WAITING, ChargeState.HELD, ChargeState.RELEASED)]
    return (going_on or states)[-1] if states else None


def _is_due(desk: Desk, bill: PsaInvoice) -> bool:
    return (bill.due_date or bill.dated) < desk.today()


def _other_payer(subject: Subject) -> str:
    """A location's bill is its company's."""
    charged = company_of(subject.charge.payer) if subject.charge else ""
    billed = subject.bill.payer if subject.bill else ""
    return billed if charged and billed and charged != billed else ""


def _overdue(desk: Desk, entries: Sequence[LedgerEntry]) -> int | None:
    """Days after which another writer should have brought all of it, once they are over."""
    days = desk.settings.wait_days
    return days if entries and max(entry.at for entry in entries) + timedelta(days=days) <= desk.now() else None


def _kept(desk: Desk, subject: Subject) -> Money:
    with desk.store.read() as tx:
        return kept(subject.entries, meanings_of(tx, desk, subject.entries), subject.currency)


def _recorded(desk: Desk, subject: Subject) -> Money | None:
    link = _psa_link(desk, subject)
    minor = link.detail.get("recorded") if link else None
    return Money(minor, subject.currency) if minor is not None else None


def _written_on(desk: Desk, subject: Subject) -> date | None:
    link = _psa_link(desk, subject)
    written = link.detail.get(WRITTEN_ON) if link else None
    return date.fromisoformat(written) if written else None


def _psa_link(desk: Desk, subject: Subject) -> Link | None:
    if subject.charge is None or subject.bill is None:
        return None
    with desk.store.read() as tx:
        return links.find(tx, "psa_payment", subject.bill.id, desk.psa.name)


def _in_books(desk: Desk, entries: Sequence[LedgerEntry], facts: Facts, currency: str) -> Money:
    """What we posted (or adopted), and what a person said that they entered for us."""
    with desk.store.read() as tx:
        done = {e.key: [d.note for d in outbox.of_entry(tx, e.key) if d.target.startswith("books:")] for e in entries}
    by_hand = [e for e in entries if e.key not in facts.journals and any(n.startswith(BY_HAND) for n in done[e.key])]
    taken = (facts.journals[e.key] for e in entries if e.key in facts.journals)
    return total((*(p.amount for p in facts.ours(entries)), *taken), currency) + net(by_hand, currency)


def _undelivered(desk: Desk, entries: Iterable[LedgerEntry], target: str) -> list[Delivery]:
    with desk.store.read() as tx:
        found = [d for entry in entries for d in outbox.of_entry(tx, entry.key)]
    return [d for d in found if d.state is not DeliveryState.DONE and d.target.startswith(target)]


def _parked(deliveries: Sequence[Delivery]) -> str:
    return next((d.note for d in deliveries if d.state is DeliveryState.PARKED), "")


def _late(desk: Desk, deliveries: Sequence[Delivery]) -> str:
    """What was never delivered and should have been by now: since when, and what it waits for."""
    patience = timedelta(days=max(desk.settings.wait_days, PATIENCE_DAYS))
    found = [d for d in deliveries if not d.external_id and desk.now() - d.created_at > patience]
    return (
        f"on its way since {desk.local_date(found[0].created_at).isoformat()} ({found[0].note or 'no answer yet'})"
        if found
        else ""
    )
