"""What happens to a drafted charge: wait, hold, write off or release. Pure. What happens to a released one: watch.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from connector.model.charge import BreakdownLine
from connector.model.explain import sum_up
from connector.model.guards import SUPPLEMENTARY, Facts, Policy, Reason, due_amount, guards
from connector.model.invoice import Adjustment, BooksInvoice, GatewayInvoice, PsaInvoice, UnreadableInvoice
from connector.model.money import Money, total
from connector.model.period import add_months

# What a person may overrule: the amount is known, and so is who owes it. Every other hold has a way on of its own.
OVERRULABLE = frozenset(
    {"cap", "change", "card_expired", "stale_data", "balances_differ", "unapplied_credit", "supplementary"}
    | {"shadowed", "foreign_subscription", "other_cap"}
)
GONE_DAYS = 7  # so long an invoice that was deleted may be made again; then what would have been charged for it ends
GONE_WAY_ON = f"create it again in the PSA; where it stays deleted this charge ends by itself after {GONE_DAYS} days"
LEFT_OUT = "the agreement was deleted in the PSA, is billed together with another now, or the field mapping leaves it out"
LEFT_OUT_WAY_ON = "collect what is open outside autopay, or let the mapping take the agreement again"
UNREADABLE = "unreadable_invoice"
CLOSED = "closed_differently"
SKIPPABLE = frozenset({CLOSED, "missing_invoice"})  # a person may say that nothing is collected for the period
COMPUTED = "computed"  # slot of the agreement's own amount on a draft that was made by hand


@dataclass(frozen=True, kw_only=True, slots=True)
class NotYetDue:
    """Not a hold: a state. `on` is the charge date."""

    on: date
    bill: PsaInvoice | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    reasons: tuple[Reason, ...]
    on: date | None
    bill: PsaInvoice | None


@dataclass(frozen=True, kw_only=True, slots=True)
class WriteOff:
    """Nothing is owed any more: the draft is never collected."""

    bill: PsaInvoice | None  # None: a person skipped a period without one
    breakdown: tuple[BreakdownLine, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    owed: Money
    on: date
    bill: PsaInvoice | None  # None: computed, nobody billed it yet
    adjustments: tuple[Adjustment, ...]
    breakdown: tuple[BreakdownLine, ...]


Decision = NotYetDue | Held | WriteOff | Release


def decide(facts: Facts) -> Decision:
    """Rules 2 to 6 of the design, for one draft."""
    questions, zero = facts.asked or tuple(_questions(facts)), Money.zero(facts.computed.currency)
    if any(q.name in SKIPPABLE and facts.released_by_person.get(q.name) == zero for q in questions):
        return WriteOff(bill=None, breakdown=())
    if questions:
        return Held(reasons=questions, on=None, bill=None)
    bill = facts.bills[0] if facts.bills else None
    on = charge_date(facts.policy, bill, facts.bill_day)
    if bill is not None and not bill.balance:
        return WriteOff(bill=bill, breakdown=_breakdown(facts, bill, bill.balance))
    owed = facts.computed if bill is None else _owed(bill, facts.books_bills)
    reasons = tuple(r for r in guards(facts, bill, owed) if not _overruled(facts, r, bill, owed))
    if facts.today < on and not any(reason.name == SUPPLEMENTARY for reason in reasons):
        return NotYetDue(on=on, bill=bill)
    if reasons:
        return Held(reasons=reasons, on=on, bill=bill)
    return Release(
        owed=owed, on=on, bill=bill, adjustments=adjustments(facts.draft, bill, owed), breakdown=_breakdown(facts, bill, owed)
    )


def charge_date(policy: Policy, bill: PsaInvoice | None, bill_day: date) -> date:
    """The day on which the charge may be released (the company's date)."""
    dated = bill.dated if bill else bill_day
    if policy.charge_date == "day_of_month":
        wanted = _day_in_month(dated, policy.day)
        return wanted if wanted >= dated else _day_in_month(add_months(dated, 1), policy.day)
    if policy.charge_date == "due_date" and bill is not None and bill.due_date is not None:
        return bill.due_date
    return dated


def _day_in_month(month: date, day: int) -> date:
    return add_months(date(2024, 1, day), (month.year - 2024) * 12 + month.month - 1)


def adjustments(draft: GatewayInvoice, bill: PsaInvoice | None, owed: Money) -> tuple[Adjustment, ...]:
    """The lines that make the draft exactly `owed`: the PSA's tax, what was paid elsewhere, and the true-up."""
    by_hand = tuple(line for line in draft.lines if line.slot == COMPUTED)
    own = total((line.amount for line in draft.lines if not line.slot or line in by_hand), owed.currency)
    tax = bill.tax if bill else Money.zero(owed.currency)
    elsewhere = owed - bill.total if bill else Money.zero(owed.currency)
    true_up = owed - own - tax - elsewhere
    number = bill.number if bill else ""
    wanted = (
        *(Adjustment(slot=line.slot, description=line.description, amount=line.amount) for line in by_hand),
        Adjustment(slot="tax", description=f"Sales tax (invoice {number})", amount=tax),
        Adjustment(slot="true_up", description=f"Adjustment to invoice {number}", amount=true_up),
        Adjustment(slot="elsewhere", description=f"Payments and credits on invoice {number}", amount=elsewhere),
    )
    return tuple(adjustment for adjustment in wanted if adjustment.amount)


def _breakdown(facts: Facts, bill: PsaInvoice | None, owed: Money) -> tuple[BreakdownLine, ...]:
    return sum_up(facts.computed_lines, bill, owed, prorated=facts.prorated)


def unreadable(invoices: Iterable[UnreadableInvoice]) -> tuple[Reason, ...]:
    """Any of them may be the bill, or a part of what is owed: nothing of the agreement goes out meanwhile."""
    return tuple(
        Reason(
            name=UNREADABLE,
            message=one.message,
            way_on="open the invoice in the PSA and correct it, or report it; the others go on meanwhile",
        )
        for one in invoices
    )


def _overruled(facts: Facts, reason: Reason, bill: PsaInvoice | None, owed: Money) -> bool:
    if reason.name not in OVERRULABLE or owed.minor <= 0:
        return False
    return facts.released_by_person.get(reason.name) == due_amount(bill, facts.computed)


def _owed(bill: PsaInvoice, books: tuple[BooksInvoice, ...]) -> Money:
    """The lower of what the PSA and the books say is open."""
    return min([bill.balance, *(b.balance for b in books)], key=lambda money: money.minor)


def _questions(facts: Facts) -> Iterator[Reason]:
    """Without an answer to these there is no amount and no date."""
    if not facts.collect:
        yield Reason(
            name="not_opted_in",
            message="the agreement is no longer in the field mapping's filter, or its payer is no longer opted in",
            way_on="opt the payer in again, or void the draft in the gateway's dashboard",
        )
    yield from _which_bill(facts)
    yield from facts.closed or _no_bill(facts)


def _which_bill(facts: Facts) -> Iterator[Reason]:
    if facts.unsure:
        yield Reason(
            name="ambiguous_invoice",
            message=f"invoice {_numbers(facts.unsure)} could be the bill of two periods",
            way_on="date the invoice on its period's bill date in the PSA, or create the other period's invoice",
        )
    if len(facts.bills) > 1:
        yield Reason(
            name="several_invoices",
            message=f"the period has {len(facts.bills)} invoices in the PSA: {_numbers(facts.bills)}",
            way_on="delete or re-date the invoice that is not this period's bill",
        )
    for bill in facts.bills:
        if bill.total.currency != facts.computed.currency:
            yield Reason(
                name="currency_differs",
                message=f"invoice {bill.number} is in {bill.total.currency}, the charge in {facts.computed.currency}",
                way_on="correct the currency in the PSA, or collect this one outside autopay",
            )
    if shared := tuple(bill for bill in facts.bills if bill.balance and _others_on(bill, facts)):
        others = ", ".join(sorted({id for bill in shared for id in _others_on(bill, facts)}))
        yield Reason(
            name="shared_invoice",
            message=f"invoice {_numbers(shared)} also bills agreement {others}, which is charged apart from this one",
            way_on="give the agreements that share an invoice the same group (field `group` of the mapping), or bill them apart",
        )


def _no_bill(facts: Facts) -> Iterator[Reason]:
    if facts.bills:
        return
    if facts.supplementary:
        yield Reason(
            name="missing_invoice",
            message="the invoice that was billed in addition for the period is no longer in the PSA",
            way_on=GONE_WAY_ON,
        )
    elif facts.covered is not None:
        yield Reason(
            name="already_charged",
            message=f"the charge for {facts.covered} covers these days, and the PSA bills nothing else for them",
            way_on="nothing to do; should the PSA bill them all the same, it is charged then",
        )
    elif not facts.policy.computed_when_missing and not facts.unsure:
        yield Reason(
            name="missing_invoice",
            message=f"the PSA has no invoice for the period that was to be billed on {facts.bill_day.isoformat()}",
            way_on="create the agreement invoice in the PSA; it is charged on its due date",
        )


def _others_on(bill: PsaInvoice, facts: Facts) -> list[str]:
    """Agreements of other billing units on the same invoice: each unit would charge the whole of it."""
    return [ref.id for ref in bill.agreements if facts.owners.get(ref.id, facts.unit) != facts.unit]


def _numbers(bills: tuple[PsaInvoice, ...]) -> str:
    return " and ".join(f"{bill.number} ({bill.total}, dated {bill.dated.isoformat()})" for bill in bills)
