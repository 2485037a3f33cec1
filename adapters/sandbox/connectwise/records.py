"""Everything one ConnectWise holds, and how its records are made."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from adapters.sandbox.connectwise.tables import Row, Table, cents, number, without_nulls

OFFICE = "Admin1"  # the member who works in the screens
API_MEMBER = "AutopayAPI"  # the member to whom the API keys belong
CUSTOM_FIELD_TYPES = {"Autopay": ("Text", "List"), "Autopay Link": ("Hyperlink", "EntryField")}


class Clock(Protocol):
    now: datetime


class Records:
    """The tables. Derived fields (extended prices, balances) are kept right by whoever changes what they derive from."""

    def __init__(self, clock: Clock) -> None:
        def now() -> datetime:
            return clock.now

        self.companies = Table("Company", "/company/companies", now, first_id=19)
        self.contacts = Table("Contact", "/company/contacts", now, first_id=70, owner=lambda row: int(row["company"]["id"]))
        self.types = Table("AgreementType", "/finance/agreements/types", now, first_id=2)
        self.agreements = Table("Agreement", "/finance/agreements", now, first_id=101)
        self.additions = Table("Addition", "/additions", now, first_id=1001, owner=lambda row: int(row["agreementId"]))
        self.invoices = Table("Invoice", "/finance/invoices", now, first_id=5101)
        self.payments = Table("Payment", "/payments", now, first_id=301, owner=lambda row: int(row["invoice"]["id"]))
        self.cycles = Table("BillingCycle", "/finance/billingCycles", now)
        self.terms = Table("BillingTerms", "/finance/billingTerms", now)
        self.statuses = Table("BillingStatus", "/finance/billingStatuses", now)
        self.tax_codes = Table("TaxCode", "/finance/taxCodes", now, first_id=10)
        self.currencies = Table("Currency", "/finance/currencies", now)
        self.fields = Table("UserDefinedField", "/system/userDefinedFields", now, first_id=13)
        self.callbacks = Table("Callback", "/system/callbacks", now)
        self.products: dict[str, int] = {}
        _add_setup(self)

    def tables(self) -> dict[str, Table]:
        return {name: table for name, table in vars(self).items() if isinstance(table, Table)}

    def company_ref(self, id: int) -> Row:
        return self.companies.reference(self.companies.rows[id], "identifier", "name")

    def agreement_ref(self, id: int) -> Row:
        row = self.agreements.rows[id]
        return {**self.agreements.reference(row, "name"), "type": row["type"]["name"], "chargeFirmFlag": False}

    def invoice_ref(self, row: Row) -> Row:
        reference = self.invoices.reference(row)
        return {**reference, "identifier": row["invoiceNumber"], "billingType": row["type"], "applyToType": row["applyToType"]}

    def custom_fields(self, **given: Any) -> list[Row]:
        """Every custom field; one without a value has no `value`."""
        return [_custom_field(row, given.get(row["caption"].replace(" ", "_"))) for row in self.fields.rows.values()]

    def product_ref(self, identifier: str) -> Row:
        id = self.products.setdefault(identifier, 40 + len(self.products))
        return {"id": id, "identifier": identifier, "_info": {}}

    def billing_option(self, agreement: Row) -> str:
        """The cycle's `billingOptions`; its name is free text."""
        return str(self.cycles.rows[agreement["billingCycle"]["id"]]["billingOptions"])

    def term_days(self, terms_id: int) -> int:
        return int(self.terms.rows[terms_id]["dueDays"])

    def tax_rate(self, tax_code: Row | None) -> Decimal:
        """Per cent."""
        return Decimal(self.tax_codes.rows[tax_code["id"]]["levelOneRate"]) if tax_code else Decimal(0)


def priced(addition: Row) -> Row:
    """The derived amounts: `extPrice = (quantity - lessIncluded) * unitPrice`; the cost counts the full quantity."""
    quantity, cost = number(addition["quantity"]), number(addition["unitCost"])
    billed = quantity - number(addition["lessIncluded"])
    extended = cents(billed * number(addition["unitPrice"]))
    return {
        **addition,
        "billedQuantity": billed,
        "extPrice": extended,
        "extCost": cents(quantity * cost),
        "margin": extended - cents(quantity * cost),
    }


def invoice_balance(invoice: Row) -> Decimal:
    return Decimal(invoice["total"] - invoice["payments"] - invoice["credits"])


def _custom_field(definition: Row, value: Any) -> Row:
    kind = definition["fieldTypeIdentifier"]
    return without_nulls(
        {
            "id": definition["id"],
            "caption": definition["caption"],
            "type": kind,
            "entryMethod": definition["entryTypeIdentifier"],
            "numberOfDecimals": 0,
            "value": value,
        }
    )


def _add_setup(records: Records) -> None:
    for name, option in _CYCLES.items():
        records.cycles.insert(
            {"identifier": name[:10], "name": name, "defaultFlag": name == "Monthly", "billingOptions": option}, by="zadmin"
        )
    for name, days in (("Due on receipt", 0), ("Net 15", 15), ("Net 30", 30), ("Net 10", 10)):
        records.terms.insert({"name": name, "defaultFlag": days == 30, "dueDays": days, "termsXref": name}, by="zadmin")
    for order, name in enumerate(("New", "Sent", "Closed"), start=1):
        records.statuses.insert(_status(order, name), by="zadmin")
    for name, description, rate in (("FL-7.25", "Florida sales tax", "7.25"), ("Exempt", "Tax exempt", "0")):
        records.tax_codes.insert(_tax_code(name, description, Decimal(rate)), by="zadmin")
    records.currencies.insert(_dollars(), by="zadmin")
    for order, (caption, (kind, entry)) in enumerate(CUSTOM_FIELD_TYPES.items(), start=1):
        records.fields.insert(_field(order, caption, kind, entry), by="zadmin")
    for name in ("Managed Services", "Cloud & Backup", "Block Time - One time", "Hardware as a Service"):
        records.types.insert(_type(records, name), by="zadmin")


# Names as an office gives them: only `billingOptions` says what they are.
_CYCLES = {
    "Monthly": "Monthly",
    "Quarterly in advance": "Quarterly",
    "Annual": "Yearly",
    "One Time": "NotRecurring",
    "Semi-Annual": "SemiAnnual",
    "Every two months": "BiMonthly",
    "Weekly": "Weekly",
    "Fortnightly": "BiWeekly",
}


def _status(order: int, name: str) -> Row:
    closed = name == "Closed"
    flags = {"defaultFlag": order == 1, "closedFlag": closed, "inactiveFlag": False, "sentFlag": order > 1}
    return {"name": name, "sortOrder": order, **flags}


def _tax_code(name: str, description: str, rate: Decimal) -> Row:
    return {
        "identifier": name,
        "description": description,
        "invoiceCaption": "Sales tax",
        "effectiveDate": "2019-01-01T00:00:00Z",
        "defaultFlag": rate > 0,
        "displayOnInvoiceFlag": True,
        "levelOneRate": rate,
        "levelOneRateType": "Percent",
        "levelOneCaption": description,
        "levelOneTaxCodeXref": name,
        "levelOneServicesFlag": False,
        "levelOneExpensesFlag": False,
        "levelOneProductsFlag": True,
    }


def _dollars() -> Row:
    return {
        "currencyIdentifier": "USD",
        "name": "US Dollars",
        "symbol": "$",
        "displayIdFlag": False,
        "displaySymbolFlag": True,
        "currencyCode": {"id": 1, "name": "USD"},
        "thousandsSeparator": ",",
        "decimalSeparator": ".",
        "negativeParenthesesFlag": False,
        "rightAlign": False,
        "numberOfDecimals": 2,
    }


def currency_ref() -> Row:
    return {
        "id": 1,
        "symbol": "$",
        "currencyCode": "USD",
        "decimalSeparator": ".",
        "numberOfDecimals": 2,
        "thousandsSeparator": ",",
        "negativeParenthesesFlag": False,
        "displaySymbolFlag": True,
        "currencyIdentifier": "USD",
        "displayIdFlag": False,
        "rightAlign": False,
        "name": "US Dollars",
    }


def _field(order: int, caption: str, kind: str, entry: str) -> Row:
    return {
        "podId": 8,
        "caption": caption,
        "sequenceNumber": order,
        "screenId": "Company",
        "fieldTypeIdentifier": kind,
        "numberDecimals": 0,
        "entryTypeIdentifier": entry,
        "requiredFlag": False,
        "displayOnScreenFlag": True,
        "readOnlyFlag": False,
        "listViewFlag": False,
    }


def _type(records: Records, name: str) -> Row:
    once = name.endswith("One time")
    cycle = records.cycles.named("One Time" if once else "Monthly")
    return {
        "name": name,
        "prefixSuffixOption": "Prefix",
        "defaultFlag": name == "Managed Services",
        "inactiveFlag": False,
        "prePaymentFlag": once,
        "billingCycle": records.cycles.reference(cycle, "name"),
        "billOneTimeFlag": once,
        "invoicingCycle": "ContractYear",
        "billAmount": Decimal(0),
        "taxableFlag": False,
        "employeeCompRate": "Actual",
        "employeeCompNotExceed": "Billing",
        "billTime": "Billable",
        "billExpenses": "Billable",
        "billProducts": "Billable",
        "prorateFlag": False,
        "autoInvoiceFlag": False,
    }
