"""Approve & Post makes billing items of what fell due; Invoices takes them together; voiding sends them back.

As far as published: each item is rounded to the cent at posting, totals are sums of rounded items; taxes come in when
an invoice is made (not verified: by item, each rounded); a voided invoice keeps its amounts and loses its items.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, timedelta
from decimal import Decimal

from adapters.sandbox.autotask.records import OFFICE_USER, TAXED, UNTAXED, ZERO, Kind, Records
from adapters.sandbox.autotask.rows import Row, cents, day_text, number
from adapters.sandbox.autotask.units import Units

CHARGE, SERVICE, BUNDLE = 4, 9, 10  # BillingItems.billingItemType


class Posting:
    def __init__(self, records: Records, units: Units) -> None:
        self._records = records
        self._units = units
        self._next_number = 10401
        self._open: dict[int, None] = {}  # items that are on no invoice

    def approve_and_post(self, through: date, contracts: Collection[int] | None = None) -> list[Row]:
        """What active contracts bill by that day; a period is billed in advance, on its first day."""
        made: list[Row] = []
        for kind, row in self._units.waiting(through):
            contract = self._records.contracts.rows[row["contractID"]]
            if contract["status"] == 1 and (contracts is None or contract["id"] in contracts):
                made.append(self._post_units(kind, row, contract))
        return made

    def charge(self, company: Row, name: str, amount: Decimal, *, dated: date, contract: Row | None, taxed: bool) -> Row:
        """A one-off: a contract's charge or set-up fee, a ticket's work. Below zero it is a credit."""
        row = {
            "companyID": company["id"],
            "contractID": contract["id"] if contract else None,
            "billingItemType": CHARGE,
            "itemName": name,
            "description": name,
            "itemDate": day_text(dated),
            "quantity": Decimal(1),
            "rate": amount,
            "billingCodeID": TAXED if taxed else UNTAXED,
            "_from": day_text(dated),
            "_to": day_text(dated),
            **self._amounts(cents(amount)),
        }
        return self._insert(row, payer=self._records.payer(contract) if contract else company)

    def open_items(self) -> list[Row]:
        return [self._records.items.rows[id] for id in self._open]

    def drop(self, contract: int) -> None:
        """Its open items stay posted, and nobody invoices them."""
        for item in [item for item in self.open_items() if item.get("contractID") == contract]:
            self._open.pop(item["id"])

    def payer(self, item: Row) -> int:
        """The company whose invoice the item goes on."""
        return int(item["_payer"])

    def invoice(self, items: Iterable[Row], *, dated: date, due_days: int | None, numbered: bool = True) -> Row:
        """One invoice of these items, which all have one payer."""
        items = list(items)
        payer = self._records.companies.rows[self.payer(items[0])]
        self._tax(items, self._records.tax_rate(payer))
        row = {**self._head(payer, dated, due_days), **self._sums(items), **_range(items)}
        if numbered:
            row["invoiceNumber"] = self._number()
        invoice = self._records.invoices.insert(row)
        for item in items:
            self._records.items.update(item["id"], {"invoiceID": invoice["id"]})
            self._open.pop(item["id"])
        return invoice

    def void(self, invoice: Row, *, dated: date) -> None:
        """Its items wait for an invoice again; number, amounts and paid date stay."""
        changes = {"isVoided": True, "voidedDate": day_text(dated), "voidedByResourceID": OFFICE_USER}
        self._records.invoices.update(invoice["id"], changes)
        for item in list(self._records.items.of("invoiceID", invoice["id"])):
            self._records.items.update(item["id"], {"invoiceID": None, **self._amounts(item["extendedPrice"])})
            self._open[item["id"]] = None

    def _post_units(self, kind: Kind, row: Row, contract: Row) -> Row:
        product = kind.products.rows[row[kind.product_key]]
        sold = kind.sold.rows[row[kind.sold_key]]
        self._units.posted(kind, row, self._records.now_text())
        item = {
            "companyID": contract["companyID"],
            "contractID": contract["id"],
            kind.product_key: product["id"],
            "billingItemType": SERVICE if kind.name == "service" else BUNDLE,
            "itemName": product["name"],
            "description": f"{sold['invoiceDescription']} ({row['startDate'][:10]} - {row['endDate'][:10]})",
            "itemDate": row["startDate"],
            "quantity": number(row["units"]),
            "rate": row["_price"],
            "billingCodeID": product["billingCodeID"],
            "ourCost": row["cost"],
            "purchaseOrderNumber": contract.get("purchaseOrderNumber"),
            "_from": row["startDate"],
            "_to": row["endDate"],
            **self._amounts(cents(row["price"])),
        }
        return self._insert(item, payer=self._records.payer(contract))

    def _insert(self, row: Row, *, payer: Row) -> Row:
        item = self._records.items.insert(
            {
                "accountManagerWhenApprovedID": OFFICE_USER,
                "itemApproverID": OFFICE_USER,
                "nonBillable": 0,
                "postedDate": self._records.today_text(),
                "postedOnTime": self._records.now_text(),
                "lineItemFullDescription": row["description"],
                "internalCurrencyRate": row["rate"],
                "_payer": payer["id"],
                **row,
            }
        )
        self._open[item["id"]] = None
        return item

    def _tax(self, items: list[Row], rate: Decimal) -> None:
        for item in items:
            tax = cents(item["extendedPrice"] * rate / 100) if item["billingCodeID"] == TAXED else ZERO
            item.update(self._amounts(item["extendedPrice"], tax))

    def _amounts(self, extended: Decimal, tax: Decimal = ZERO) -> Row:
        own = {"extendedPrice": extended, "taxDollars": tax, "totalAmount": extended + tax}
        return {**own, **{f"internalCurrency{name[0].upper()}{name[1:]}": amount for name, amount in own.items()}}

    def _sums(self, items: list[Row]) -> Row:
        total = sum((item["totalAmount"] for item in items), ZERO)
        return {"invoiceTotal": total, "totalTaxValue": sum((item["taxDollars"] for item in items), ZERO)}

    def _head(self, payer: Row, dated: date, due_days: int | None) -> Row:
        terms = self._records.terms.rows[payer["_terms"]]
        due = dated + timedelta(days=terms["paymentDueInDays"] if due_days is None else due_days)
        region = self._records.regions.rows.get(payer.get("taxRegionID", 0), {})
        return {
            "companyID": payer["id"],
            "batchID": 500 + (dated - date(2020, 1, 1)).days,
            "comments": "",
            "createDateTime": self._records.now_text(),
            "creatorResourceID": OFFICE_USER,
            "dueDate": day_text(due),
            "invoiceDateTime": day_text(dated),
            "invoiceEditorTemplateID": 102,
            "isVoided": False,
            "orderNumber": "",
            "paymentTerm": terms["id"],
            "taxRegionName": region.get("name", ""),
        }

    def _number(self) -> str:
        self._next_number += 1
        return f"AT-{self._next_number - 1}"


def _range(items: list[Row]) -> Row:
    """The dates that the invoice's items cover."""
    return {"fromDate": min(item["_from"] for item in items), "toDate": max(item["_to"] for item in items)}
