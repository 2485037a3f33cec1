"""Payments of an invoice.

Whether an invoice holds one payment or many is not settled by what is published, so both can be chosen:
`many` keeps every row and takes what it is given; `single` keeps one row, which a second POST replaces, and
cuts an overpayment down to what the invoice comes to.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from adapters.sandbox.connectwise.errors import in_use, invalid, not_found
from adapters.sandbox.connectwise.records import Clock, Records, invoice_balance
from adapters.sandbox.connectwise.tables import Row, as_date, cents, day_text, number, without_nulls

MODES = ("many", "single")
_WRITABLE = ("type", "amount", "paymentDate", "credit", "paymentAccount", "aRPaymentAccount")


class Payments:
    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self.mode = "many"

    def add(self, invoice: Row, body: Any, *, by: str) -> Row:
        """Raises Refusal. A body that names another invoice is not asked: the path decides."""
        given = _checked(body, needed=("amount",))
        if self.mode == "single":
            self._replace(invoice, given)
        row = {
            "source": "Default",
            "invoice": self._records.invoice_ref(invoice),
            "paymentDate": given.get("paymentDate") or self._today(),
            **given,
            "appliedBy": by,
            "paymentSyncStatus": "Unapplied",
        }
        payment = self._records.payments.insert(row, by=by)
        self.settle(invoice)
        return payment

    def change(self, invoice: Row, payment: Row, body: Any, *, by: str, whole: bool) -> Row:
        """`whole`: what is left out falls back to its default, as PUT does."""
        self._free(payment)
        given = _checked(body, needed=("amount",) if whole else ())
        if whole:
            given = {**dict.fromkeys(_WRITABLE), "paymentDate": self._today(), **given}
        if self.mode == "single" and "amount" in given:
            given["amount"] = min(given["amount"], invoice["total"] - invoice["credits"])
        self._records.payments.update(payment["id"], given, by=by)
        self.settle(invoice)
        return payment

    def remove(self, invoice: Row, payment: Row) -> None:
        self._free(payment)
        self._records.payments.delete(payment["id"])
        self.settle(invoice)

    def find(self, invoice: Row, id: int) -> Row:
        payment = self._records.payments.of(invoice["id"]).get(id)
        if payment is None:
            raise not_found("Payment", id)
        return payment

    def settle(self, invoice: Row) -> None:
        """Bring the invoice's sums up to date. Whether that moves its `lastUpdated` is not known: it does not."""
        rows = self._records.payments.of(invoice["id"]).values()
        invoice["payments"] = sum((row["amount"] for row in rows if "credit" not in row), Decimal(0))
        invoice["credits"] = sum((row["amount"] for row in rows if "credit" in row), Decimal(0))
        invoice["balance"] = invoice_balance(invoice)

    def shown(self, invoice: Row, payment: Row) -> Row:
        balance = invoice["balance"]
        return {**payment, "balance": balance, "invoiceBalance": balance, "invoiceTotal": invoice["total"]}

    def _today(self) -> str:
        return day_text(self._clock.now.date())

    def _replace(self, invoice: Row, given: Row) -> None:
        earlier = [row for row in self._records.payments.of(invoice["id"]).values() if "credit" not in row]
        for row in earlier:
            self._free(row)
            self._records.payments.delete(row["id"])
        given["amount"] = min(given["amount"], invoice["total"] - invoice["credits"])

    def _free(self, payment: Row) -> None:
        if payment.get("glBatchID"):
            raise in_use("Payment", payment["id"])


def _checked(body: Any, *, needed: tuple[str, ...]) -> Row:
    if not isinstance(body, dict):
        raise invalid("payment", "payment", "InvalidType", "payment must be an object")
    given: Row = {name: body[name] for name in _WRITABLE if name in body}
    for name in {*needed, *(given.keys() & {"amount"})}:
        if given.get(name) is None:
            raise invalid("payment", name, "MissingRequired", f"{name} is required")
    if given.get("amount") is not None:
        given["amount"] = _amount(given["amount"])
    if given.get("paymentDate") is not None:
        given["paymentDate"] = _day(given["paymentDate"])
    return given if needed == () else without_nulls(given)


def _amount(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise invalid("payment", "amount", "InvalidType", "amount must be a number")
    return cents(number(value))


def _day(value: Any) -> str:
    try:
        return day_text(as_date(value))
    except ValueError as error:
        raise invalid("payment", "paymentDate", "InvalidType", "paymentDate must be a date") from error
