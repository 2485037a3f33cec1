"""The reports that say what accounts and customers had on a date. Figures are texts, as in all reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from adapters.sandbox.quickbooks import refusals
from adapters.sandbox.quickbooks.company import Company
from adapters.sandbox.quickbooks.postings import PROFIT_AND_LOSS
from adapters.sandbox.quickbooks.refusals import Refused

Record = dict[str, Any]
Params = Mapping[str, str]


class Reports:
    def __init__(self, company: Company, today: Callable[[], date], time: Callable[[], str]) -> None:
        self._company = company
        self._today = today
        self._time = time

    def report(self, name: str, params: Params) -> Record:
        match name:
            case "TrialBalance":
                return self._trial_balance(params)
            case "CustomerBalance":
                return self._customer_balance(params)
        raise refusals.unsupported(name)

    def _trial_balance(self, params: Params) -> Record:
        """Balance sheet accounts at the end date; income and expenses of the period, the rest in retained earnings."""
        end = self._day(params, "end_date", self._today())
        start = self._day(params, "start_date", end.replace(month=1, day=1))
        balances = self._balances(start.isoformat(), end.isoformat())
        rows = [self._balance_row(id, amount) for id, amount in balances.items() if amount]
        debits = sum((amount for amount in balances.values() if amount > 0), Decimal(0))
        total = {"ColData": [{"value": "TOTAL"}, _cell(debits), _cell(debits)]}
        columns = [_column("Account", ""), _column("Money", "Debit"), _column("Money", "Credit")]
        head = {"StartPeriod": start.isoformat(), "EndPeriod": end.isoformat(), "ReportBasis": "Accrual"}
        return self._made("TrialBalance", head, columns, rows, total)

    def _balances(self, start: str, end: str) -> dict[str, Decimal]:
        accounts = self._company.records["Account"]
        ever, lately = self._company.postings.between("", end), self._company.postings.between(start, end)
        result = {
            id: (lately if account["AccountType"] in PROFIT_AND_LOSS else ever).get(id, Decimal(0))
            for id, account in accounts.items()
        }
        kept = next(id for id, account in accounts.items() if account["AccountSubType"] == "RetainedEarnings")
        result[kept] -= sum(result.values(), Decimal(0))
        return result

    def _balance_row(self, id: str, amount: Decimal) -> Record:
        sides = [_cell(amount), {"value": ""}] if amount > 0 else [{"value": ""}, _cell(-amount)]
        return {"ColData": [{"value": self._company.records["Account"][id]["Name"], "id": id}, *sides]}

    def _customer_balance(self, params: Params) -> Record:
        """`report_date`: customers who owe nothing on that day are left out."""
        day = self._day(params, "report_date", self._today()).isoformat()
        owed = {id: amount for id, amount in self._company.postings.owed(day).items() if amount}
        names = {id: self._company.records["Customer"][id]["DisplayName"] for id in owed}
        rows = [{"ColData": [{"value": names[id], "id": id}, _cell(owed[id])]} for id in sorted(owed, key=names.__getitem__)]
        total = {"ColData": [{"value": "TOTAL"}, _cell(sum(owed.values(), Decimal(0)))]}
        options = [{"Name": "report_date", "Value": day}]
        columns = [_column("Customer", ""), _column("Money", "Total")]
        return self._made("CustomerBalance", {"DateMacro": "all", "Option": options}, columns, rows, total)

    def _made(self, name: str, head: Record, columns: list[Record], rows: list[Record], total: Record) -> Record:
        options = [*head.pop("Option", []), {"Name": "NoReportData", "Value": "false" if rows else "true"}]
        header = {"Time": self._time(), "ReportName": name, **head, "Currency": self._company.currency, "Option": options}
        last = {"Summary": total, "type": "Section", "group": "GrandTotal"}
        return {"Header": header, "Columns": {"Column": columns}, "Rows": {"Row": [*rows, last]} if rows else {}}

    def _day(self, params: Params, name: str, default: date) -> date:
        try:
            return date.fromisoformat(params[name]) if params.get(name) else default
        except ValueError:
            raise Refused("2030", "Invalid Date", f"Invalid date : {name} {params[name]}") from None


def _cell(amount: Decimal) -> Record:
    return {"value": f"{amount:.2f}"}


def _column(kind: str, title: str) -> Record:
    return {"ColTitle": title, "ColType": kind}
