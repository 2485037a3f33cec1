"""Bills as the three partners show them: the PSA's, the gateway's and the books'."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from connector.model.agreement import AgreementRef
from connector.model.money import Money, total


class PsaInvoiceKind(StrEnum):
    AGREEMENT = "agreement"  # the period's bill
    CREDIT_MEMO = "credit_memo"
    OTHER = "other"  # project, T&M, product, down payment: never taken for the period's bill


class OtherSort(StrEnum):
    """What an invoice of kind OTHER bills, where the PSA tells. Values are the words of `collect.other_invoices`."""

    PROJECT = "project"
    TIME_AND_MATERIALS = "time_and_materials"
    PRODUCT = "product"


@dataclass(frozen=True, kw_only=True, slots=True)
class PsaInvoice:
    """An invoice in the PSA. `balance` = total - payments - credits, and alone decides paid or unpaid."""

    id: str
    number: str
    kind: PsaInvoiceKind
    agreements: tuple[AgreementRef, ...]  # as the PSA names them; a bundled child is billed under its parent
    payer: str  # Payer.key
    dated: date
    due_date: date | None
    subtotal: Money  # before tax
    tax: Money
    total: Money
    payments: Money
    credits: Money
    balance: Money
    voided: bool = False
    closed: str = ""  # the PSA's word for it, where a person gave up what is open on it: written off
    sort: OtherSort | None = None  # of kind OTHER only; None: a down payment, or nobody can tell
    paid_on: date | None = None  # where the PSA keeps with the invoice the day on which all of it was paid


@dataclass(frozen=True, kw_only=True, slots=True)
class UnreadableInvoice:
    """An invoice in the PSA with a field that is not what it must be. `message` names the invoice and the field."""

    id: str
    agreements: tuple[AgreementRef, ...]  # at least one: nobody's would be no one's to hold
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PaidState:
    """What the PSA invoice should show of our money: the net collected so far. PSA writes converge to it.

    `own` are ids of payment rows that we wrote before (from our links). `dated` is the company's date of the last payment.
    `elsewhere`: what others recorded of it, as far as the books show; only a PSA that cannot hold a part needs to be told.
    `recorded`: what the PSA showed of it after the last write. `is_copy`: whether a tool that brings payments from the books can
    only mean ours by one of this amount, for the books have ours on that invoice and nobody else's.
    `remember` commits another `own` before an adapter sends what it could not find again by itself after a crash.
    """

    collected: Money
    dated: date
    own: tuple[str, ...] = ()
    elsewhere: Money | None = None
    recorded: Money | None = None
    is_copy: Callable[[Money], bool] = field(default=lambda _: False, compare=False, repr=False)
    remember: Callable[[tuple[str, ...]], None] = field(default=lambda _: None, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class PaidRecord:
    """How the PSA shows it now, read back after the write."""

    own: tuple[str, ...]  # ids of the rows that are ours
    recorded: Money  # our money as the PSA shows it
    adopted: Money  # part of it that someone else had already recorded, so that we wrote nothing for it
    balance: Money
    wrote: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """A payment that somebody recorded on an invoice, us included. `by`: who or how, in the partner's words; may be empty.

    `tool`: by a tool that brings payments from the books. `exported`: the PSA's own sync took it to the books.
    """

    id: str
    invoice: str  # id in the same partner
    amount: Money
    dated: date | None
    by: str = ""
    tool: bool = False
    exported: bool = False


class MethodKind(StrEnum):
    CARD = "card"
    BANK_DEBIT = "bank_debit"
    OTHER = "other"


@dataclass(frozen=True, kw_only=True, slots=True)
class PaymentMethod:
    """No number, ever: at most the last four digits."""

    id: str
    kind: MethodKind
    last4: str = ""
    expires: date | None = None  # first day on which a card is no longer good


@dataclass(frozen=True, kw_only=True, slots=True)
class Customer:
    """The gateway's customer of one payer."""

    id: str
    payer: str
    name: str
    email: str
    default_method: PaymentMethod | None
    balance: Money | None = None  # credit (negative) or debt that the gateway applies by itself when it finalizes


class GatewayInvoiceState(StrEnum):
    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"


@dataclass(frozen=True, kw_only=True, slots=True)
class InvoiceLine:
    """`slot` is ours: "" for a subscription's own item, else the name of the adjustment that we added."""

    id: str
    item: str  # id under which the gateway lets an added item be changed; "" for a subscription's own
    slot: str
    description: str
    amount: Money


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayInvoice:
    """One of ours at the gateway. `bills_on` is the date (UTC) on which its subscription's period begins."""

    id: str
    number: str
    subscription: str
    unit: str
    customer: str
    state: GatewayInvoiceState
    bills_on: date
    total: Money
    amount_due: Money
    amount_paid: Money
    amount_remaining: Money
    lines: tuple[InvoiceLine, ...]
    charge: str = ""  # id of our charge row, where we put it on the invoice
    in_flight: bool = False  # a debit is under way at the bank
    auto_advance: bool = False  # the gateway goes on by itself
    attempts: int = 0
    next_attempt: datetime | None = None
    failure: str = ""  # why the last attempt failed, in the gateway's words
    failure_code: str = ""  # the bank's or the gateway's code for it
    failed_method: str = ""  # id of the payment method that failed, where the gateway names it
    failed_kind: MethodKind | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Adjustment:
    """A line that makes a draft equal what is owed. At most one per slot; writing it twice changes nothing."""

    slot: str  # "tax", "true_up", "elsewhere"
    description: str
    amount: Money


@dataclass(frozen=True, kw_only=True, slots=True)
class BooksInvoice:
    id: str
    number: str
    customer: str  # the customer's id in the books
    dated: date
    total: Money
    balance: Money


@dataclass(frozen=True, kw_only=True, slots=True)
class BooksPayment:
    """A payment to append to the books: applied to `invoice` up to `applied`, the rest is the customer's credit."""

    customer: str
    invoice: str  # id in the books; "" for an unapplied payment
    applied: Money
    amount: Money
    dated: date  # the company's date
    method: MethodKind
    memo: str
    deposit_to: str = ""  # id of the account that the money goes to; "": as the field mapping says, else undeposited funds


@dataclass(frozen=True, kw_only=True, slots=True)
class Posted:
    """A payment as the books hold it. `invoice`: of several the first; of a payment that was moved off its invoice none.

    `moved`: what of it stands on journals (ids as `Booked.id`), because it was taken back.
    """

    id: str
    amount: Money
    unapplied: Money
    invoice: str  # "" when not applied
    customer: str
    deposited: bool = False
    deposit: str = ""  # id of the deposit (as `Booked.id`) that it is in, ours or one made by hand
    account: str = ""  # id of the account that the money went to
    dated: date | None = None
    moved: Mapping[str, Money] = field(default_factory=dict)

    @property
    def on_invoices(self) -> Money:
        return self.amount - self.unapplied - total(self.moved.values(), self.amount.currency)
