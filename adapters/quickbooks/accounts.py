"""What accounts there are, what they hold on a date, and until when the books are closed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, timedelta
from typing import Any

from adapters.quickbooks import wire
from adapters.quickbooks.client import Client, quoted
from adapters.quickbooks.reports import figures
from adapters.quickbooks.translate import money
from connector.errors import ConfigError, Rejected
from connector.model.bookings import AccountKind, BooksAccount, Receivable
from connector.model.money import Money

ANY = "Active IN (true, false)"
_MONEY = ("Bank", "Other Current Asset")
_UNDEPOSITED = "UndepositedFunds"
_KINDS = {
    "Bank": AccountKind.BANK,
    "Accounts Receivable": AccountKind.RECEIVABLE,
    "Other Current Asset": AccountKind.OTHER_CURRENT_ASSET,
    "Other Current Liability": AccountKind.CURRENT_LIABILITY,
    "Credit Card": AccountKind.CREDIT_CARD,
    "Equity": AccountKind.EQUITY,
    "Income": AccountKind.INCOME,
    "Other Income": AccountKind.INCOME,
    "Expense": AccountKind.EXPENSE,
    "Other Expense": AccountKind.EXPENSE,
    "Cost of Goods Sold": AccountKind.EXPENSE,
}


class Accounts:
    def __init__(self, client: Client, currency: str) -> None:
        self._client = client
        self._currency = currency
        self._receivable = ""
        self._undeposited = ""

    def read(self, ids: Collection[str]) -> dict[str, BooksAccount]:
        """One request for every 100 ids."""
        rows = self._client.query_in("Account", "Id", [id for id in ids if id.isdigit()], f" AND {ANY}")
        return {account.id: self._account(account) for account in (wire.read(wire.Account, row) for row in rows)}

    def receivable(self) -> str:
        """The id of the one that customers' debts are on; asked for once. Rejected when there is none, or several."""
        if not self._receivable:
            rows = self._client.query("Account", "AccountType = 'Accounts Receivable' AND Active = true")
            found = [account for account in map(_read, rows) if _currency(account, self._currency) == self._currency]
            if len(found) != 1:
                names = ", ".join(f"{account.name} ({account.id})" for account in found) or "none"
                raise Rejected(
                    f"QuickBooks has not one account for what customers owe in {self._currency} but these: {names}."
                    " Keep one of them active.",
                    code="receivable_account",
                )
            self._receivable = found[0].id
        return self._receivable

    def undeposited(self) -> str:
        """The id of Undeposited Funds; asked for once. "" when there is none that is active."""
        if not self._undeposited:
            found = self._find("")
            self._undeposited = found.id if found and found.active else ""
        return self._undeposited

    def check_for_payments(self, id: str) -> None:
        """One request. ConfigError when payments cannot go there; "" is Undeposited Funds."""
        account = self._find(id)
        if account is None:
            what = f"no account with the id {id}" if id else "no account Undeposited Funds"
            raise ConfigError(f"payment.deposit_account_id: QuickBooks has {what}. Name an account's id in the field mapping.")
        problem = self._wrong_with(account)
        if problem:
            raise ConfigError(
                f"payment.deposit_account_id: the account {account.name} ({account.id}) in QuickBooks {problem}."
                " Put that right there, or name another account's id in the field mapping."
            )

    def balances(self, ids: Collection[str], on: date) -> dict[str, Money]:
        """One request."""
        start = on.replace(month=1, day=1).isoformat()
        report, reply = self._client.report(
            "TrialBalance", start_date=start, end_date=on.isoformat(), accounting_method="Accrual"
        )
        found = {id: row.amounts[0] - row.amounts[1] for id, row in figures(report, reply, 2, self._currency).items()}
        return {id: found.get(id, Money.zero(self._currency)) for id in ids}

    def receivables(self, on: date) -> dict[str, Receivable]:
        """One request."""
        report, reply = self._client.report("CustomerBalance", report_date=on.isoformat(), accounting_method="Accrual")
        rows = figures(report, reply, 1, self._currency).items()
        return {id: Receivable(customer=id, name=row.name, amount=row.amounts[0]) for id, row in rows if row.amounts[0]}

    def closed_until(self) -> date | None:
        """One request."""
        closed = wire.read(wire.Preferences, self._client.single("Preferences")).accounting_info_prefs.book_close_date
        return date.fromisoformat(closed[:10]) if closed else None

    def first_open_day(self) -> date | None:
        closed = self.closed_until()
        return closed + timedelta(days=1) if closed else None

    def _find(self, id: str) -> wire.Account | None:
        where = f"Id = {quoted(id)}" if id else f"AccountSubType = '{_UNDEPOSITED}'"
        found = sorted(map(_read, self._client.query("Account", f"{where} AND {ANY}")), key=lambda account: not account.active)
        return next(iter(found), None)

    def _wrong_with(self, account: wire.Account) -> str:
        if not account.active:
            return "is inactive"
        if account.account_type not in _MONEY:
            return f"is of type {account.account_type}; payments go to an account of type {' or '.join(_MONEY)}"
        currency = _currency(account, self._currency)
        return "" if currency == self._currency else f"is in {currency}, the connector works in {self._currency}"

    def _account(self, account: wire.Account) -> BooksAccount:
        kind = _KINDS.get(account.account_type, AccountKind.OTHER)
        return BooksAccount(
            id=account.id,
            name=account.name,
            kind=AccountKind.UNDEPOSITED_FUNDS if account.account_sub_type == _UNDEPOSITED else kind,
            currency=_currency(account, self._currency),
            active=account.active,
            balance=money(account.current_balance, account.currency_ref, self._currency),
        )


def _read(row: Mapping[str, Any]) -> wire.Account:
    return wire.read(wire.Account, row)


def _currency(account: wire.Account, default: str) -> str:
    return account.currency_ref.value if account.currency_ref else default
