"""What the PSA bills: agreements, their lines, and the billing units they form."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from connector.model.money import Money
from connector.model.period import Cycle, Timing


def is_charge_date(word: str) -> bool:
    """What `charge_date` of an agreement may say: a rule of `charging.date`, a day of the month, or nothing."""
    return word in ("", "due_date", "invoice_date") or (word.isdigit() and 1 <= int(word) <= 31)


class LineBilling(StrEnum):
    BILLABLE = "billable"
    NO_CHARGE = "no_charge"  # printed on the bill at zero
    DO_NOT_BILL = "do_not_bill"  # not on the bill at all


@dataclass(frozen=True, kw_only=True, slots=True)
class AgreementRef:
    """`psa` is the adapter's name; `id` the agreement's id there, as text."""

    psa: str
    id: str

    def __str__(self) -> str:
        return f"{self.psa}:{self.id}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Payer:
    """Who is debited: the bill-to company, or one location of it that pays by itself (a gateway customer of its own; in the PSA
    and the books it is the company). `id` is the company's id in the PSA, `location` a word of the field mapping."""

    psa: str
    id: str
    name: str
    email: str = ""
    books_id: str = ""  # the customer's id in the books, where the mapping knows it
    books_name: str = ""  # the name the customer has in the books, if it differs from `name`
    gateway_customer: str = ""  # the customer's id at the gateway, where the mapping knows it: proposed when a book is adopted
    location: str = ""

    @property
    def key(self) -> str:
        """`psa:company`, or `psa:company@location`."""
        return f"{self.psa}:{self.id}@{self.location}" if self.location else f"{self.psa}:{self.id}"

    @classmethod
    def of_key(cls, key: str, *, name: str = "", email: str = "") -> Payer:
        """At least who it is; the name is the key where nobody knows it."""
        psa, _, rest = key.partition(":")
        id, _, location = rest.partition("@")
        return cls(psa=psa, id=id, location=location, name=name or key, email=email)

    def at(self, location: str) -> Payer:
        """The location of this company that pays by itself; the company itself for an empty word."""
        where = " ".join(location.split())
        if not where:
            return self
        named = self.books_name or self.name
        return replace(self, location=where, name=f"{self.name}, {where}", books_name=named, gateway_customer="")


def company_of(payer: str) -> str:
    """The key of the payer's company, whichever location pays: what the PSA's invoices name."""
    return payer.partition("@")[0]


def names_of(payer: str) -> tuple[str, ...]:
    """How a person may call this payer in configuration and commands, the company's first, the location's own last."""
    both = (company_of(payer), payer)
    return tuple(dict.fromkeys(name for key in both for name in (key.partition(":")[2], key)))


@dataclass(frozen=True, kw_only=True, slots=True)
class AgreementLine:
    """One line of an agreement. `quantity` is what is billed (after what is included); `[starts, ends)` is half-open.

    `amount` is the line's extended amount per cycle as the PSA rounds it; `unit_price` is in major units.
    """

    id: str
    product: str  # stable identifier of the product in the PSA
    name: str
    quantity: Decimal
    unit_price: Decimal
    amount: Money
    tax_treatment: str  # a word of the field mapping, e.g. "taxable"
    billing: LineBilling = LineBilling.BILLABLE
    starts: date | None = None
    ends: date | None = None
    included: Decimal = Decimal(0)  # taken off before `quantity`, for who asks what became of it

    def active_on(self, day: date) -> bool:
        return (self.starts is None or self.starts <= day) and (self.ends is None or day < self.ends)


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """One recurring agreement as the field mapping reads it. `[starts, ends)` is half-open; `anchor` begins a period."""

    ref: AgreementRef
    name: str
    company_name: str  # the company served
    payer: Payer
    group: str  # agreements of one payer with the same group are one billing unit; default: the root agreement's id
    cycle: Cycle
    timing: Timing
    anchor: date
    starts: date
    ends: date | None
    base: Money
    base_tax_treatment: str
    lines: tuple[AgreementLine, ...]
    kind: str = ""  # the PSA's agreement type, by name
    collect: bool = False  # the payer was opted in by the mapping
    collect_from: date | None = None  # nothing dated earlier is charged; None: the configured day
    charge_date: str = ""  # overrides charging.date for this agreement; "" means the configured one
    renews: str = ""  # id of the agreement that this one continues, where the mapping knows it
    snapshot: str = ""  # content hash of what was read; equal hash, equal agreement

    @property
    def currency(self) -> str:
        return self.base.currency


@dataclass(frozen=True, kw_only=True, slots=True)
class Unusable:
    """An agreement that is in the filter but cannot be mirrored. The others go on.

    `message` is a sentence with the record's name and number and what to do in the PSA or the mapping.
    """

    ref: AgreementRef
    name: str
    reason: str  # a word: unknown_cycle, mixed_currency, no_bill_to, unsupported_currency, mapping_failed, ...
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Unchanged:
    """The PSA says that this agreement is as it was when `known` was recorded."""

    ref: AgreementRef


@dataclass(frozen=True, kw_only=True, slots=True)
class BillingUnit:
    """What the PSA puts on one bill. One billing unit, one subscription, one debit."""

    key: str  # stable over renewals: the key under which the unit was first seen
    agreements: tuple[Agreement, ...]  # the root first
    payer: Payer
    currency: str
    cycle: Cycle
    timing: Timing
    anchor: date
    starts: date
    ends: date | None

    @property
    def root(self) -> Agreement:
        return self.agreements[0]

    @property
    def name(self) -> str:
        return f"{self.payer.name}: {self.root.name}"

    @property
    def collect(self) -> bool:
        return all(agreement.collect for agreement in self.agreements)

    def recurring_lines(self) -> tuple[AgreementLine, ...]:
        return tuple(line for agreement in self.agreements for line in agreement.lines)


@dataclass(frozen=True, kw_only=True, slots=True)
class Grouped:
    """The outcome of forming billing units: the good ones, and the agreements that could not join one."""

    units: tuple[BillingUnit, ...]
    unusable: tuple[Unusable, ...] = field(default=())
