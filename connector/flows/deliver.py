"""Deliver: for each ledger entry and target, write it back exactly once. A target is delivered to a state: look, decide
what is missing, write that, read it back; what a person recorded already is adopted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import structlog

from connector.errors import ConnectorError, OutcomeUnknown, Rejected, RetryLater, Unauthorized
from connector.flows import collect, deliver_books, deliver_psa
from connector.flows.books_case import Invoices
from connector.flows.desk import Desk
from connector.flows.outcome import Done, Later, Outcome
from connector.model.ledger import LedgerEntry
from connector.store import audit, freshness, ledger, outbox
from connector.store.outbox import Delivery, StaleLease

LEASE_S = 300
BATCH = 25
MAX_ROUNDS = 400
POISON_ATTEMPTS = 8  # an error that nobody foresaw is tried this often, then parked
PATIENCE = 3  # a target that could not answer so often in a row is not asked for the rest of the round
SOONEST = timedelta(seconds=5)  # a partner that says "at once" is not asked again in the same round
log = structlog.get_logger(__name__)


@dataclass(kw_only=True, slots=True)
class Delivered:
    """What one round did: deliveries done, put off with why, and parked for a person with why."""

    done: int = 0
    later: dict[str, int] = field(default_factory=dict)
    parked: list[str] = field(default_factory=list)


@dataclass(kw_only=True, slots=True)
class _Patience:
    """Which targets do not answer in this round: what is meant for them is put off without asking again."""

    silent: dict[str, int] = field(default_factory=dict)
    last: dict[str, ConnectorError] = field(default_factory=dict)

    def lost(self, target: str) -> ConnectorError | None:
        return self.last.get(target) if self.silent.get(target, 0) >= PATIENCE else None

    def learn(self, target: str, outcome: Outcome | ConnectorError) -> None:
        match outcome:
            case Unauthorized():
                self.silent[target], self.last[target] = PATIENCE, outcome
            case RetryLater():
                self.silent[target], self.last[target] = self.silent.get(target, 0) + 1, outcome
            case _:
                self.silent[target] = 0


def deliver(desk: Desk) -> Delivered:
    """Work until nothing is due. Reversals and payments of one charge reach a target in their order."""
    report, patience = Delivered(), _Patience()
    with desk.store.begin() as tx:
        outbox.reap(tx, now=desk.now())
    for _ in range(MAX_ROUNDS):
        with desk.store.begin() as tx:
            batch = outbox.claim(tx, now=desk.now(), lease_s=LEASE_S, limit=BATCH, worker=desk.settings.worker)
        if not batch:
            break
        _deliver_batch(desk, batch, patience, report)
    with desk.store.begin() as tx:
        freshness.succeeded(tx, "deliver", now=desk.now())
    return report


def _deliver_batch(desk: Desk, batch: Sequence[Delivery], patience: _Patience, report: Delivered) -> None:
    with desk.store.read() as tx:
        entries = {d.entry: entry for d in batch if (entry := ledger.get(tx, d.entry)) is not None}
    to_books = [d for d in batch if _wanted(desk, d) and d.target.startswith("books:") and not patience.lost(d.target)]
    ahead = deliver_books.look_ahead(desk, [entries[d.entry] for d in to_books if d.entry in entries])
    for number, delivery in enumerate(batch, start=1):
        desk.settings.progress("deliveries", number, len(batch))
        try:
            with desk.store.begin() as tx:
                outbox.renew(tx, delivery, now=desk.now(), lease_s=LEASE_S)
            outcome = patience.lost(delivery.target) or _attempt(desk, delivery, entries.get(delivery.entry), ahead)
            patience.learn(delivery.target, outcome)
            _note(desk, delivery, outcome, report)
        except StaleLease as error:
            log.info("delivery was taken over", delivery=delivery.id, error=str(error))


def _wanted(desk: Desk, delivery: Delivery) -> bool:
    return delivery.target in collect.targets(desk)


def _attempt(desk: Desk, delivery: Delivery, entry: LedgerEntry | None, ahead: Invoices) -> Outcome | ConnectorError:
    """What came of it; an expected failure is an outcome too."""
    if not _wanted(desk, delivery):
        return Done(external_id="", note="not written: the configuration no longer asks for it (write_back)")
    if entry is None:
        return Rejected(f"the payment journal has no entry {delivery.entry}")
    try:
        if delivery.target.startswith("psa:"):
            return deliver_psa.deliver(desk, entry)
        return deliver_books.deliver(desk, entry, ahead)
    except ConnectorError as error:
        return error
    except Exception as error:
        log.exception("delivery failed unexpectedly", entry=delivery.entry, target=delivery.target)
        if delivery.attempts >= POISON_ATTEMPTS:
            return Rejected(f"failed {delivery.attempts} times with {type(error).__name__}; the log has the details")
        return Later(note=f"failed with {type(error).__name__}; the log has the details", after=timedelta(minutes=5))


def _note(desk: Desk, delivery: Delivery, outcome: Outcome | ConnectorError, report: Delivered) -> None:
    now, proposed = desk.now(), _proposed(desk, outcome)
    with desk.store.begin() as tx:
        match outcome:
            case Done(external_id=external_id, note=note):
                outbox.done(tx, delivery, external_id=external_id, note=note, now=now)
                audit.write(
                    tx,
                    who=desk.settings.worker,
                    what=f"delivered {delivery.entry} to {delivery.target}",
                    after={"note": note},
                    now=now,
                )
                report.done += 1
            case Rejected():
                outbox.park(tx, delivery, why=str(outcome), now=now, proposed=proposed)
                report.parked.append(f"{delivery.entry} to {delivery.target}: {outcome}")
            case _:
                later = _later(outcome)
                outbox.later(tx, delivery, run_at=now + max(later.after, SOONEST), note=later.note, now=now)
                report.later[later.note] = report.later.get(later.note, 0) + 1


def _proposed(desk: Desk, outcome: Outcome | ConnectorError) -> date | None:
    """The first open day, where the books are closed for the day on which it happened."""
    if desk.books is None or not (isinstance(outcome, Rejected) and outcome.code == "closed_period"):
        return None
    try:
        closed = desk.books.closed_until()
    except ConnectorError:
        return None  # the refusal stands, and says so itself
    return closed + timedelta(days=1) if closed else None


def _later(outcome: Later | ConnectorError) -> Later:
    match outcome:
        case Later():
            return outcome
        case RetryLater(after_s=after_s):
            return Later(note=str(outcome), after=timedelta(seconds=after_s))
        case OutcomeUnknown():
            return Later(note=f"{outcome} (it is looked up before it is written again)", after=timedelta(minutes=2))
        case _:
            return Later(note=str(outcome), after=timedelta(minutes=15))
