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
    line: tuple[Line, ...] = ()
    linked_txn: tuple[LinkedTxn, ...] = ()

    @property
    def voided(self) -> bool:
        """By its amounts: the memo's "Voided" is in the company's language."""
        return not self.total_amt and not self.applied()

    @property
    def deposited(self) -> bool:
        return any(link.txn_type == "Deposit" for link in self.linked_txn)

    def linked(self) -> dict[tuple[str, str], Decimal]:
        """Type and id of what it is linked to (invoices, credit memos) -> how much of it."""
        parts: dict[tuple[str, str], Decimal] = {}
        for line in self.line:
            for link in line.linked_txn:
                target = (link.txn_type, link.txn_id)
                parts[target] = parts.get(target, Decimal(0)) + line.amount
        return parts

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
    currency_ref: Ref | None = None


class PaymentMethod(Record):
    id: str
    name: str
    active: bool = True


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
