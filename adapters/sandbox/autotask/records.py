"""The tables of one Autotask database, and what every new one holds: terms, taxes, currencies, the MSP itself."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from adapters.sandbox.autotask.fields import ENTITIES
from adapters.sandbox.autotask.rows import Row, Table, moment_text

API_USER, OFFICE_USER = 29682885, 29682884  # resource ids
TAXED, UNTAXED = 141, 142  # billing codes
RECURRING_SERVICE = 7  # Contracts.contractType
TERMS = {"Net 30": 1, "Net 15": 2, "Due on receipt": 3}
FLORIDA = 41
ZERO = Decimal(0)


class Clock(Protocol):
    @property
    def now(self) -> Any: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """Services and bundles of services are sold alike: what hangs on a contract, its units, and the two fields that join."""

    name: str
    sold: Table
    units: Table
    products: Table
    sold_key: str
    product_key: str


class Records:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.companies = Table("Companies", first_id=175)
        self.contacts = Table("Contacts", first_id=30000501, indexed=("companyID",))
        self.services = Table("Services", first_id=11)
        self.bundles = Table("ServiceBundles", first_id=31)
        self.bundle_services = Table("ServiceBundleServices", indexed=("serviceBundleID",))
        self.contracts = Table("Contracts", first_id=29684101, indexed=("companyID",))
        self.contract_services = Table("ContractServices", first_id=701, indexed=("contractID",))
        self.contract_bundles = Table("ContractServiceBundles", first_id=401, indexed=("contractID",))
        self.service_units = Table("ContractServiceUnits", first_id=9001, indexed=("contractID", "contractServiceID"))
        self.bundle_units = Table("ContractServiceBundleUnits", first_id=6001, indexed=("contractID", "contractServiceBundleID"))
        self.items = Table("BillingItems", first_id=52001, indexed=("contractID", "invoiceID"))
        self.invoices = Table("Invoices", first_id=7301, indexed=("companyID",))
        self.terms = Table("PaymentTerms")
        self.regions = Table("TaxRegions", first_id=FLORIDA)
        self.taxes = Table("Taxes", first_id=91, indexed=("taxRegionID",))
        self.currencies = Table("Currencies")
        self.kinds = self._kinds()
        self._fill()

    def tables(self) -> dict[str, Table]:
        """By the entity's name."""
        return {table.entity: table for table in vars(self).values() if isinstance(table, Table)}

    def now_text(self) -> str:
        return moment_text(self.clock.now)

    def today_text(self) -> str:
        return f"{self.clock.now:%Y-%m-%d}T00:00:00Z"

    def payer(self, contract: Row) -> Row:
        return self.companies.rows[contract["billToCompanyID"] if "billToCompanyID" in contract else contract["companyID"]]

    def tax_rate(self, payer: Row) -> Decimal:
        """In percent."""
        if payer.get("isTaxExempt"):
            return ZERO
        taxes = self.taxes.of("taxRegionID", payer.get("taxRegionID"))
        return sum((tax["taxRate"] for tax in taxes), ZERO)

    def touched(self, table: Table, id: int) -> None:
        """Only what has such a field remembers when it was changed; contracts, units, items and invoices have none."""
        names = ENTITIES[table.entity].fields.keys() & {"lastModifiedDate", "lastTrackedModifiedDateTime", "lastActivityDate"}
        table.update(id, dict.fromkeys(names, self.now_text()))

    def _kinds(self) -> dict[str, Kind]:
        services = Kind(
            name="service",
            sold=self.contract_services,
            units=self.service_units,
            products=self.services,
            sold_key="contractServiceID",
            product_key="serviceID",
        )
        bundles = Kind(
            name="bundle",
            sold=self.contract_bundles,
            units=self.bundle_units,
            products=self.bundles,
            sold_key="contractServiceBundleID",
            product_key="serviceBundleID",
        )
        return {"service": services, "bundle": bundles}

    def _fill(self) -> None:
        for name, days in (("Net 30", 30), ("Net 15", 15), ("Due on receipt", 0)):
            self.terms.insert({"name": name, "paymentDueInDays": days, "isActive": True})
        self.regions.insert({"name": "Florida, Pinellas", "isActive": True})
        for name, rate in (("State sales tax", "6.0"), ("County surtax", "1.0")):
            tax = {"taxName": name, "taxRate": Decimal(rate), "taxRegionID": FLORIDA, "taxCategoryID": 1}
            self.taxes.insert({**tax, "isCompounded": False})
        for id, name in ((1, "USD"), (2, "CAD")):
            row = {"id": id, "name": name, "isActive": True, "isInternalCurrency": id == 1, "exchangeRate": Decimal(1)}
            self.currencies.insert({**row, "description": name, "lastModifiedDateTime": self.now_text()})
