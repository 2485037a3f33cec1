"""The other tools that write payments at an MSP, as their vendors' pages describe them (billing_domain.md, psa.md 3.4 and 4.2).

Each action is one run of one tool. None looks at who entered a payment: what it has not brought itself, it brings. By what
they are known: `appliedBy` in ConnectWise is the API member that the tool was given; a payment that ConnectWise's own sync took
along carries `paymentSyncStatus: Synced`. In QuickBooks they leave nothing but a payment without our mark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from adapters.sandbox.autotask import Autotask
from adapters.sandbox.connectwise import ConnectWise
from adapters.sandbox.connectwise.tables import Row, as_date, day_text, number
from adapters.sandbox.wire import Request, Response, json_response
from adapters.sandbox.world import World


class Syncs:
    name = "syncs"

    def __init__(self, world: World) -> None:
        self._world = world
        self._brought: dict[tuple[str, str, str], int] = {}  # tool, payment in QuickBooks, invoice -> row in ConnectWise
        self._rewritten: set[str] = set()  # numbers of invoices
        self.actions: dict[str, Callable[..., Any]] = {
            name: getattr(self, name) for name in ("copy_to_psa", "rewrite_psa", "set_paid_dates", "export_to_books")
        }

    def copy_to_psa(self, member: str = "WiseSync") -> int:
        """Every payment on an invoice in QuickBooks that this tool has not brought yet; one that was moved or deleted there is
        removed in ConnectWise. How many were brought."""
        there = {(member, payment["Id"], doc): (payment, amount) for payment, doc, amount in self._applied()}
        for key in [key for key in self._brought if key[0] == member and key not in there]:
            self._remove(self._brought.pop(key))
        made = 0
        for key, (payment, amount) in there.items():
            invoice = self._invoice(key[2])
            if invoice is not None and key not in self._brought:
                self._brought[key] = self._add(invoice, payment, amount, member)
                made += 1
        return made

    def rewrite_psa(self, member: str = "GozyntaMobius") -> int:
        """Each invoice with payments in QuickBooks, now or in the run before, loses all it has in ConnectWise and gets those
        instead. How many rows."""
        of: dict[str, list[tuple[Row, Decimal]]] = {doc: [] for doc in self._rewritten}
        for payment, doc, amount in self._applied():
            of.setdefault(doc, []).append((payment, amount))
        made = 0
        for doc, found in of.items():
            invoice = self._invoice(doc)
            rows = list(self._connectwise.records.payments.of(invoice["id"]).values()) if invoice is not None else []
            if invoice is None or any(row.get("glBatchID") for row in rows):
                continue
            for row in rows:
                if "credit" not in row:
                    self._connectwise.payments.remove(invoice, row)
            for payment, amount in found:
                self._add(invoice, payment, amount, member)
                made += 1
        self._rewritten = {doc for doc, found in of.items() if found}
        return made

    def set_paid_dates(self) -> int:
        """Autotask: what QuickBooks shows as paid in full gets the day of its last payment. How many invoices."""
        books = {str(row["DocNumber"]): row for row in self._books("Invoice") if row["TotalAmt"] > 0 and not row["Balance"]}
        days: dict[str, str] = {}
        for payment, doc, _ in self._applied():
            days[doc] = max(days.get(doc, ""), payment["TxnDate"])
        done = 0
        for invoice in self._autotask.records.invoices.rows.values():
            doc = str(invoice.get("invoiceNumber") or invoice["id"])
            if doc in books and doc in days and not invoice["isVoided"] and not invoice.get("paidDate"):
                self._autotask.records.invoices.update(invoice["id"], {"paidDate": day_text(as_date(days[doc]))})
                done += 1
        return done

    def export_to_books(self) -> int:
        """ConnectWise's own sync: payments that are not synced yet are entered in QuickBooks, whatever stands there already."""
        enter = self._world.partners["quickbooks"].actions["enter_payment"]  # type: ignore[attr-defined]
        records = self._connectwise.records
        open_ = [row for row in records.payments.rows.values() if row["paymentSyncStatus"] != "Synced" and "credit" not in row]
        for row in open_:
            invoice = records.invoices.rows[row["invoice"]["id"]]
            enter(
                customer_name=invoice["billToCompany"]["name"],
                amount=row["amount"],
                number=invoice["invoiceNumber"],
                dated=row["paymentDate"][:10],
            )
            records.payments.update(row["id"], {"paymentSyncStatus": "Synced"}, by="AccountingSync")
        return len(open_)

    # What there is

    @property
    def _connectwise(self) -> ConnectWise:
        psa = self._world.partners["connectwise"]
        if not isinstance(psa, ConnectWise):
            raise TypeError("this tool works with a sandbox ConnectWise")
        return psa

    @property
    def _autotask(self) -> Autotask:
        psa = self._world.partners["autotask"]
        if not isinstance(psa, Autotask):
            raise TypeError("this tool works with a sandbox Autotask")
        return psa

    def _books(self, kind: str) -> list[Row]:
        return list(self._world.partners["quickbooks"].state()[kind])

    def _applied(self) -> Iterator[tuple[Row, str, Decimal]]:
        """Each payment on an invoice in QuickBooks, with the invoice's number and what of the payment stands on it."""
        numbers = {row["Id"]: str(row["DocNumber"]) for row in self._books("Invoice")}
        for payment in self._books("Payment"):
            for line in payment["Line"]:
                for linked in line["LinkedTxn"]:
                    if linked["TxnType"] == "Invoice" and linked["TxnId"] in numbers and line["Amount"] > 0:
                        yield payment, numbers[linked["TxnId"]], Decimal(line["Amount"])

    def _invoice(self, doc: str) -> Row | None:
        """The number must be the same in both."""
        rows = self._connectwise.records.invoices.rows.values()
        return next((row for row in rows if row["invoiceNumber"] == doc), None)

    def _add(self, invoice: Row, payment: Row, amount: Decimal, member: str) -> int:
        body = {"amount": number(amount), "paymentDate": payment["TxnDate"]}
        return int(self._connectwise.payments.add(invoice, body, by=member)["id"])

    def _remove(self, id: int) -> None:
        row = self._connectwise.records.payments.rows.get(id)
        if row is not None:
            self._connectwise.payments.remove(self._connectwise.records.invoices.rows[row["invoice"]["id"]], row)

    # A partner only so that its actions can be reached

    def next_wake(self) -> datetime | None:
        return None

    def wake(self, now: datetime) -> None:
        """They run when somebody starts them."""

    def handle(self, request: Request) -> Response:
        return json_response({"error": f"these tools answer no {request.method} requests"}, status=404)

    def state(self) -> dict[str, Any]:
        return {"brought": len(self._brought)}

    def too_many_requests(self, retry_after_s: int) -> Response:
        return json_response({"error": f"busy for {retry_after_s} s"}, status=429)

    def server_error(self, status: int) -> Response:
        return json_response({"error": "out of order"}, status=status)
