"""What a charge is decided from, and what keeps back one whose amount is known: the guards. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from connector.model.agreement import company_of
from connector.model.approval import NOT_APPROVED, Approval, is_wanted, standing
from connector.model.charge import BreakdownLine
from connector.model.invoice import BooksInvoice, Customer, GatewayInvoice, PsaInvoice
from connector.model.money import Money
from connector.model.period import Period

MINIMUM_MINOR = 50  # less is put on the customer's balance at the gateway and collected with another charge: then too much
SUPPLEMENTARY = "supplementary"  # asked before it is due, so that there is time to answer


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
class Reason:
    """One named reason to hold, with its way on."""

    name: str
    message: str
    way_on: str


def due_amount(bill: PsaInvoice | None, computed: Money) -> Money:
    """What a person is shown, and overrules a hold for: another amount is another question."""
    return computed if bill is None else bill.balance


def guards(facts: Facts, bill: PsaInvoice | None, owed: Money) -> Iterator[Reason]:
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
