"""What QuickBooks checks of journals, transfers and deposits. Each raises Refused, and changes nothing but amounts' type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from adapters.sandbox.quickbooks import refusals
from adapters.sandbox.quickbooks.postings import PROFIT_AND_LOSS, RECEIVABLE, customer_of

Record = dict[str, Any]
Lookup = Callable[[Mapping[str, Any], str], Record]  # (record, name of the reference) -> what it names, active; or Refused
Amount = Callable[[object, str], Decimal]

NO_CUSTOMER = "When you use Accounts Receivable, you must choose a customer in the Name field."


def check_journal(record: Record, account: Lookup, customer: Lookup, amount: Amount) -> None:
    sides = {"Debit": Decimal(0), "Credit": Decimal(0)}
    for number, line in enumerate(record.get("Line", [])):
        detail = line.get("JournalEntryLineDetail") or {}
        if line.get("DetailType") != "JournalEntryLineDetail" or detail.get("PostingType") not in sides:
            raise refusals.missing("Line.JournalEntryLineDetail.PostingType")
        _check_owner(detail, account(detail, "AccountRef"), customer)
        line["Amount"] = amount(line.get("Amount", 0), "Line.Amount")
        if line["Amount"] < 0:
            raise refusals.business("The amount of a line of a journal entry cannot be negative.")
        line.setdefault("Id", str(number))
        sides[detail["PostingType"]] += line["Amount"]
    if sides["Debit"] != sides["Credit"] or not sides["Debit"]:
        raise refusals.business("The debits and credits of a journal entry must be equal.")
    record["TotalAmt"] = sides["Debit"]


def _check_owner(detail: Record, account: Record, customer: Lookup) -> None:
    if account["AccountType"] == RECEIVABLE and not customer_of(detail):
        raise refusals.business(NO_CUSTOMER)
    if customer_of(detail):
        customer(detail["Entity"], "EntityRef")


def check_transfer(record: Record, account: Lookup, amount: Amount) -> None:
    if "Amount" not in record:
        raise refusals.missing("Amount")
    record["Amount"] = amount(record["Amount"], "Amount")
    ends = [account(record, name) for name in ("FromAccountRef", "ToAccountRef")]
    if any(end["AccountType"] in PROFIT_AND_LOSS | {RECEIVABLE, "Accounts Payable"} for end in ends):
        raise refusals.business("Select a balance sheet account for this transfer.")
    if ends[0]["Id"] == ends[1]["Id"]:
        raise refusals.business("A transfer needs two accounts.")
    if record["Amount"] <= 0:
        raise refusals.business("The amount of a transfer must be more than zero.")


def check_deposit_detail(line: Record, account: Lookup, customer: Lookup) -> None:
    """A line that takes no payment out of Undeposited Funds: money from or to an account, less than nothing too."""
    detail = line.get("DepositLineDetail") or {}
    if not (detail.get("AccountRef") or {}).get("value"):
        raise refusals.missing("Line.DepositLineDetail.AccountRef")
    found = account(detail, "AccountRef")
    if found["AccountType"] == RECEIVABLE and not detail.get("Entity"):
        raise refusals.business(NO_CUSTOMER)
    if detail.get("Entity"):
        customer(detail, "Entity")
