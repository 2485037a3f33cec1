"""What happens to a drafted charge: wait, hold, write off or release. Pure. What happens to a released one: watch.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from connector.model.agreement import company_of
from connector.model.approval import NOT_APPROVED, Approval, is_wanted, standing
from connector.model.charge import BreakdownLine
from connector.model.explain import sum_up
from connector.model.invoice import Adjustment, BooksInvoice, Customer, GatewayInvoice, PsaInvoice, UnreadableInvoice
from connector.model.money import Money, total
from connector.model.period import Period, add_months

MINIMUM_MINOR = 50  # less is put on the customer's balance at the gateway and collected with another charge: then too much
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
SUPPLEMENTARY = "supplementary"  # asked before it is due, so that there is time to answer
COMPUTED = "computed"  # slot of the agreement's own amount on a draft that was made by hand


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What the configuration (or the agreement) says about charging."""

    charge_date: str  # due_date, invoice_date or day_of_month
    day: int
    computed_when_missing: bool
    collect_from: date
    max_data_age: timedelta
    cap: Money | None
    max_change_percent: Decimal | None
    max_change: Money | None
    supplementary_held: bool = True  # a period billed again is charged when a person has approved it
    mandate_maximum: Money | None = None  # the payer has authorised no more for one debit
    approve: str = "never"  # first_periods, always or never: which regular charges a person has to approve
    approve_periods: int = 2
    second_above: Money | None = None  # above it a second person has to say so, too


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Everything a decision is made from, read just now."""

    name: str  # payer and agreement, for messages
    policy: Policy
    today: date
    bill_day: date  # the period's bill date
    draft: GatewayInvoice
    computed: Money
    computed_lines: tuple[BreakdownLine, ...]
    bills: tuple[PsaInvoice, ...]
    unsure: tuple[PsaInvoice, ...]
    books_bills: tuple[BooksInvoice, ...]
    books_unapplied: Money | None
    customer: Customer
    collect: bool
    data_age: timedelta
    previous: Money | None
    paused: bool
    reversed: bool
    unit: str = ""
    owners: Mapping[str, str] = field(default_factory=dict)  # agreement id -> billing unit
    prorated: tuple[BreakdownLine, ...] = ()  # what proration would come to, if the invoice has it
    released_by_person: Mapping[str, Money] = field(default_factory=dict)  # hold -> the amount for which a person overruled it
    returned: Reason | None = None  # the payer's method came back (method_returned)
    supplementary: bool = False  # the period was charged before and is billed again
    closed: tuple[Reason, ...] = ()  # the invoice was closed otherwise than by paying it (model/closed.py)
    asked: tuple[Reason, ...] = ()  # what somebody has to answer first, before it can be said what is owed
    others: tuple[Reason, ...] = ()  # because another product may collect it (model/others.py)
    approvals: tuple[Approval, ...] = ()
    covered: Period | None = None  # a longer period that holds this one and was charged: the cycle was changed since
    earlier: int = 0  # regular charges of the same billing unit that went out before


@dataclass(frozen=True, kw_only=True, slots=True)
class NotYetDue:
    """Not a hold: a state. `on` is the charge date."""

    on: date
    bill: PsaInvoice | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One named reason to hold, with its way on."""

    name: str
    message: str
    way_on: str


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
    reasons = tuple(r for r in _guards(facts, bill, owed) if not _overruled(facts, r, bill, owed))
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


def due_amount(bill: PsaInvoice | None, computed: Money) -> Money:
    """What a person is shown, and overrules a hold for: another amount is another question."""
    return computed if bill is None else bill.balance


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


def _guards(facts: Facts, bill: PsaInvoice | None, owed: Money) -> Iterator[Reason]:
    if facts.supplementary and facts.policy.supplementary_held and bill is not None:
        yield Reason(
            name=SUPPLEMENTARY,
            message=f"the period has had its charge, and {bill.balance} is billed in addition (invoice {bill.number})",
            way_on="connector explain shows it; approve it (connector release), or delete the invoice in the PSA",
        )
    yield from _state_guards(facts)
    yield from facts.others
    yield from _date_guards(facts, bill)
    if bill is not None:
        yield from _bill_guards(facts, bill)
    elif owed.minor < 0:
        yield _nothing_to_take(facts)
    yield from amount_guards(facts.policy, owed, facts.previous)
    yield from _approval(facts, bill)


def _approval(facts: Facts, bill: PsaInvoice | None) -> Iterator[Reason]:
    if facts.supplementary or not is_wanted(facts.policy.approve, facts.policy.approve_periods, facts.earlier):
        return
    found = standing(due_amount(bill, facts.computed), facts.approvals, second_above=facts.policy.second_above)
    if found.waits:
        yield Reason(name=NOT_APPROVED, message=found.message, way_on="look at `connector billing-run`, then `connector approve`")


def _state_guards(facts: Facts) -> Iterator[Reason]:
    if facts.paused:
        yield Reason(name="paused", message="charging is paused for everybody", way_on="connector resume")
    if facts.customer.balance is not None and facts.customer.balance.minor > 0:
        yield Reason(
            name="gateway_balance",
            message=f"the payer owes {facts.customer.balance} at the gateway, which it would add to this charge by itself",
            way_on="set the customer's balance to zero in the gateway's dashboard",
        )
    if facts.reversed:
        yield Reason(
            name="reversed",
            message="money of this charge went back to the payer; it is not collected again by itself",
            way_on="connector holds shows it; decide: connector decide CHARGE recollect, credit or write-off",
        )
    if facts.returned is not None:
        yield facts.returned
    if facts.customer.default_method is None:
        yield Reason(
            name="no_method",
            message="the payer has not authorised a payment method yet",
            way_on="send the link that `connector enrol` shows; this hold ends by itself",
        )
    elif facts.customer.default_method.expires and facts.customer.default_method.expires <= facts.today:
        yield Reason(
            name="card_expired", message="the payer's card has expired", way_on="send the link that `connector enrol` shows"
        )
    if facts.draft.in_flight:
        yield Reason(name="in_flight", message="a debit of this charge is under way at the bank", way_on="wait for its outcome")


def _date_guards(facts: Facts, bill: PsaInvoice | None) -> Iterator[Reason]:
    dated = bill.dated if bill else facts.bill_day
    if dated < facts.policy.collect_from:
        yield Reason(
            name="before_collect_from",
            message=f"it is dated {dated.isoformat()}, before the day from which is collected "
            f"({facts.policy.collect_from.isoformat()})",
            way_on="collect it as before, outside autopay",
        )
    if facts.data_age > facts.policy.max_data_age:
        yield Reason(
            name="stale_data",
            message=f"the PSA was last read {facts.data_age.total_seconds() / 3600:.0f} hours ago",
            way_on="see `connector status` for why the PSA cannot be read",
        )


def _nothing_to_take(facts: Facts) -> Reason:
    """Released, it would become credit at the gateway, which takes it off the next charge: less than the PSA says is owed."""
    return Reason(
        name="credit_balance",
        message=f"the PSA has no invoice for the period, and the agreement comes to a credit of {-facts.computed}",
        way_on="create the agreement invoice in the PSA and apply its credit to another invoice there",
    )


def _bill_guards(facts: Facts, bill: PsaInvoice) -> Iterator[Reason]:
    if bill.balance.minor < 0:
        yield Reason(
            name="credit_balance",
            message=f"invoice {bill.number} has a credit of {-bill.balance}",
            way_on="apply the credit to another invoice in the PSA",
        )
    if company_of(bill.payer) != company_of(facts.customer.payer):
        yield Reason(
            name="payer_differs",
            message=f"invoice {bill.number} is billed to another company than the agreement",
            way_on="make the bill-to company of agreement and invoice the same in the PSA",
        )
    yield from _books_guards(facts, bill)


def _books_guards(facts: Facts, bill: PsaInvoice) -> Iterator[Reason]:
    for books in facts.books_bills:
        if books.balance != bill.balance:
            yield Reason(
                name="balances_differ",
                message=f"invoice {bill.number} is open with {bill.balance} in the PSA and {books.balance} in the books",
                way_on="enter the missing payment or credit where it is missing",
            )
    if facts.books_unapplied is not None and facts.books_unapplied.minor > 0:
        yield Reason(
            name="unapplied_credit",
            message=f"the payer has {facts.books_unapplied} of unapplied credit in the books",
            way_on="apply it to an invoice, or refund it",
        )


def amount_guards(policy: Policy, owed: Money, previous: Money | None) -> Iterator[Reason]:
    """What the limits say about an amount; also asked of a charge to come."""
    if 0 < owed.minor < MINIMUM_MINOR:
        yield Reason(
            name="below_minimum",
            message=f"{owed} is less than the gateway collects ({Money(MINIMUM_MINOR, owed.currency)})",
            way_on="collect it outside autopay, or write it off in the PSA",
        )
    if policy.cap is not None and policy.cap.currency == owed.currency and owed > policy.cap:
        yield Reason(
            name="cap",
            message=f"{owed} is above the cap of {policy.cap} per charge",
            way_on="overrule it (connector release), raise charging.cap_per_charge, or collect this one outside autopay",
        )
    if policy.mandate_maximum is not None and policy.mandate_maximum.currency == owed.currency and owed > policy.mandate_maximum:
        yield Reason(
            name="mandate_maximum",
            message=f"{owed} is above the {policy.mandate_maximum} that the payer has authorised for one debit",
            way_on="let the payer authorise more and raise charging.mandate_maximum, or collect this one outside autopay",
        )
    if previous is None or previous.minor <= 0 or previous.currency != owed.currency:
        return
    if policy.max_change_percent is None or policy.max_change is None:
        return
    change = abs(owed.minor - previous.minor)
    percent = Decimal(change) * 100 / previous.minor
    if percent > policy.max_change_percent and change > policy.max_change.minor:
        yield Reason(
            name="change",
            message=f"{owed} is {percent:.0f} % away from the last period's {previous}",
            way_on="see connector explain; overrule it (connector release), or correct the agreement",
        )
