"""QuickBooks' records as far as we read them. Tolerant: what we do not know is left out."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.alias_generators import to_pascal

from adapters.http import Reply
from connector.errors import RetryLater

R = TypeVar("R", bound="Record")


class Record(BaseModel):
    """A property that is null counts as one that is not there."""

    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_pascal)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, content: Any) -> Any:
        if isinstance(content, Mapping):
            return {name: value for name, value in content.items() if value is not None}
        return content


class Ref(BaseModel):
    """Its properties are in lower case, unlike all others."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    value: str
    name: str = ""


class LinkedTxn(Record):
    txn_id: str
    txn_type: str


class Line(Record):
    amount: Decimal = Decimal(0)
    linked_txn: tuple[LinkedTxn, ...] = ()


class Payment(Record):
    id: str
    sync_token: str
    total_amt: Decimal
    unapplied_amt: Decimal = Decimal(0)
    customer_ref: Ref
    currency_ref: Ref | None = None
    payment_ref_num: str = ""
    private_note: str = ""
    txn_date: str = ""
    deposit_to_account_ref: Ref | None = None
    line: tuple[Line, ...] = ()
    linked_txn: tuple[LinkedTxn, ...] = ()

    @property
    def voided(self) -> bool:
        """By its amounts: the memo's "Voided" is in the company's language."""
        return not self.total_amt and not self.applied()

    @property
    def deposited(self) -> bool:
        return bool(self.deposit)

    @property
    def deposit(self) -> str:
        return next((link.txn_id for link in self.linked_txn if link.txn_type == "Deposit"), "")

    def linked(self) -> dict[tuple[str, str], Decimal]:
        """Type and id of what it is linked to (invoices, credit memos) -> how much of it."""
        parts: dict[tuple[str, str], Decimal] = {}
        for line in self.line:
            for link in line.linked_txn:
                target = (link.txn_type, link.txn_id)
                parts[target] = parts.get(target, Decimal(0)) + line.amount
        return parts

    def on_journals(self) -> tuple[str, ...]:
        """Ids of journal entries that it was moved onto."""
        return tuple(id for kind, id in self.linked() if kind == "JournalEntry")

    def applied(self) -> dict[str, Decimal]:
        """Invoice id -> how much of this payment."""
        return {id: part for (kind, id), part in self.linked().items() if kind == "Invoice"}


class Invoice(Record):
    id: str
    doc_number: str = ""
    txn_date: str
    total_amt: Decimal
    balance: Decimal
    customer_ref: Ref
    currency_ref: Ref | None = None
    private_note: str = ""

    @property
    def voided(self) -> bool:
        return not self.total_amt and self.private_note.startswith("Voided")


class CreditMemo(Record):
    id: str
    customer_ref: Ref
    balance: Decimal = Decimal(0)
    remaining_credit: Decimal | None = None
    currency_ref: Ref | None = None
    private_note: str = ""

    @property
    def credit(self) -> Decimal:
        return self.balance if self.remaining_credit is None else self.remaining_credit


class Customer(Record):
    id: str
    display_name: str = ""
    company_name: str = ""
    active: bool = True


class Account(Record):
    id: str
    name: str
    active: bool = True
    account_type: str = ""
    account_sub_type: str = ""
    currency_ref: Ref | None = None
    current_balance: Decimal = Decimal(0)


class PaymentMethod(Record):
    id: str
    name: str
    active: bool = True


class JournalDetail(Record):
    posting_type: str = ""


class JournalLine(Record):
    amount: Decimal = Decimal(0)
    journal_entry_line_detail: JournalDetail = JournalDetail()


class Entry(Record):
    """What a journal, a transfer and a deposit have in common."""

    id: str
    sync_token: str
    txn_date: str
    private_note: str = ""
    currency_ref: Ref | None = None

    @property
    def total(self) -> Decimal:
        raise NotImplementedError

    @property
    def voided(self) -> bool:
        """A journal can be voided in QuickBooks' screens; a deposit of nothing is none that was voided."""
        return False


class JournalEntry(Entry):
    line: tuple[JournalLine, ...] = ()

    @property
    def total(self) -> Decimal:
        debits = (line.amount for line in self.line if line.journal_entry_line_detail.posting_type == "Debit")
        return sum(debits, Decimal(0))

    @property
    def voided(self) -> bool:
        return not self.total


class Transfer(Entry):
    amount: Decimal

    @property
    def total(self) -> Decimal:
        return self.amount

    @property
    def voided(self) -> bool:
        return not self.amount


class Deposit(Entry):
    total_amt: Decimal

    @property
    def total(self) -> Decimal:
        return self.total_amt


class AccountingPreferences(Record):
    book_close_date: str = ""


class Preferences(Record):
    accounting_info_prefs: AccountingPreferences = AccountingPreferences()


def read(model: type[R], content: Mapping[str, Any]) -> R:
    """RetryLater when a record that was read lacks what every such record has."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        id = content.get("Id", "without an id")
        what = f"QuickBooks' {model.__name__} {id} cannot be read ({_places(error)})"
        raise RetryLater(f"{what}. It is tried again later.") from None


def read_written(model: type[R], content: Mapping[str, Any], reply: Reply) -> R:
    """As `read`, for the answer to a write: OutcomeUnknown, because it was done perhaps."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise reply.unreadable(f"a {model.__name__} that cannot be read ({_places(error)})") from None


def _places(error: ValidationError) -> str:
    return ", ".join(".".join(str(part) for part in problem["loc"]) for problem in error.errors()[:3])
