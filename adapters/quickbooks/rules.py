"""What the field mapping may set for QuickBooks, and what holds where it sets nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector.errors import Rejected
from connector.mapping.spec import FieldError, FieldMapping, FieldSpec, FieldType, MappingSpec, SectionSpec
from connector.model.agreement import Payer
from connector.model.invoice import BooksPayment, MethodKind

MATCHES = ("display_name", "company_name")

SPEC = MappingSpec(
    adapter="quickbooks",
    sections=(
        SectionSpec(
            name="payment",
            doc="A payment that is written to QuickBooks. Read from: method (card, bank_debit, other), amount, dated, memo.",
            fields=(
                FieldSpec(
                    name="deposit_account_id",
                    type=FieldType.TEXT,
                    doc="Id (not name) of the account that the money goes to; without a rule it is Undeposited Funds",
                ),
                FieldSpec(
                    name="payment_method",
                    type=FieldType.TEXT,
                    doc="Name of the payment method as QuickBooks lists it; without a rule the payment names none",
                ),
            ),
        ),
        SectionSpec(
            name="customer",
            doc="How a payer is found in QuickBooks. Read from the payer: id, name, email, books_id, books_name.",
            fields=(
                FieldSpec(name="id", type=FieldType.TEXT, doc="Id of the customer; when it is empty, the name is looked for"),
                FieldSpec(name="name", type=FieldType.TEXT, doc="Name of the customer as QuickBooks writes it"),
                FieldSpec(
                    name="match",
                    type=FieldType.TEXT,
                    choices=MATCHES,
                    doc="Which name: display_name (unique in QuickBooks, the default) or company_name",
                ),
            ),
        ),
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """`id` wins over `name`."""

    id: str
    name: str
    by: str  # one of MATCHES


class Rules:
    """Raises Rejected, naming field and rule, when a record cannot be read through the mapping."""

    def __init__(self, mapping: FieldMapping | None) -> None:
        self._mapping = mapping

    def deposit_account(self) -> str:
        """The account's id for payments in general; "" is Undeposited Funds."""
        return self._text(self._read("payment", _example(MethodKind.CARD)), "deposit_account_id")

    def methods(self) -> dict[MethodKind, str]:
        """The name of the payment method for each kind, "" where none is to be named."""
        return {kind: self._text(self._read("payment", _example(kind)), "payment_method") for kind in MethodKind}

    def of_payment(self, payment: BooksPayment) -> tuple[str, str]:
        """Account id and name of the payment method. An account that the payment itself names comes before the mapping's."""
        fields = self._read("payment", _record(payment))
        return payment.deposit_to or self._text(fields, "deposit_account_id"), self._text(fields, "payment_method")

    def of_payer(self, payer: Payer) -> Match:
        record = {
            "id": payer.id,
            "name": payer.name,
            "email": payer.email,
            "books_id": payer.books_id,
            "books_name": payer.books_name,
        }
        fields = {"id": payer.books_id, "name": payer.books_name or payer.name}
        fields |= {name: value for name, value in self._read("customer", record).items() if value is not None}
        return Match(id=self._text(fields, "id"), name=self._text(fields, "name"), by=self._text(fields, "match") or MATCHES[0])

    def _read(self, section: str, record: Mapping[str, Any]) -> dict[str, Any]:
        if self._mapping is None:
            return {}
        try:
            return self._mapping.section(section).read(record)
        except FieldError as error:
            raise Rejected(f"field mapping, section {section}: {error}", code="mapping_failed") from None

    def _text(self, fields: Mapping[str, Any], name: str) -> str:
        value = fields.get(name)
        return "" if value is None else str(value).strip()


def _record(payment: BooksPayment) -> dict[str, Any]:
    return {
        "method": payment.method.value,
        "amount": payment.amount.major,
        "dated": payment.dated.isoformat(),
        "memo": payment.memo,
        "customer": payment.customer,
        "invoice": payment.invoice,
    }


def _example(kind: MethodKind) -> dict[str, Any]:
    return {"method": kind.value, "amount": 0, "dated": "", "memo": "", "customer": "", "invoice": ""}
