"""Reconcile: compare PSA, gateway and books, per billing unit and period; classify every difference.

Writes nothing to a partner. What the other flows can repair by themselves is handed to them: a ledger that is behind to
`collect`, a payment whose invoice was made again to `deliver`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from connector.flows import collect, other_writers, reconcile_payments, reconcile_payouts, settled, told_of_reversals
from connector.flows.desk import Desk
from connector.flows.reconcile_facts import Facts, read_facts
from connector.flows.reconcile_rows import row_of
from connector.flows.reconcile_subjects import Subject, subjects_since
from connector.flows.reconcile_totals import bills_of
from connector.flows.strays import uncharged
from connector.flows.unplaced import unplaced_bills, unreadable_bills
from connector.model.drift import Drift, Row, compare
from connector.model.ledger import EntryKind, net
from connector.model.money import total
from connector.model.totals import Bill
from connector.store import freshness, outbox, settings

KEEP_ALIVE = timedelta(days=1)
DAYS = 92
CHECKED = "reconcile.found"  # how many mismatches the last check found, for `status`


@dataclass(frozen=True, kw_only=True, slots=True)
class Reconciliation:
    """Every row that was compared and every difference."""

    rows: tuple[Row, ...]
    drifts: tuple[Drift, ...]
    since: date
    bills: tuple[Bill, ...] = ()  # for the months' totals

    @property
    def ties(self) -> bool:
        return not self.drifts


def reconcile(desk: Desk, *, since: date | None = None) -> Reconciliation:
    """Everything billed since that day (default: 92 days), each partner read anew."""
    since = max(since or desk.today() - timedelta(days=DAYS), desk.settings.policy.collect_from)
    _keep_alive(desk)
    other_writers.look_in_psa(desk)
    subjects, bills = subjects_since(desk, since)
    facts = read_facts(desk, subjects)
    _hand_over(desk, subjects, facts)
    rows = tuple(row_of(desk, subject, facts) for subject in subjects)
    drifts = (
        *(drift for row in rows for drift in compare(row)),
        *unplaced_bills(desk, bills, since=since),
        *unreadable_bills(bills),
        *uncharged(desk, since=since),
        *reconcile_payouts.compared(desk, since=since),
    )
    waiting = sum(drift.waiting for drift in drifts)
    with desk.store.begin() as tx:
        settings.set(tx, CHECKED, {"open": len(drifts) - waiting, "waiting": waiting}, now=desk.now())
        freshness.succeeded(tx, "reconcile", now=desk.now())
    return Reconciliation(rows=rows, drifts=drifts, since=since, bills=bills_of(desk, subjects))


def _keep_alive(desk: Desk) -> None:
    """Books that nothing was asked of for days are asked once: a permission that is not used dies (payments.md 2.2)."""
    with desk.store.read() as tx:
        seen = {beat.name: beat.last_success for beat in freshness.every(tx)}
    last = seen.get(desk.books.name) if desk.books is not None else None
    if desk.books is not None and (last is None or desk.now() - last > KEEP_ALIVE):
        desk.books.ping()


# What the other flows repair


def _hand_over(desk: Desk, subjects: Sequence[Subject], facts: Facts) -> None:
    behind = [c.id for s in subjects if facts.at_gateway(s) != net(s.entries, s.currency) for c in s.charges]
    if behind:
        collect.look_again(desk, behind)
    for subject in subjects:
        if subject.moved():
            _deliver_again(desk, subject, "")
        elif _is_to_be_applied(desk, subject, facts):
            _deliver_again(desk, subject, "books:")
        elif _is_settled_by_others(desk, subject, facts):
            _deliver_again(desk, subject, "psa:")


def _is_to_be_applied(desk: Desk, subject: Subject, facts: Facts) -> bool:
    """Unless a person took it off, whether they have said already that it is right so or not."""
    if any(reconcile_payments.is_let_go(facts, entry) for entry in subject.entries):
        return False
    return _can_be_applied(desk, subject, facts) and not told_of_reversals.left_alone(desk, subject.entries, facts.journals)


def _can_be_applied(desk: Desk, subject: Subject, facts: Facts) -> bool:
    """The invoice was deleted in the books and entered again, so that our payment on it became the customer's credit."""
    open_ = [invoice for invoice in facts.books(subject) if invoice.balance.minor > 0]
    loose = reconcile_payments.unapplied(subject, facts, reconcile_payments.changed(desk, subject, facts))
    return bool(open_) and loose.minor > 0


def _is_settled_by_others(desk: Desk, subject: Subject, facts: Facts) -> bool:
    """We collected a part, which this PSA cannot hold, and there or in the books the rest has arrived since."""
    if subject.charge is None or subject.bill is None or subject.charge.id not in settled.partly_paid(desk):
        return False
    currency, in_books = subject.currency, facts.books(subject)
    if not subject.bill.balance or len(in_books) != 1:
        return not subject.bill.balance
    ours = total((posted.on_invoices for posted in facts.ours(subject.entries)), currency)
    return net(subject.entries, currency) + settled.paid_by_others(in_books[0], ours) >= subject.bill.total


def _deliver_again(desk: Desk, subject: Subject, target: str) -> None:
    """`deliver` looks at the target and writes what is missing there, if anything is."""
    paid = [entry for entry in subject.entries if entry.kind is EntryKind.PAYMENT]
    with desk.store.begin() as tx:
        for delivery in (d for entry in paid for d in outbox.of_entry(tx, entry.key)):
            if delivery.target.startswith(target) and delivery.external_id:
                outbox.reopen(tx, delivery.id, now=desk.now())
