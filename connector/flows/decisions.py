"""Money that went back is a question for a person: what a refund is for, and what becomes of its charge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

import structlog
from sqlalchemy import Connection

from connector.flows import holding
from connector.flows.desk import Desk
from connector.model.charge import Charge, ChargeState
from connector.model.decision import ASK_AGAIN_DAYS, Standing, is_refund, standing, taken_back, unclassified
from connector.model.guards import Reason
from connector.model.ledger import GatewayReversal, LedgerEntry, RefundIntent, reversal_key
from connector.model.money import Money
from connector.store import charges, decisions, ledger, settings, units
from connector.store.decisions import Decided

REVERSED = "reversed"  # a charge whose payment was taken back, and nobody has decided what becomes of it
UNCLASSIFIED = "unclassified_refund"
ASKED = "decisions.asked"  # charge -> the day on which it was last asked for
NOTED = frozenset({ChargeState.PAID, ChargeState.ENDED})  # whose holds nobody else writes
AT_THE_GATEWAY = "the refund at the gateway"  # who said what it is for, where its metadata did
log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One charge that waits for a word of a person."""

    charge: Charge
    name: str
    reason: Reason
    since: date
    days: int

    @property
    def sentence(self) -> str:
        undecided = f", undecided for {self.days} days" if self.days >= ASK_AGAIN_DAYS else ""
        return f"{self.name}, {self.charge.period}: {self.reason.message}{undecided}. {self.reason.way_on}"


def note_intents(desk: Desk, reversals: Iterable[GatewayReversal]) -> None:
    """What the gateway's metadata says that a refund is for stands until a person says otherwise."""
    told = {reversal_key(r.id): RefundIntent(r.intent) for r in reversals if r.intent}
    if not told:
        return
    with desk.store.begin() as tx:
        for key in told.keys() - decisions.classified(tx, told).keys():
            decisions.classify(tx, key, told[key], who=AT_THE_GATEWAY, why="psa_connector_intent", now=desk.now())


def reversals_of(tx: Connection, charge: str) -> tuple[Standing, ...]:
    """The reversals of one charge that stand, with what each means."""
    entries = ledger.entries(tx, charge=charge)
    said = decisions.classified(tx, [entry.key for entry in entries])
    return standing(entries, {key: word.intent for key, word in said.items()})


def questions(desk: Desk) -> list[Question]:
    """What nobody has said yet, the oldest first. From the store alone."""
    with desk.store.read() as tx:
        found = [q for id in ledger.with_reversals(tx) if (c := charges.get(tx, id)) is not None for q in _asked(tx, desk, c)]
    return sorted(found, key=lambda question: question.since)


def intent_of(tx: Connection, entry: LedgerEntry) -> RefundIntent | None:
    """What a reversal means for its invoice: a dispute or returned debit always takes the payment back; None: nobody has said."""
    return decisions.intent(tx, entry.key) if is_refund(entry) else RefundIntent.CANCEL_PAYMENT


def decision_of(tx: Connection, charge: Charge) -> Decided | None:
    """What was decided about all that went back of a charge; None while it is a question."""
    found = decisions.decided(tx, charge.id)
    return found if covers(found, taken_back(reversals_of(tx, charge.id), charge.currency)) else None


def asked(desk: Desk) -> list[str]:
    """For `status`: what a person has to say, in sentences."""
    return [question.sentence for question in questions(desk)]


def _asked(tx: Connection, desk: Desk, charge: Charge) -> Iterator[Question]:
    there = reversals_of(tx, charge.id)
    decided = decisions.decided(tx, charge.id)
    row = units.get(tx, charge.unit)
    name = row.name if row else charge.unit
    for entry in unclassified(there):
        yield _question(desk, charge, name, _unclassified(entry), entry.on)
    back = taken_back(there, charge.currency)
    if back.minor and not covers(decided, back):
        last = max((r.entry for r in there if r.intent is RefundIntent.CANCEL_PAYMENT), key=lambda entry: entry.at)
        yield _question(desk, charge, name, _undecided(charge, back, last), last.on)


def covers(decided: Decided | None, back: Money) -> bool:
    """More money back than was decided about is a new question."""
    return decided is not None and decided.back >= back


def _question(desk: Desk, charge: Charge, name: str, reason: Reason, since: date) -> Question:
    return Question(charge=charge, name=name, reason=reason, since=since, days=(desk.today() - since).days)


def _unclassified(entry: LedgerEntry) -> Reason:
    id = entry.key.removeprefix("reversal:")
    return Reason(
        name=UNCLASSIFIED,
        message=f"{entry.amount} was refunded on {entry.on.isoformat()}, and nobody has said what it is for",
        way_on=(
            f"connector classify {id} credit (a credit memo follows, the invoice stays paid), overpayment (money paid too"
            ' much), or cancel-payment (the invoice is open again) --as NAME --why "..."'
        ),
    )


def _undecided(charge: Charge, back: Money, last: LedgerEntry) -> Reason:
    return Reason(
        name=REVERSED,
        message=f"{back} went back to the payer on {last.on.isoformat()} ({last.detail}); it is not collected again by itself",
        way_on=(
            f"connector decide {charge.id} recollect (collect what is owed then once more), credit (you credit the invoice"
            ' in the PSA), or write-off (nothing more is collected) --as NAME --why "..."'
        ),
    )


def ask(desk: Desk) -> list[str]:
    """The holds of charges that are over say what is asked; once a week the log says so too. What was said there."""
    open_ = questions(desk)
    by_charge: dict[str, list[Reason]] = {}
    for question in open_:
        by_charge.setdefault(question.charge.id, []).append(question.reason)
    with desk.store.read() as tx:
        noted = {id: c for id in ledger.with_reversals(tx) if (c := charges.get(tx, id)) is not None and c.state in NOTED}
    for id, charge in noted.items():
        holding.note(desk, charge, by_charge.get(id, ()))
    return _remind(desk, open_)


def _remind(desk: Desk, open_: Iterable[Question]) -> list[str]:
    with desk.store.read() as tx:
        asked: dict[str, str] = settings.get(tx, ASKED) or {}
    today = desk.today()
    still = {question.charge.id: asked.get(question.charge.id, "") for question in open_}
    due = [q for q in open_ if not (on := still[q.charge.id]) or (today - date.fromisoformat(on)).days >= ASK_AGAIN_DAYS]
    for question in due:
        still[question.charge.id] = today.isoformat()
        log.warning("a person has to decide", charge=question.charge.id, days=question.days, what=question.sentence)
    if still != asked:
        with desk.store.begin() as tx:
            settings.set(tx, ASKED, still, now=desk.now())
    return [question.sentence for question in due]
