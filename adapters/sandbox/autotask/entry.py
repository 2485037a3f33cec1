"""Records as a person enters them in Autotask's screens."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from adapters.sandbox.autotask.records import FLORIDA, OFFICE_USER, RECURRING_SERVICE, TAXED, TERMS, UNTAXED, ZERO, Records
from adapters.sandbox.autotask.rows import Row, day_text


def add_company(
    records: Records,
    name: str,
    *,
    email: str = "",
    contact: str = "Pat Lee",
    terms: str = "Net 30",
    exempt: bool = False,
    udfs: dict[str, str] | None = None,
    **fields: Any,
) -> Row:
    """A customer with one contact, whose e-mail gets the bills. `fields` are any fields of a company."""
    row = {
        "companyName": name,
        "companyType": 1,
        "isActive": True,
        "isTaxExempt": exempt,
        "taxRegionID": FLORIDA,
        "currencyID": 1,
        "billToAddressToUse": 1,
        "ownerResourceID": OFFICE_USER,
        "phone": "727-555-0100",
        "createDate": records.now_text(),
        "lastActivityDate": records.now_text(),
        "lastTrackedModifiedDateTime": records.now_text(),
        "_udfs": dict(udfs or {}),
        "_terms": TERMS[terms],
        **fields,
    }
    company = records.companies.insert(row)
    first, _, last = contact.partition(" ")
    person = {"companyID": company["id"], "firstName": first, "lastName": last, "emailAddress": email, "isActive": 1}
    moments = {"createDate": records.now_text(), "lastActivityDate": records.now_text(), "lastModifiedDate": records.now_text()}
    records.contacts.insert({**person, **moments, "primaryContact": True})
    return company


def add_service(
    records: Records, name: str, price: Decimal, *, period_type: int = 2, cost: Decimal = ZERO, taxed: bool = True, **fields: Any
) -> Row:
    row = {**_product(records, name, period_type, taxed), "unitPrice": price, "unitCost": cost, "markupRate": ZERO}
    return records.services.insert({**row, **fields})


def add_bundle(
    records: Records, name: str, price: Decimal, services: Iterable[Row], *, period_type: int = 2, taxed: bool = True
) -> Row:
    """`price` is the bundle's own, whatever its services cost alone."""
    members = list(services)
    cost = sum((member["unitCost"] for member in members), ZERO)
    row = {**_product(records, name, period_type, taxed), "unitPrice": price, "unitCost": cost}
    bundle = records.bundles.insert(row)
    for member in members:
        records.bundle_services.insert({"serviceBundleID": bundle["id"], "serviceID": member["id"]})
    return bundle


def add_contract(
    records: Records,
    company: Row,
    name: str,
    *,
    starts: date,
    ends: date,
    bill_to: Row | None = None,
    type: int = RECURRING_SERVICE,
    status: int = 1,
    period_type: int = 2,
    udfs: dict[str, str] | None = None,
    **fields: Any,
) -> Row:
    row = {
        "companyID": company["id"],
        "billToCompanyID": bill_to["id"] if bill_to else None,
        "contractName": name,
        "contractType": type,
        "contractCategory": 12,
        "contractPeriodType": period_type,
        "billingPreference": 2,
        "status": status,
        "startDate": day_text(starts),
        "endDate": day_text(ends),
        "isCompliant": True,
        "isDefaultContract": False,
        "estimatedRevenue": ZERO,
        "setupFee": ZERO,
        "internalCurrencySetupFee": ZERO,
        "timeReportingRequiresStartAndStopTimes": 0,
        "_udfs": dict(udfs or {}),
        **fields,
    }
    return records.contracts.insert(row)


def _product(records: Records, name: str, period_type: int, taxed: bool) -> Row:
    return {
        "name": name,
        "description": "",
        "invoiceDescription": name,
        "isActive": True,
        "periodType": period_type,
        "billingCodeID": TAXED if taxed else UNTAXED,
        "createDate": records.now_text(),
        "lastModifiedDate": records.now_text(),
        "creatorResourceID": OFFICE_USER,
        "updateResourceID": OFFICE_USER,
    }
