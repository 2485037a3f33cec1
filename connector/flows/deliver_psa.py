"""Deliver one ledger entry to the PSA: the invoice there converges to what was collected for it so far."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from functools import partial
from typing import Any

from connector.errors import Rejected
from connector.flows import other_writers, settled
from connector.flows.alone import alone
from connector.flows.desk import Desk
from connector.flows.follow import follow_bill
from connector.flows.meanings import meanings_of, unsaid
from connector.flows.outcome import Done, Later, Outcome
from connector.model.charge import Charge
from connector.model.invoice import PaidRecord, PaidState
from connector.model.ledger import LedgerEntry, undone
from connector.model.money import Money
from connector.model.reversal import Meaning, kept
from connector.store import charges, ledger, links
from connector.store.links import Link

WAIT = timedelta(hours=1)

# Instead of a payment's id: looked at, and there was no room for one. Where the bill is made again it is looked at again.
NOTHING_OF_OURS = "none"
WRITTEN_ON = "dated"  # in the link's detail: the day that we wrote last, "" where we took it away
_WRITING_ON = "dating"  # the day that we are about to write: all that is left of it where the agent is killed


def deliver(desk: Desk, entry: LedgerEntry) -> Outcome:
    """Safe to repeat: nothing is written that the PSA shows already."""
    if desk.settings.psa_payments is None:
        return Later(
            note="nothing is written to the PSA until write_back.psa_payments is chosen in the configuration", after=WAIT
        )
    charge = _charge(desk, entry)
    waits = _waits(desk, entry)
    if waits is not None:
        return waits
    record = _converge_following(desk, charge, entry)
    if record is None:
        return Later(note=_missing(charge), after=WAIT)
    charge = _charge(desk, entry)  # it may have followed its bill
    partly = settled.remember(desk, charge, record, _collected(desk, charge))
    nothing = settled.PARTLY_PAID if partly else NOTHING_OF_OURS
    return Done(external_id=",".join(record.own) or nothing, note=partly or _said(record))


def _waits(desk: Desk, entry: LedgerEntry) -> Outcome | None:
    """What leaves the invoice paid, for now or for good, needs no writing; what nobody has said anything about waits."""
    with desk.store.read() as tx:
        entries = ledger.entries(tx, charge=entry.charge)
        means = meanings_of(tx, desk, [entry]).get(entry.key)
    if means is Meaning.UNSAID and not undone(entries, entry):
        return Later(note=unsaid(entry), after=WAIT)
    if means is Meaning.DISPUTED:
        return Done(external_id="", note="the bank decides about the dispute: until it is lost the invoice stays paid")
    return None


def _converge_following(desk: Desk, charge: Charge, entry: LedgerEntry) -> PaidRecord | None:
    """A refusal may mean that the invoice is gone: then the one that was made in its place gets the payment."""
    try:
        return converge(desk, charge, entry) if charge.psa_invoice else _elsewhere(desk, charge, entry)
    except Rejected:
        if not charge.psa_invoice or desk.psa.invoice(charge.psa_invoice) is not None:
            raise
        return _elsewhere(desk, charge, entry)


def _elsewhere(desk: Desk, charge: Charge, entry: LedgerEntry) -> PaidRecord | None:
    moved = follow_bill(desk, charge)
    return converge(desk, moved, entry) if moved is not None else None


def _missing(charge: Charge) -> str:
    if charge.psa_number:
        return f"invoice {charge.psa_number} is no longer in the PSA: create the invoice of {charge.period} again"
    return f"no invoice in the PSA yet for {charge.period}"


def converge(desk: Desk, charge: Charge, entry: LedgerEntry) -> PaidRecord:
    """As `_converge`, one process at a time: two charges may stand on one invoice, and two replicas deliver."""
    with alone(desk, f"psa_payment:{charge.psa_invoice}"):
        return _converge(desk, charge, entry)


def _converge(desk: Desk, charge: Charge, entry: LedgerEntry) -> PaidRecord:
    """Make the PSA invoice show everything collected so far, dated by this entry; the intent is remembered before."""
    with desk.store.begin() as tx:
        link = links.intend(tx, "psa_payment", charge.psa_invoice, desk.psa.name, now=desk.now())
        link = links.sending(tx, link, now=desk.now(), attempt=link.attempt + 1)
        links.applied(tx, link, fingerprint=link.fingerprint, detail={_WRITING_ON: entry.on.isoformat()}, now=desk.now())
    own = tuple(link.detail.get("own", ()))
    remember = partial(_remember, desk, link)
    recorded = link.detail.get("recorded")
    state = PaidState(
        collected=_collected(desk, charge),
        dated=entry.on,
        own=own,
        recorded=None if recorded is None else Money(recorded, charge.currency),
        is_copy=partial(other_writers.is_copy, desk, charge),
        remember=remember,
    )
    state = settled.with_others(desk, charge, state)
    record = desk.psa.record_paid(charge.psa_invoice, state)
    with desk.store.begin() as tx:
        detail: dict[str, Any] = {"own": list(record.own), "recorded": record.recorded.minor, _WRITING_ON: ""}
        detail |= _written_on(record, state.dated, link.detail)
        links.linked(tx, link, target=",".join(record.own) or "adopted", detail=detail, now=desk.now())
    return record


def _written_on(record: PaidRecord, dated: date, before: Mapping[str, Any]) -> dict[str, str]:
    """Also of a write whose answer was never heard: the record then shows what is ours, and nothing was written any more. Where
    it shows what it did before, that write was none, or never arrived."""
    unheard = before.get(_WRITING_ON) if record.recorded.minor != before.get("recorded") else None
    if record.wrote:
        return {WRITTEN_ON: dated.isoformat() if record.recorded else ""}
    if unheard and record.recorded != record.adopted:
        return {WRITTEN_ON: unheard}
    return {WRITTEN_ON: ""} if unheard and not record.recorded else {}


def _remember(desk: Desk, link: Link, own: tuple[str, ...]) -> None:
    """Before something is sent that only this memory lets find again."""
    with desk.store.begin() as tx:
        links.applied(tx, link, fingerprint=link.fingerprint, detail={"own": list(own)}, now=desk.now())


def _charge(desk: Desk, entry: LedgerEntry) -> Charge:
    with desk.store.read() as tx:
        charge = charges.get(tx, entry.charge)
    if charge is None:
        raise Rejected(f"the charge {entry.charge} of {entry.key} is not in the store")
    return charge


def _collected(desk: Desk, charge: Charge) -> Money:
    """What the invoice shows of ours: everything that the ledger knows now of its charges, less what was taken back. Never 'up
    to this entry': a payment that is found late would then take back what was written for a later one."""
    with desk.store.read() as tx:
        together = charges.by_psa_invoice(tx, charge.psa_invoice)
        entries = [entry for c in together for entry in ledger.entries(tx, charge=c.id)]
        return kept(entries, meanings_of(tx, desk, entries), charge.currency)


def _said(record: PaidRecord) -> str:
    parts = [f"the PSA shows {record.recorded} of ours, open {record.balance}"]
    if record.adopted:
        parts.append(f"{record.adopted} was recorded there by hand already and was not written again")
    return "; ".join(parts)
