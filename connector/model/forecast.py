"""What will be charged in the coming weeks, when, how much more than last time, and what will not be, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from connector.model.agreement import BillingUnit
from connector.model.approval import NOT_APPROVED, NOT_ASKED, Approval, Standing, is_wanted, standing
from connector.model.bills import Bills, billed_by, following
from connector.model.charge import Charge, ChargeState, Hold, charge_id
from connector.model.explain import last_day
from connector.model.guards import Policy, Reason, amount_guards, due_amount
from connector.model.invoice import PsaInvoice
from connector.model.money import Money, total
from connector.model.period import Period, bill_date
from connector.model.pricing import computed
from connector.model.release import CLOSED, charge_date
from connector.model.supplement import own_bills

TO_COME = (ChargeState.WAITING, ChargeState.HELD)
NEVER = frozenset({"before_collect_from", "before_opt_in", "ended"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """All that is known of one billing unit."""

    unit: BillingUnit
    policy: Policy
    today: date
    bills: Bills
    charges: tuple[Charge, ...]
    holds: Mapping[str, tuple[Hold, ...]]  # by charge
    enrolled: bool
    card_expires: date | None
    collect_since: date  # older bills without a charge are not collected by themselves
    paused: bool
    overruled: Mapping[str, Mapping[str, Money]] = field(default_factory=dict)  # by charge: hold -> amount
    approvals: Mapping[str, Sequence[Approval]] = field(default_factory=dict)  # by charge


@dataclass(frozen=True, kw_only=True, slots=True)
class Coming:
    """One charge to come. `billed` is false while the PSA has no invoice: then `amount` is before tax, and `on` may be a guess.

    `change` is against the last period, like with like: what was collected, or what was computed. Excluded when `reasons`.
    """

    unit: str
    name: str
    payer: str
    agreement: str
    period: Period
    on: date
    amount: Money
    billed: bool
    guessed_date: bool
    change: Money | None
    reasons: tuple[Reason, ...]
    charge: str = ""
    invoice: str = ""
    supplementary: bool = False  # billed in addition, for a period that was charged before
    approval: Standing = NOT_ASKED


@dataclass(frozen=True, kw_only=True, slots=True)
class Total:
    on: date
    charges: int
    amount: Money


def coming(outlook: Outlook, until: date) -> tuple[Coming, ...]:
    """Charges that are due by then, the earliest period first."""
    before: dict[Period, tuple[Money | None, Money]] = {
        c.period: (c.owed, c.computed) for c in outlook.charges if c.state not in TO_COME and not c.number and c.owed
    }
    found: list[Coming] = []
    for period in _periods(outlook, until):
        bill = _bill(outlook, period)
        if bill is not None and not bill.balance:
            continue  # paid elsewhere: it is written off
        last = before[max(before)] if before else None
        one = _one(outlook, period, bill, last)
        found.append(replace(one, approval=_approval(outlook, one, len(before))))
        before[period] = (one.amount if one.billed else None, computed(outlook.unit, period))
    found += [_supplement(outlook, charge) for charge in outlook.charges if charge.number and charge.state in TO_COME]
    return tuple(one for one in found if one.on <= until)


def totals(rows: Iterable[Coming]) -> tuple[Total, ...]:
    """Per date and currency, of what is not excluded."""
    found: dict[tuple[date, str], list[Money]] = {}
    for row in rows:
        if not row.reasons:
            found.setdefault((row.on, row.amount.currency), []).append(row.amount)
    return tuple(
        Total(on=on, charges=len(amounts), amount=total(amounts, currency)) for (on, currency), amounts in sorted(found.items())
    )


def _periods(outlook: Outlook, until: date) -> list[Period]:
    """Those with a charge that is not released, those with an unpaid bill, and those that will be billed by then."""
    done = {c.period for c in outlook.charges if c.state not in TO_COME}
    wanted = {c.period for c in outlook.charges} | {period for period, bills in outlook.bills.by_period.items() if bills}
    period = billed_by(outlook.unit, outlook.today)
    if bill_date(period, outlook.unit.timing) < outlook.today:
        period = following(outlook.unit, period)
    gone = outlook.unit.ends is not None and outlook.unit.ends <= outlook.today  # what has ended is not announced any more
    while not gone and bill_date(period, outlook.unit.timing) <= until:
        wanted.add(period)
        if _is_over(outlook.unit, period):
            break
        period = following(outlook.unit, period)
    return sorted(p for p in wanted - done if p.end > outlook.unit.starts)


def _approval(outlook: Outlook, row: Coming, earlier: int) -> Standing:
    """`earlier`: regular charges that went out, or will have, before this one."""
    policy = outlook.policy
    if not is_wanted(policy.approve, policy.approve_periods, earlier):
        return NOT_ASKED
    given = outlook.approvals.get(charge_id(row.unit, row.period), ())
    return standing(row.amount, given, second_above=policy.second_above)


def _is_over(unit: BillingUnit, period: Period) -> bool:
    return unit.ends is not None and unit.ends <= period.start


def _supplement(outlook: Outlook, charge: Charge) -> Coming:
    """What was billed in addition for a period that was charged before."""
    holds = outlook.holds.get(charge.id, ())
    on = charge.charge_date or outlook.today
    return Coming(
        unit=outlook.unit.key,
        name=f"{outlook.unit.name}, billed in addition",
        payer=outlook.unit.payer.name,
        agreement=outlook.unit.root.name,
        period=charge.period,
        on=on if holds else max(on, outlook.today),
        amount=charge.owed if charge.owed is not None else charge.computed,
        billed=True,
        guessed_date=False,
        change=None,
        reasons=tuple(Reason(name=hold.name, message=hold.message, way_on=hold.way_on) for hold in holds),
        charge=charge.id,
        invoice=charge.psa_number,
        supplementary=True,
    )


def _bill(outlook: Outlook, period: Period) -> PsaInvoice | None:
    bills = _bills(outlook, period)
    return bills[0] if len(bills) == 1 else None


def _bills(outlook: Outlook, period: Period) -> tuple[PsaInvoice, ...]:
    """Those that the regular charge may stand for."""
    siblings = [charge for charge in outlook.charges if charge.period == period]
    regular = next((charge for charge in siblings if not charge.number), None)
    return own_bills(outlook.bills.of(period), regular, siblings, bill_date(period, outlook.unit.timing))


def _one(outlook: Outlook, period: Period, bill: PsaInvoice | None, last: tuple[Money | None, Money] | None) -> Coming:
    unit, amount = outlook.unit, due_amount(bill, computed(outlook.unit, period))
    charge = next((c for c in outlook.charges if c.period == period and not c.number), None)
    previous = last[0] if last and bill is not None else last[1] if last else None
    on, guessed = _date(outlook, period, bill)
    row = Coming(
        unit=unit.key,
        name=unit.name,
        payer=unit.payer.name,
        agreement=unit.root.name,
        period=period,
        on=on,
        amount=amount,
        billed=bill is not None,
        guessed_date=guessed,
        change=amount - previous if previous is not None and previous.currency == amount.currency else None,
        reasons=(),
        charge=charge.id if charge else "",
        invoice=bill.number if bill else "",
    )
    reasons = {reason.name: reason for reason in _reasons(outlook, row, bill, previous)}
    if "no_method" in reasons:
        reasons.pop("awaiting_enrolment", None)  # said already, by the hold
    if CLOSED in reasons:
        reasons.pop("missing_invoice", None)
    return replace(row, reasons=tuple(reasons.values()), on=on if reasons else max(on, outlook.today))


def _date(outlook: Outlook, period: Period, bill: PsaInvoice | None) -> tuple[date, bool]:
    """The charge date; without an invoice its due date is guessed from the last one's terms."""
    on = charge_date(outlook.policy, bill, bill_date(period, outlook.unit.timing))
    if bill is not None or outlook.policy.charge_date != "due_date":
        return on, bill is None
    return on + _terms(outlook.bills), True


def _terms(bills: Bills) -> timedelta:
    known = [bill for of_period in bills.by_period.values() for bill in of_period if bill.due_date is not None]
    last = max(known, key=lambda bill: bill.dated, default=None)
    return last.due_date - last.dated if last is not None and last.due_date is not None else timedelta()


def _reasons(outlook: Outlook, row: Coming, bill: PsaInvoice | None, previous: Money | None) -> Iterator[Reason]:
    yield from _not_collected(outlook, row.period, billed=bill is not None)
    for hold in outlook.holds.get(row.charge, ()):
        if hold.name == NOT_APPROVED:
            continue  # `approval` says how it stands now
        yield Reason(name=hold.name, message=hold.message, way_on=hold.way_on)
    yield from _of_the_bill(outlook, row, bill)
    if outlook.unit.collect and not outlook.enrolled:
        yield Reason(
            name="awaiting_enrolment",
            message="the payer has not authorised a payment method yet",
            way_on="send the link that `connector enrol` shows",
        )
    if outlook.paused:
        yield Reason(name="paused", message="charging is paused for everybody", way_on="connector resume")
    if outlook.card_expires is not None and outlook.card_expires <= row.on:
        last = last_day(outlook.card_expires)
        yield Reason(
            name="card_expires",
            message=f"the payer's card is good until {last} and the charge is due on {row.on.isoformat()}",
            way_on="send the link that `connector enrol` shows",
        )
    overruled = outlook.overruled.get(row.charge, {})
    for reason in amount_guards(outlook.policy, row.amount, previous):
        if overruled.get(reason.name) != row.amount:
            yield reason


def _not_collected(outlook: Outlook, period: Period, *, billed: bool) -> Iterator[Reason]:
    """What the PSA has billed after the agreement's last day is owed, and is collected."""
    unit = outlook.unit
    if not unit.collect:
        yield Reason(
            name="not_opted_in", message="the payer is not opted in", way_on="opt the payer in as the field mapping says"
        )
    if _is_over(unit, period) and not billed:
        last = last_day(unit.ends) if unit.ends else ""
        yield Reason(name="ended", message=f"the agreement's last day is {last}", way_on="nothing to do, or renew it in the PSA")


def _of_the_bill(outlook: Outlook, row: Coming, bill: PsaInvoice | None) -> Iterator[Reason]:
    bill_day = bill_date(row.period, outlook.unit.timing)
    dated = bill.dated if bill else bill_day
    first = outlook.policy.collect_from
    if dated < first:
        yield Reason(
            name="before_collect_from",
            message=f"dated {dated.isoformat()}, before the day from which is collected ({first.isoformat()})",
            way_on="collect it as before, outside autopay",
        )
    elif not row.charge and dated < outlook.collect_since and bill_day < outlook.today:
        yield Reason(
            name="before_opt_in",
            message=f"dated {dated.isoformat()}, before the payer was opted in ({outlook.collect_since.isoformat()})",
            way_on="collect it as before, outside autopay",
        )
    if len(_bills(outlook, row.period)) > 1:
        yield Reason(
            name="several_invoices",
            message="the period has several invoices in the PSA",
            way_on="delete or re-date the invoice that is not this period's bill",
        )
    elif bill is None and outlook.unit.collect and bill_day <= outlook.today and not outlook.policy.computed_when_missing:
        yield Reason(
            name="missing_invoice",
            message=f"no invoice yet: the PSA was to bill it on {bill_day.isoformat()}",
            way_on="create the agreement invoice in the PSA; it is charged on its due date",
        )
    if bill is not None and bill.balance.minor < 0:
        yield Reason(
            name="credit_balance",
            message=f"invoice {bill.number} has a credit of {-bill.balance}",
            way_on="apply the credit to another invoice in the PSA",
        )


def next_of(rows: Sequence[Coming]) -> Coming | None:
    """The next charge, held or not; passing over what will never be charged."""
    return next((row for row in rows if not NEVER & {reason.name for reason in row.reasons}), rows[0] if rows else None)
