"""What every transaction does to the accounts: double entry, from which balances and reports follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Record = Mapping[str, Any]
Accounts = Mapping[str, Record]
RECEIVABLE = "Accounts Receivable"
PROFIT_AND_LOSS = frozenset({"Income", "Other Income", "Expense", "Other Expense", "Cost of Goods Sold"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Posting:
    """`amount`: a debit, or a credit when it is negative. `customer` on receivable accounts only."""

    account: str
    amount: Decimal
    dated: str
    customer: str = ""


class Postings:
    """Of the whole company. Running totals, so that a balance costs nothing."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._of: dict[tuple[str, str], tuple[Posting, ...]] = {}
        self._totals: dict[str, Decimal] = {}
        self._owed: dict[str, Decimal] = {}

    def enter(self, kind: str, record: Record) -> set[str]:
        """In place of what the record posted before. The customers whose debt may be another now."""
        posted = tuple(self._postings(kind, record))
        touched = self.remove(kind, str(record["Id"])) | self._add(posted, 1)
        self._of[kind, str(record["Id"])] = posted
        return touched

    def remove(self, kind: str, id: str) -> set[str]:
        return self._add(self._of.pop((kind, id), ()), -1)

    def balance(self, account: str) -> Decimal:
        return self._totals.get(account, Decimal(0))

    def owed_by(self, customer: str) -> Decimal:
        return self._owed.get(customer, Decimal(0))

    def between(self, start: str, end: str) -> dict[str, Decimal]:
        """Account id -> debits less credits dated in [start, end]; ISO dates, "" for the beginning of time."""
        totals: dict[str, Decimal] = {}
        for posting in self._all(end):
            if posting.dated >= start:
                totals[posting.account] = totals.get(posting.account, Decimal(0)) + posting.amount
        return totals

    def owed(self, end: str) -> dict[str, Decimal]:
        """Customer id -> what they owed at the end of that day."""
        totals: dict[str, Decimal] = {}
        for posting in self._all(end):
            if posting.customer:
                totals[posting.customer] = totals.get(posting.customer, Decimal(0)) + posting.amount
        return totals

    def receivable_of(self, kind: str, id: str, customer: str) -> Decimal:
        """What one transaction put on one customer's account."""
        return sum((p.amount for p in self._of.get((kind, id), ()) if p.customer == customer), Decimal(0))

    def _all(self, end: str) -> Iterator[Posting]:
        for posted in self._of.values():
            yield from (posting for posting in posted if posting.dated <= end)

    def _add(self, posted: tuple[Posting, ...], sign: int) -> set[str]:
        for posting in posted:
            self._totals[posting.account] = self.balance(posting.account) + sign * posting.amount
            if posting.customer:
                self._owed[posting.customer] = self.owed_by(posting.customer) + sign * posting.amount
        return {posting.customer for posting in posted if posting.customer}

    def _postings(self, kind: str, record: Record) -> Iterator[Posting]:
        dated, customer = str(record.get("TxnDate") or "")[:10], _ref(record, "CustomerRef")
        for account, amount, whose in self._entries(kind, record, customer):
            if amount:
                owner = whose if self._accounts.get(account, {}).get("AccountType") == RECEIVABLE else ""
                yield Posting(account=account, amount=amount, dated=dated, customer=owner)

    def _entries(self, kind: str, record: Record, customer: str) -> Iterator[tuple[str, Decimal, str]]:
        match kind:
            case "Invoice":
                yield from self._sale(record, Decimal(1), self._typed("AccountType", RECEIVABLE), customer)
            case "CreditMemo":
                yield from self._sale(record, Decimal(-1), self._typed("AccountType", RECEIVABLE), customer)
            case "RefundReceipt":
                yield from self._sale(record, Decimal(-1), _ref(record, "DepositToAccountRef"), customer)
            case "Payment":
                yield _ref(record, "DepositToAccountRef"), record["TotalAmt"], ""
                yield self._typed("AccountType", RECEIVABLE), -record["TotalAmt"], customer
            case "Deposit":
                yield from self._deposit(record)
            case "Transfer":
                yield _ref(record, "ToAccountRef"), record["Amount"], ""
                yield _ref(record, "FromAccountRef"), -record["Amount"], ""
            case "JournalEntry":
                yield from (_side(line["Amount"], line["JournalEntryLineDetail"]) for line in record.get("Line", ()))

    def _sale(self, record: Record, sign: Decimal, against: str, customer: str) -> Iterator[tuple[str, Decimal, str]]:
        tax = Decimal(str((record.get("TxnTaxDetail") or {}).get("TotalTax") or 0))
        yield against, sign * record["TotalAmt"], customer
        yield self._typed("AccountSubType", "SalesOfProductIncome"), -sign * (record["TotalAmt"] - tax), ""
        yield self._typed("AccountSubType", "SalesTaxPayable"), -sign * tax, ""

    def _deposit(self, record: Record) -> Iterator[tuple[str, Decimal, str]]:
        yield _ref(record, "DepositToAccountRef"), record["TotalAmt"], ""
        for line in record.get("Line", ()):
            detail = line.get("DepositLineDetail") or {}
            account = _ref(detail, "AccountRef") if line.get("DetailType") else self._typed("AccountSubType", "UndepositedFunds")
            yield account, -line["Amount"], _ref(detail, "Entity")

    def _typed(self, field: str, value: str) -> str:
        return next((id for id, account in self._accounts.items() if account.get(field) == value), "")


def entities(line: Record) -> Iterator[tuple[dict[str, Any], str]]:
    """Where a line of a journal or a deposit names a customer: the record and the name of the reference in it."""
    entity = (line.get("JournalEntryLineDetail") or {}).get("Entity")
    if entity:
        yield entity, "EntityRef"
    if (line.get("DepositLineDetail") or {}).get("Entity"):
        yield line["DepositLineDetail"], "Entity"


def customer_of(detail: Record) -> str:
    """Of a journal's line. The Entity of a deposit's line has another shape."""
    entity = detail.get("Entity") or {}
    return _ref(entity, "EntityRef") if str(entity.get("Type") or "").lower() == "customer" else ""


def _side(amount: Decimal, detail: Record) -> tuple[str, Decimal, str]:
    signed = amount if detail["PostingType"] == "Debit" else -amount
    return _ref(detail, "AccountRef"), signed, customer_of(detail)


def _ref(record: Record, name: str) -> str:
    value = record.get(name)
    return str(value.get("value") or "") if isinstance(value, Mapping) else ""
