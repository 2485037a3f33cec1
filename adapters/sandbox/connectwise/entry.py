"""Records as a person enters them in ConnectWise's screens."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from adapters.sandbox.connectwise.records import OFFICE, Records, currency_ref, priced
from adapters.sandbox.connectwise.tables import Row, day_text

ZERO = Decimal(0)


def add_company(records: Records, name: str, *, email: str = "", contact: str = "Pat Lee", **custom: Any) -> Row:
    """A company with one contact, whose e-mail gets the bills. `custom` are custom fields by caption (blank -> underscore)."""
    company = records.companies.insert(_company(records, name, email, custom), by=OFFICE)
    person = records.contacts.insert(_contact(records, company, contact, email), by=OFFICE)
    reference = {**records.contacts.reference(person), "name": contact}
    company.update(defaultContact=reference, billingContact=reference)
    return company


def add_agreement(
    records: Records,
    company: Row,
    name: str,
    *,
    starts: date,
    bill_to: Row | None = None,
    parent: Row | None = None,
    type: str = "Managed Services",
    cycle: str = "Monthly",
    terms: str = "Net 30",
    tax_code: str = "FL-7.25",
    amount: Decimal = ZERO,
    **fields: Any,
) -> Row:
    """`fields` are any other fields of an agreement; `autopay` is the custom field."""
    custom = records.custom_fields(Autopay=fields.pop("autopay", None))
    once = records.types.named(type)["billOneTimeFlag"]
    row = {
        **_agreement_defaults(),
        "name": name,
        "type": records.types.reference(records.types.named(type), "name"),
        "company": records.company_ref(company["id"]),
        "contact": company["defaultContact"],
        "parentAgreement": records.agreement_ref(parent["id"]) if parent else None,
        "startDate": day_text(starts),
        "billStartDate": day_text(starts),
        "oneTimeFlag": once,
        "billOneTimeFlag": once,
        "billingCycle": records.cycles.reference(records.cycles.named("One Time" if once else cycle), "name"),
        "billingTerms": records.terms.reference(records.terms.named(terms), "name"),
        "billToCompany": records.company_ref((bill_to or company)["id"]),
        "billToContact": (bill_to or company)["defaultContact"],
        "billAmount": amount,
        "taxable": tax_code != "Exempt",
        "taxCode": _tax_ref(records, tax_code),
        "customFields": custom,
        **fields,
    }
    return records.agreements.insert(row, by=OFFICE)


def add_addition(records: Records, agreement: Row, product: str, **fields: Any) -> Row:
    """`fields` are fields of an addition; `starts` and `ends` (inclusive) are dates."""
    starts, ends = fields.pop("starts", None), fields.pop("ends", None)
    row = {
        "product": records.product_ref(product),
        "quantity": Decimal(1),
        "lessIncluded": ZERO,
        "unitPrice": ZERO,
        "unitCost": ZERO,
        "billCustomer": "Billable",
        "effectiveDate": day_text(starts or agreement["startDate"]),
        "cancelledDate": day_text(ends) if ends else None,
        "taxableFlag": agreement["taxable"],
        "invoiceDescription": product,
        "purchaseItemFlag": False,
        "specialOrderFlag": False,
        "agreementId": agreement["id"],
        "description": product,
        "uom": "Each",
        "sequenceNumber": Decimal(len(records.additions.of(agreement["id"])) + 1),
        "prorateCost": ZERO,
        "proratePrice": ZERO,
        "extendedProrateCost": ZERO,
        "extendedProratePrice": ZERO,
        "prorateCurrentPeriodFlag": False,
        "agreementStatus": "Active",
        **fields,
    }
    return records.additions.insert(priced(row), by=OFFICE)


def _company(records: Records, name: str, email: str, custom: Row) -> Row:
    identifier = "".join(letter for letter in name.title() if letter.isalnum())[:25]
    return {
        "identifier": identifier,
        "name": name,
        "status": {"id": 1, "name": "Active", "_info": {}},
        "addressLine1": f"{100 + len(records.companies.rows)} Main Street",
        "city": "Tampa",
        "state": "FL",
        "zip": "33602",
        "country": {"id": 1, "name": "United States", "_info": {}},
        "phoneNumber": "8135550100",
        "territory": {"id": 2, "name": "Tampa", "_info": {}},
        "leadFlag": False,
        "invoiceToEmailAddress": email or None,
        "deletedFlag": False,
        "isVendorFlag": False,
        "currency": currency_ref(),
        "customFields": records.custom_fields(**custom),
    }


def _contact(records: Records, company: Row, name: str, email: str) -> Row:
    first, _, last = name.partition(" ")
    item = {
        "id": company["id"],
        "type": {"id": 1, "name": "Email", "_info": {}},
        "value": email,
        "defaultFlag": True,
        "domain": email.rpartition("@")[2],
        "communicationType": "Email",
    }
    return {
        "firstName": first,
        "lastName": last,
        "company": records.company_ref(company["id"]),
        "inactiveFlag": False,
        "defaultFlag": True,
        "defaultBillingFlag": True,
        "communicationItems": [item] if email else [],
        "types": [],
    }


def _tax_ref(records: Records, tax_code: str) -> Row:
    row = records.tax_codes.named(tax_code)
    return {**records.tax_codes.reference(row), "name": row["identifier"]}


def _agreement_defaults() -> Row:
    return {
        "site": {"id": 1, "name": "Main Office", "_info": {}},
        "customerPO": "",
        "location": {"id": 2, "name": "Tampa", "_info": {}},
        "department": {"id": 10, "identifier": "Services", "name": "Professional Services", "_info": {}},
        "restrictLocationFlag": False,
        "restrictDepartmentFlag": False,
        "noEndingDateFlag": True,
        "cancelledFlag": False,
        "reasonCancelled": "",
        "workOrder": "",
        "internalNotes": "",
        "applicationUnits": "Hours",
        "applicationLimit": ZERO,
        "applicationCycle": "CalendarMonth",
        "applicationUnlimitedFlag": True,
        "coverAgreementTime": True,
        "coverAgreementProduct": False,
        "coverAgreementExpense": False,
        "coverSalesTax": False,
        "carryOverUnused": False,
        "allowOverruns": False,
        "expireWhenZero": False,
        "chargeToFirm": False,
        "employeeCompRate": "Actual",
        "employeeCompNotExceed": "Billing",
        "compHourlyRate": ZERO,
        "compLimitAmount": ZERO,
        "invoicingCycle": "ContractYear",
        "prorateFirstBill": ZERO,
        "restrictDownPayment": True,
        "prorateFlag": False,
        "invoiceProratedAdditionsFlag": False,
        "topComment": False,
        "bottomComment": False,
        "billTime": "Billable",
        "billExpenses": "Billable",
        "billProducts": "Billable",
        "billableTimeInvoice": False,
        "billableExpenseInvoice": False,
        "billableProductInvoice": False,
        "currency": currency_ref(),
        "periodType": "Current",
        "autoInvoiceFlag": False,
        "billZeroAmountFlag": False,
        "agreementStatus": "Active",
    }
