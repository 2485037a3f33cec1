"""Release: wait for the charge date, look once more at what is owed, make the draft equal it, release or hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial

from connector.errors import OutcomeUnknown, Rejected, RetryLater
from connector.flows import agreements, decisions, holding
from connector.flows.billing_run import note_run
from connector.flows.bills import UnitBills, read_bills
from connector.flows.desk import Desk
from connector.flows.drafts import charges_of, missing_drafts
from connector.flows.elsewhere import UNFINISHED, take_over_daily, tidy
from connector.flows.gone import end_gone
from connector.flows.other_invoices import Standing, standing
from connector.flows.round import Round, facts_of, gather, is_old, read_books
from connector.flows.strays import write_off_strays
from connector.flows.supplements import supplements
from connector.flows.watch import stop_while_paused, watch_all
from connector.model.agreement import BillingUnit
from connector.model.bills import period_of_draft
from connector.model.charge import BreakdownLine, Charge, ChargeState
from connector.model.closed import closed_differently
from connector.model.invoice import GatewayInvoice, PsaInvoice
from connector.model.money import Money
from connector.model.other import is_other
from connector.model.release import CLOSED, Decision, Held, NotYetDue, Release, WriteOff, adjustments, decide
from connector.store import audit, charges, freshness, holds, overrules, settings


@dataclass(kw_only=True, slots=True)
class Released:
    """What one round did, by charge id. `unknown`: drafts that belong to no period of a known billing unit; `strays`: those of
    them that were written off, since they have for long."""

    released: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    written_off: list[str] = field(default_factory=list)
    watched: dict[str, str] = field(default_factory=dict)  # released before: reduced, voided or stopped
    unknown: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    late: dict[str, int] = field(default_factory=dict)  # of the released ones: days after the charge date


def release(desk: Desk, *, full: bool = True) -> Released:
    """One round over all drafts and released charges. `full` also looks for bills for which no draft was made."""
    stopped = stop_while_paused(desk)
    alive, _ = agreements.billing_units(desk, agreements.stored_reading(desk))
    units = {unit.key: unit for unit in alive}
    drafts = [_standing(desk, draft) for draft in desk.gateway.drafts()]
    open_charges = _open_charges(desk)
    concerned = {d.unit for d in drafts} | {c.unit for c in open_charges}
    if full:
        concerned |= {unit.key for unit in alive if unit.collect}
    bills = read_bills(desk, [u for u in alive if u.key in concerned], since=_since(desk, drafts, open_charges))
    report = Released()
    round_: Round | None = None
    broken: Exception | None = None
    try:
        others = _others(desk, drafts, report)
        _look_for_drafts(desk, units, bills, drafts, full=full)
        units, bills = {**units, **others.units}, {**bills, **others.bills}
        pairs, report.unknown = charges_of(desk, units, drafts)
        round_ = gather(desk, units, bills, pairs)
        _all_drafts(desk, round_, pairs, report)
        report.failed.extend(end_gone(desk, units.keys()))
        report.strays, refused = write_off_strays(desk, drafts, report.unknown)
        report.failed.extend(refused)
    except Exception as error:  # what is out already is watched whatever happened to the drafts
        broken = error
    report.watched, refusals = watch_all(desk, round_ or gather(desk, units, bills, []))
    report.watched = {**stopped, **report.watched}
    report.failed.extend(refusals)
    decisions.ask(desk)
    if broken is not None:
        raise broken
    with desk.store.begin() as tx:
        freshness.succeeded(tx, "release", now=desk.now())
    return report


def _others(desk: Desk, drafts: list[GatewayInvoice], report: Released) -> Standing:
    """Invoices that no agreement bills. One that cannot be read keeps no agreement's charge back."""
    try:
        others = standing(desk)
    except (Rejected, RetryLater, OutcomeUnknown) as error:
        report.failed.append(f"invoices that no agreement bills: {error}")
        return Standing()
    _take(drafts, others.drafts)
    report.failed.extend(others.failed)
    return others


def _look_for_drafts(
    desk: Desk, units: Mapping[str, BillingUnit], bills: Mapping[str, UnitBills], drafts: list[GatewayInvoice], *, full: bool
) -> None:
    """Those that nobody made are made, and added to `drafts`; what is no draft any more finds its charge."""
    if full:
        _note_due_without_invoice(desk, bills)
        note_run(desk, [unit for unit in units.values() if unit.key in bills], bills)
        take_over_daily(desk, units)
        _take(drafts, missing_drafts(desk, units, bills, drafts))
        _take(drafts, supplements(desk, units, bills))
    tidy(desk, drafts)


def _take(drafts: list[GatewayInvoice], found: Sequence[GatewayInvoice]) -> None:
    """One that was listed already is as it was read last: an interrupted one has got its line since."""
    drafts[:] = {draft.id: draft for draft in (*drafts, *found)}.values()


def _all_drafts(desk: Desk, round_: Round, pairs: Sequence[tuple[Charge, GatewayInvoice]], report: Released) -> None:
    patience = holding.Patience()
    for number, (charge, draft) in enumerate(pairs, start=1):
        desk.settings.progress("drafts", number, len(pairs))
        refused = holding.guarded(desk, charge, partial(_one_draft, desk, round_, charge, draft, report), patience)
        report.failed.extend([refused] if refused else [])


def _standing(desk: Desk, draft: GatewayInvoice) -> GatewayInvoice:
    """A draft that would go on by itself (somebody un-paused its subscription, or charging.release is automatic) is stopped:
    while the agent lives it decides."""
    return desk.gateway.stop(draft) if draft.auto_advance else draft


def _note_due_without_invoice(desk: Desk, bills: Mapping[str, UnitBills]) -> None:
    """For `status`: on the day before, how many units will have a draft and no bill."""
    tomorrow = desk.today() + timedelta(days=1)
    said = {"day": tomorrow.isoformat(), "units": len(due_without_invoice(bills, tomorrow))}
    with desk.store.begin() as tx:
        if settings.get(tx, "due_without_invoice") != said:
            settings.set(tx, "due_without_invoice", said, now=desk.now())


def due_without_invoice(bills: Mapping[str, UnitBills], day: date) -> list[BillingUnit]:
    """Units that bill on this day and have no invoice in the PSA yet."""
    result = []
    for unit_bills in bills.values():
        period = period_of_draft(unit_bills.unit, day, tolerance_days=0)
        if period is not None and unit_bills.unit.collect and not unit_bills.bills.of(period):
            result.append(unit_bills.unit)
    return result


def _open_charges(desk: Desk) -> list[Charge]:
    with desk.store.read() as tx:
        return charges.every(tx, [*UNFINISHED, ChargeState.RELEASED])


def _since(desk: Desk, drafts: Sequence[GatewayInvoice], open_charges: Sequence[Charge]) -> date:
    days = [d.bills_on for d in drafts] + [c.period.start for c in open_charges]
    return min([*days, max(desk.settings.policy.collect_from, desk.today() - timedelta(days=62))])


def _one_draft(desk: Desk, round_: Round, charge: Charge, draft: GatewayInvoice, report: Released) -> None:
    facts = facts_of(desk, round_, charge, draft)
    decision = decide(facts)
    if isinstance(decision, Release) and decision.bill is not None:
        decision = _look_again(desk, round_, charge, draft, decision.bill)
    if isinstance(decision, Release):
        _note_payer(desk, charge, facts.customer.payer)
    _carry_out(desk, charge, draft, decision, report)


def _note_payer(desk: Desk, charge: Charge, payer: str) -> None:
    """Whose money it will be, whoever the agreement is billed to later."""
    if charge.payer != payer:
        with desk.store.begin() as tx:
            charges.update(tx, charge.id, payer=payer, now=desk.now())


def _look_again(desk: Desk, round_: Round, charge: Charge, draft: GatewayInvoice, bill: PsaInvoice) -> Decision:
    """Once more, just before the money moves: the bill may have been paid, changed or deleted in the last seconds."""
    now = desk.psa.invoice(bill.id)
    round_ = read_books(desk, round_, [charge]) if is_old(desk, round_) else round_
    facts = facts_of(desk, round_, charge, draft, now)
    if now is None or now.voided:
        # What was billed a moment ago is not computed now, nor later: that there was a bill is remembered.
        gone = closed_differently(replace(charge, psa_invoice=bill.id, psa_number=bill.number), ())
        policy = replace(facts.policy, computed_when_missing=False)
        decision = decide(replace(facts, bills=(), closed=gone, policy=policy))
        return replace(decision, bill=bill) if isinstance(decision, Held) else decision
    return decide(facts)


def _carry_out(desk: Desk, charge: Charge, draft: GatewayInvoice, decision: Decision, report: Released) -> None:
    match decision:
        case NotYetDue(on=on, bill=bill):
            _wait(desk, charge, on, bill)
            report.waiting.append(charge.id)
        case Held(reasons=reasons, on=on, bill=bill):
            _note_bill(desk, charge, on, bill, nothing=any(reason.name == CLOSED for reason in reasons))
            holding.hold(desk, charge, reasons)
            report.held.append(charge.id)
        case WriteOff(bill=bill, breakdown=breakdown):
            _note_bill(desk, charge, charge.charge_date, bill, nothing=True)
            _intend(desk, charge, owed=Money.zero(charge.currency), breakdown=breakdown)
            desk.gateway.write_off(draft)
            _finish(desk, charge, decision, state=ChargeState.WRITTEN_OFF)
            report.written_off.append(charge.id)
        case Release(on=on):
            _release(desk, charge, draft, decision)
            report.released.append(charge.id)
            if (days := (desk.today() - on).days) > 0:
                report.late[charge.id] = days


def _release(desk: Desk, charge: Charge, draft: GatewayInvoice, decision: Release) -> None:
    _note_bill(desk, charge, decision.on, decision.bill)
    _intend(desk, charge, owed=decision.owed, breakdown=decision.breakdown)
    adjusted = desk.gateway.adjust(draft, decision.adjustments, charge=charge.id)
    if adjusted.total != decision.owed:
        # The gateway's own lines changed between our read and the adjustment: make it equal once more, or not at all.
        adjusted = desk.gateway.adjust(adjusted, adjustments(adjusted, decision.bill, decision.owed), charge=charge.id)
    if adjusted.total != decision.owed:
        raise Rejected(f"the draft came to {adjusted.total} instead of {decision.owed}", code="draft_differs")
    desk.gateway.release(adjusted)
    _finish(desk, charge, decision, state=ChargeState.RELEASED)


def _intend(desk: Desk, charge: Charge, *, owed: Money, breakdown: Sequence[BreakdownLine]) -> None:
    """Written ahead: should we die after the gateway did it, what was released or written off, and why, is known."""
    with desk.store.begin() as tx:
        charges.update(tx, charge.id, owed=owed, breakdown=breakdown, now=desk.now())


def _finish(desk: Desk, charge: Charge, decision: Release | WriteOff, *, state: ChargeState) -> None:
    owed = decision.owed if isinstance(decision, Release) else Money.zero(charge.currency)
    bill = decision.bill
    with desk.store.begin() as tx:
        charges.update(
            tx,
            charge.id,
            state=state,
            owed=owed,
            breakdown=decision.breakdown,
            psa_invoice=bill.id if bill else charge.psa_invoice,
            psa_number=bill.number if bill else charge.psa_number,
            released_at=desk.now() if state is ChargeState.RELEASED else None,
            now=desk.now(),
        )
        holds.replace(tx, charge.id, [], now=desk.now())
        overrules.forget(tx, charge.id, now=desk.now())
        late = max((desk.today() - decision.on).days, 0) if isinstance(decision, Release) else 0
        after = {"owed": str(owed), **({"days_late": late} if late else {})}
        audit.write(tx, who=desk.settings.worker, what=f"{state} charge {charge.id}", after=after, now=desk.now())


def _wait(desk: Desk, charge: Charge, on: date, bill: PsaInvoice | None) -> None:
    _note_bill(desk, charge, on, bill)
    with desk.store.begin() as tx:
        if charge.state is not ChargeState.WAITING:
            charges.update(tx, charge.id, state=ChargeState.WAITING, now=desk.now())
        holds.replace(tx, charge.id, [], now=desk.now())


def _note_bill(desk: Desk, charge: Charge, on: date | None, bill: PsaInvoice | None, *, nothing: bool = False) -> None:
    """Which bill, when and how much, as far as it is known before the release. The bill that is gone is remembered: what was
    billed once is not computed later. `nothing`: that nothing is owed was said otherwise than by the bill."""
    if bill is None and (charge.number or is_other(charge.unit)) and not nothing:
        return  # such a charge stands for its one invoice, whatever keeps it back
    id, number, open_ = (bill.id, bill.number, bill.balance) if bill else (charge.psa_invoice, charge.psa_number, None)
    open_ = Money.zero(charge.currency) if nothing else open_
    if (charge.charge_date, charge.psa_invoice, charge.psa_number, charge.owed) == (on, id, number, open_):
        return
    with desk.store.begin() as tx:
        charges.update(tx, charge.id, charge_date=on, psa_invoice=id, psa_number=number, owed=open_, now=desk.now())
