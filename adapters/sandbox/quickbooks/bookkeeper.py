"""What a bookkeeper does in QuickBooks' own screens. Amounts are str or Decimal, dates ISO strings or date objects."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from adapters.sandbox.quickbooks.company import Company, Record, links, ref
from adapters.sandbox.quickbooks.tokens import Tokens

Amount = str | int | Decimal
Day = str | date


class Bookkeeper:
    """Every method is an action of the control interface. They refuse with the same Refused as the API."""

    def __init__(self, company: Company, tokens: Tokens) -> None:
        self._company = company
        self._tokens = tokens

    def actions(self) -> dict[str, Callable[..., Any]]:
        names = (
            "enter_customer enter_invoice enter_payment enter_credit_memo delete_invoice void_invoice delete_payment"
            " void_payment edit_payment move_payment give_payment_to make_deposit undo_deposit take_out_of_deposit"
            " enter_journal delete_journal delete_transfer close_books rename_customer merge_customers deactivate_customer"
            " add_account deactivate_account disconnect reconnect"
        )
        return {name: getattr(self, name) for name in names.split()}

    def enter_customer(self, name: str, email: str = "") -> str:
        body: Record = {"DisplayName": name, "CompanyName": name, "PrintOnCheckName": name}
        if email:
            body["PrimaryEmailAddr"] = {"Address": email}
        return self._id(self._company.create("Customer", body))

    def enter_invoice(self, number: str, customer_name: str, dated: Day, due: Day, total: Amount, tax: Amount = 0) -> str:
        """`total` includes `tax`. A second invoice of the same number is entered in spite of the warning."""
        body = self._sale(customer_name, Decimal(total) - Decimal(tax), dated)
        body |= {"DocNumber": number, "DueDate": str(due), "TxnTaxDetail": {"TotalTax": Decimal(tax)}}
        return self._id(self._company.create("Invoice", body, include="allowduplicatedocnum"))

    def enter_payment(self, customer_name: str, amount: Amount, number: str | None = None, dated: Day | None = None) -> str:
        """A cheque; with an invoice's number it is applied to that invoice, as far as its balance goes."""
        customer = self._company.named("Customer", customer_name)
        method = self._company.named("PaymentMethod", "Check")
        body: Record = {
            "CustomerRef": {"value": customer["Id"]},
            "PaymentMethodRef": {"value": method["Id"]},
            "TotalAmt": Decimal(amount),
            "TxnDate": str(dated) if dated else None,
            "Line": self._lines(customer["Id"], Decimal(amount), number) if number else [],
        }
        return self._id(self._company.create("Payment", body))

    def enter_credit_memo(self, customer_name: str, amount: Amount, dated: Day | None = None, number: str = "") -> str:
        body = self._sale(customer_name, Decimal(amount), dated)
        return self._id(self._company.create("CreditMemo", body | ({"DocNumber": number} if number else {})))

    def delete_invoice(self, number: str) -> None:
        """The latest one of that number. Payments on it become unapplied."""
        self._company.delete("Invoice", self._handle(self._invoice(number)))

    def void_invoice(self, number: str) -> None:
        self._company.void("Invoice", self._handle(self._invoice(number)))

    def delete_payment(self, id: str) -> None:
        self._company.delete("Payment", self._handle(self._company.get("Payment", id)))

    def void_payment(self, id: str) -> None:
        self._company.void("Payment", self._handle(self._company.get("Payment", id)))

    def edit_payment(
        self,
        id: str,
        amount: Amount | None = None,
        dated: Day | None = None,
        note: str | None = None,
        reference: str | None = None,
    ) -> None:
        """A smaller amount takes the difference off the lines."""
        payment = self._company.get("Payment", id)
        wanted = {"TxnDate": str(dated) if dated else None, "PrivateNote": note, "PaymentRefNum": reference}
        body = self._handle(payment) | {"sparse": True} | {name: value for name, value in wanted.items() if value is not None}
        if amount is not None:
            body |= {"TotalAmt": Decimal(amount), "Line": _at_most(payment["Line"], Decimal(amount))}
        self._company.update("Payment", body)

    def move_payment(self, id: str, number: str | None) -> None:
        """All of it onto that invoice, as far as that is open; None: onto nothing."""
        payment = self._company.get("Payment", id)
        freed = self._company.update("Payment", self._handle(payment) | {"sparse": True, "Line": []})
        if number is not None:
            lines = self._lines(ref(payment, "CustomerRef"), payment["TotalAmt"], number)
            self._company.update("Payment", self._handle(freed) | {"sparse": True, "Line": lines})

    def give_payment_to(self, id: str, customer_name: str) -> None:
        """Another customer is chosen on it: what it was applied to is let go, as the screen does."""
        payment = self._company.get("Payment", id)
        customer = self._company.named("Customer", customer_name)["Id"]
        self._company.update("Payment", self._handle(payment) | {"sparse": True, "CustomerRef": {"value": customer}, "Line": []})

    def make_deposit(self, payment_ids: list[str], dated: Day | None = None, fee: Amount = 0, into: str = "Checking") -> str:
        payments = [self._company.get("Payment", id) for id in payment_ids]
        lines: list[Record] = [
            {"Amount": payment["TotalAmt"], "LinkedTxn": [{"TxnId": payment["Id"], "TxnType": "Payment", "TxnLineId": "0"}]}
            for payment in payments
        ]
        if Decimal(fee):
            account = {"value": self._company.named("Account", "Merchant fees")["Id"]}
            detail = {"DetailType": "DepositLineDetail", "DepositLineDetail": {"AccountRef": account}}
            lines.append({"Amount": -Decimal(fee), **detail})
        body: Record = {"DepositToAccountRef": {"value": self._company.named("Account", into)["Id"]}, "Line": lines}
        return self._id(self._company.create("Deposit", body | ({"TxnDate": str(dated)} if dated else {})))

    def undo_deposit(self, id: str) -> None:
        self._company.delete("Deposit", self._handle(self._company.get("Deposit", id)))

    def take_out_of_deposit(self, payment: str) -> None:
        """The payment is in Undeposited Funds again, the deposit smaller by it; a deposit of nothing else is deleted."""
        deposit = self._company.get("Deposit", self._company.deposit_of(payment))
        kept = [line for line in deposit["Line"] if ("Payment", payment) not in links(line)]
        if kept:
            self._company.update("Deposit", self._handle(deposit) | {"sparse": True, "Line": kept})
        else:
            self.undo_deposit(deposit["Id"])

    def enter_journal(self, debit: str, credit: str, amount: Amount, dated: Day | None = None, customer: str = "") -> str:
        """Between two accounts, by name; `customer` (by name) stands on both lines."""
        sides = (("Debit", debit), ("Credit", credit))
        lines = [self._journal_line(side, account, Decimal(amount), customer) for side, account in sides]
        return self._id(self._company.create("JournalEntry", {"Line": lines} | ({"TxnDate": str(dated)} if dated else {})))

    def delete_journal(self, id: str) -> None:
        """Payments that are applied to it become unapplied."""
        self._company.delete("JournalEntry", self._handle(self._company.get("JournalEntry", id)))

    def delete_transfer(self, id: str) -> None:
        self._company.delete("Transfer", self._handle(self._company.get("Transfer", id)))

    def close_books(self, through: Day | None) -> None:
        """Nothing dated on or before that day can be written any more; None opens the books again."""
        self._company.closed_through = date.fromisoformat(str(through)) if through else None

    def rename_customer(self, old: str, new: str) -> None:
        customer = self._company.named("Customer", old)
        self._company.update("Customer", self._handle(customer) | {"sparse": True, "DisplayName": new})

    def merge_customers(self, keep: str, gone: str) -> None:
        """Everything of `gone` becomes `keep`'s; `gone` stays as an inactive name."""
        keeper, goner = self._company.named("Customer", keep), self._company.named("Customer", gone)
        for kind in ("JournalEntry", "Deposit", "Invoice", "CreditMemo", "Payment", "RefundReceipt"):
            for id in self._company.naming_customer(kind, goner["Id"]):
                self._company.move_customer(kind, id, keeper, gone=goner["Id"])
        body = self._handle(goner) | {"sparse": True, "DisplayName": f"{gone} (deleted)", "Active": False}
        self._company.update("Customer", body)

    def deactivate_customer(self, name: str) -> None:
        customer = self._company.named("Customer", name)
        self._company.update("Customer", self._handle(customer) | {"sparse": True, "Active": False})

    def add_account(self, name: str, type: str, subtype: str = "", classification: str = "Asset") -> str:
        """`type` as in QuickBooks: Bank, Other Current Asset, Expense, ..."""
        body = {"Name": name, "AccountType": type, "AccountSubType": subtype or type.replace(" ", "")}
        return self._id(self._company.create("Account", body | {"Classification": classification}))

    def deactivate_account(self, name: str) -> None:
        account = self._company.named("Account", name)
        self._company.update("Account", self._handle(account) | {"sparse": True, "Active": False})

    def disconnect(self) -> None:
        self._tokens.disconnect()

    def reconnect(self) -> str:
        """The new refresh token."""
        return self._tokens.connect()

    def _sale(self, customer_name: str, amount: Decimal, dated: Day | None) -> Record:
        customer = self._company.named("Customer", customer_name)
        line = {"Id": "1", "LineNum": 1, "Amount": amount, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": {"Qty": 1}}
        subtotal = {"Amount": amount, "DetailType": "SubTotalLineDetail", "SubTotalLineDetail": {}}
        body: Record = {"CustomerRef": {"value": customer["Id"]}, "Line": [line, subtotal]}
        return body | ({"TxnDate": str(dated)} if dated else {})

    def _journal_line(self, side: str, account: str, amount: Decimal, customer: str) -> Record:
        detail: Record = {"PostingType": side, "AccountRef": {"value": self._company.named("Account", account)["Id"]}}
        if customer:
            entity = {"value": self._company.named("Customer", customer)["Id"], "name": customer}
            detail["Entity"] = {"Type": "Customer", "EntityRef": entity}
        return {"Amount": amount, "DetailType": "JournalEntryLineDetail", "JournalEntryLineDetail": detail}

    def _lines(self, customer: str, amount: Decimal, number: str) -> list[Record]:
        invoice = self._invoice(number)
        if ref(invoice, "CustomerRef") != customer:
            raise ValueError(f"invoice {number} is another customer's")
        part = min(amount, invoice["Balance"])
        return [{"Amount": part, "LinkedTxn": [{"TxnId": invoice["Id"], "TxnType": "Invoice"}]}] if part else []

    def _invoice(self, number: str) -> Record:
        found = self._company.found_by("Invoice", "DocNumber", [number])
        if not found:
            raise ValueError(f"no invoice has the number {number!r}")
        return found[-1]

    def _handle(self, record: Record) -> Record:
        return {"Id": record["Id"], "SyncToken": record["SyncToken"]}

    def _id(self, record: Record) -> str:
        return str(record["Id"])


def _at_most(lines: list[Record], most: Decimal) -> list[Record]:
    """The same lines, the last ones cut so that invoices get no more than `most`."""
    kept: list[Record] = []
    for line in lines:
        is_invoice = any(kind != "CreditMemo" for kind, _ in links(line))
        part = min(line["Amount"], most) if is_invoice else line["Amount"]
        most -= part if is_invoice else -part
        if part:
            kept.append({"Amount": part, "LinkedTxn": line["LinkedTxn"]})
    return kept
