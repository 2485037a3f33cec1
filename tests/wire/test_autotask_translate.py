"""Autotask's bodies, as published or recorded (copied here to the letter), in our words."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.autotask import ADAPTER, translate
from adapters.autotask.client import tidy
from adapters.autotask.lines import Problem
from adapters.autotask.translate import SERVICE, OnContract, Related
from connector.errors import Rejected
from connector.mapping import load_mapping
from connector.model.agreement import Agreement, AgreementRef
from connector.model.invoice import PsaInvoiceKind
from connector.model.money import Money
from connector.model.period import Cycle

SHIPPED = Path(__file__).resolve().parents[2] / "mappings" / "autotask.yaml"
TODAY = date(2026, 1, 5)

CONTRACT = """
{"id": 29684183, "userDefinedFields": "", "companyID": 174, "billingPreference": 2, "contractCategory": 15,
 "contractName": "Upstate Document Providers - Hosted SaaS", "contractNumber": "2343451", "contractPeriodType": "m",
 "contractType": 7, "isDefaultContract": true, "endDate": "2020-02-23T13:00:00Z", "estimatedCost": 0.0,
 "estimatedHours": 0.0, "estimatedRevenue": 5795.0, "setupFee": 995.0, "startDate": "2020-02-23T13:00:00Z", "status": 1,
 "timeReportingRequiresStartAndStopTimes": 1, "serviceLevelAgreementID": 1, "purchaseOrderNumber": "",
 "internalCurrencySetupFee": 995.0, "contractExclusionSetID": 1}
"""
COMPANY = """
{"id": 174, "userDefinedFields": [], "address1": "26 Tech Valley Drive", "address2": "Suite 2", "alternatePhone1": "",
 "city": "East Greenbush", "createDate": "2012-10-24T05:00:00.000Z", "lastActivityDate": "2012-06-18T13:15:47.000Z",
 "companyName": "Autotask Corporation", "companyNumber": "289843", "ownerResourceID": 29682885, "phone": "555-555-5566",
 "postalCode": 12061, "state": "NY", "territoryID": 29683453, "companyType": 7, "isActive": true, "taxID": "",
 "countryID": 237, "billToAddressToUse": 1, "billToZipCode": 12061, "currencyID": 1, "createdByResourceID": 29682885}
"""
CONTACT = """
{"id": 29683589, "companyID": 174, "emailAddress": "brobertson@autotaskdemo.com",
 "emailAddress2": "brobertson2@autotaskdemo.com", "firstName": "Mary", "isActive": 1,
 "lastActivityDate": "2012-05-25T15:14:29.033Z", "lastModifiedDate": "2015-06-10T13:22:29.877Z", "lastName": "Smith"}
"""
INVOICE = """
{"id": 7364, "batchID": 512, "comments": "", "companyID": 174, "createDateTime": "2026-03-01T06:12:44.117Z",
 "creatorResourceID": 29682885, "dueDate": "2026-03-31T00:00:00Z", "fromDate": "2026-03-01T00:00:00Z",
 "invoiceDateTime": "2026-03-01T00:00:00Z", "invoiceEditorTemplateID": 102, "invoiceNumber": "INV-10457",
 "invoiceStatus": 1, "invoiceTotal": 482.6, "isVoided": false, "orderNumber": "", "paidDate": null, "paymentTerm": 4,
 "taxGroup": null, "taxRegionName": "", "toDate": "2026-03-31T00:00:00Z", "totalTaxValue": 0.0,
 "voidedByResourceID": null, "voidedDate": null, "webServiceDate": null, "userDefinedFields": []}
"""
LABELS = {
    "contractType": {"7": "Recurring Service", "4": "Block Hours"},
    "contractCategory": {"15": "Other"},
    "contractPeriodType": {"2": "Monthly"},
    "status": {"0": "Inactive", "1": "Active"},
    "periodType": {"2": "Monthly", "3": "Quarterly", "4": "Semi-Annual", "5": "Yearly"},
}


def body(text: str, **changes: Any) -> dict[str, Any]:
    found = tidy(json.loads(text, parse_float=Decimal))
    assert isinstance(found, dict)
    return {**found, **changes}


def usd(amount: str) -> Money:
    return Money.from_major(Decimal(amount), "USD")


def related(**companies: Any) -> Related:
    rows = {174: body(COMPANY), **{row["id"]: row for row in companies.values()}}
    return Related(companies=rows, contacts={174: [body(CONTACT)]}, currencies={174: "USD"}, labels=LABELS)


def read(contract: dict[str, Any], *items: OnContract, among: Related | None = None) -> Agreement:
    assert ADAPTER.mapping is not None
    mapping, among = load_mapping(SHIPPED, ADAPTER.mapping), among or related()
    record = translate.full_record(contract, among)
    assert translate.takes(record, mapping)
    return translate.agreement(record, items, among, mapping, currency="USD", today=TODAY)


def on_contract(units: int, price: str, *, listed: str, service: int = 11, period_type: int = 2) -> OnContract:
    """A row for each month of the year."""
    rows = [
        {
            "id": service * 100 + month,
            "contractID": 29684183,
            "contractServiceID": service,
            "serviceID": service,
            "units": units,
            "price": Decimal(price),
            "startDate": f"2026-{month:02}-01T00:00:00Z",
            "endDate": f"2026-{month:02}-{(date(2026 + month // 12, month % 12 + 1, 1) - date(2026, month, 1)).days}T00:00:00Z",
            "approveAndPostDate": None,
        }
        for month in range(1, 13)
    ]
    record = {"id": service, "contractID": 29684183, "serviceID": service, "unitPrice": Decimal(listed)}
    product = {"id": service, "name": f"Service {service}", "periodType": period_type}
    return OnContract(kind=SERVICE, record=record, product=product, rows=tuple(rows))


def of_2026(**changes: Any) -> dict[str, Any]:
    return body(CONTRACT, startDate="2026-01-01T00:00:00Z", endDate="2026-12-31T00:00:00Z", **changes)


def test_a_published_contract_is_read() -> None:
    found = read(body(CONTRACT))

    assert (found.ref, found.name) == (AgreementRef(psa="autotask", id="29684183"), "Upstate Document Providers - Hosted SaaS")
    assert (found.starts, found.ends, found.cycle) == (date(2020, 2, 23), date(2020, 2, 24), Cycle.MONTHLY)
    assert (found.payer.name, found.payer.email) == ("Autotask Corporation", "brobertson@autotaskdemo.com")
    assert (found.kind, found.base, found.collect, found.lines) == ("Other", usd("0"), False, ())


def test_the_amounts_of_a_tenant_that_was_seen_add_up_to_its_bill() -> None:
    """482.60 a month; taken for prices of one unit, the same rows would come to far more."""
    sold = [("11", "254.10", "23.10"), ("1", "55.00", "55.00"), ("2", "89.00", "44.50"), ("3", "84.50", "28.1667")]
    items = [on_contract(int(n), price, listed=each, service=10 + i) for i, (n, price, each) in enumerate(sold)]

    found = read(of_2026(), *items)
    assert sum(line.amount.minor for line in found.lines) == usd("482.60").minor


def test_set_up_fees_and_estimates_are_no_part_of_the_recurring_amount() -> None:
    found = read(of_2026(), on_contract(11, "254.10", listed="23.10"))

    assert [line.amount for line in found.lines] == [usd("254.10")]
    assert found.base == usd("0")


@pytest.mark.parametrize("word", ["Yes", "yes", "TRUE"])
def test_the_opt_in_is_a_field_of_the_bill_to_company(word: str) -> None:
    payer = body(COMPANY, id=200, companyName="Payer", userDefinedFields=[{"name": "Autopay", "value": word}])

    found = read(of_2026(billToCompanyID=200), among=related(payer=payer))
    assert (found.collect, found.payer.id, found.company_name) == (True, "200", "Autotask Corporation")


def test_company_0_is_a_bill_to_company_like_any_other_to_the_translation() -> None:
    assert translate.payer_id({"companyID": 174, "billToCompanyID": 0}) == 0
    assert translate.payer_id({"companyID": 174, "billToCompanyID": None}) == 174


def test_a_bill_to_company_that_may_not_be_read_is_named() -> None:
    with pytest.raises(Problem, match="bill-to company 999") as caught:
        read_unfiltered(of_2026(billToCompanyID=999))
    assert caught.value.reason == "no_bill_to"


def read_unfiltered(contract: dict[str, Any]) -> Agreement:
    assert ADAPTER.mapping is not None
    mapping = load_mapping(SHIPPED, ADAPTER.mapping)
    record = translate.full_record(contract, related())
    return translate.agreement(record, [], related(), mapping, currency="USD", today=TODAY)


def test_equal_bodies_have_equal_snapshots_and_any_change_another() -> None:
    item, more = on_contract(11, "254.10", listed="23.10"), on_contract(12, "277.20", listed="23.10")

    assert read(of_2026(), item).snapshot == read(of_2026(), item).snapshot
    assert read(of_2026(), item).snapshot != read(of_2026(), more).snapshot
    assert read(of_2026(), item).snapshot != read(of_2026(contractName="Other"), item).snapshot


def test_a_date_that_is_none_is_told() -> None:
    with pytest.raises(Problem, match="startDate"):
        read(body(CONTRACT, startDate=None))


# Invoices


def invoice(*items: dict[str, Any], **changes: Any) -> Any:
    rows = [translate.read_item({"id": number, "invoiceID": 7364, **item}) for number, item in enumerate(items, start=1)]
    return translate.invoice(translate.read_invoice(body(INVOICE, **changes)), rows, "USD")


def test_an_open_invoice() -> None:
    found = invoice({"contractID": 29684183, "serviceID": 11, "totalAmount": Decimal("482.6")})

    assert (found.id, found.number, found.dated, found.due_date) == ("7364", "INV-10457", date(2026, 3, 1), date(2026, 3, 31))
    assert (found.total, found.tax, found.payments, found.balance) == (usd("482.60"), usd("0"), usd("0"), usd("482.60"))
    assert (found.kind, found.agreements) == (PsaInvoiceKind.AGREEMENT, (AgreementRef(psa="autotask", id="29684183"),))


def test_a_paid_date_means_paid_in_full() -> None:
    found = invoice(paidDate="2026-03-31T00:00:00Z")

    assert (found.payments, found.balance.minor) == (usd("482.60"), 0)


def test_a_voided_invoice_has_nothing_open() -> None:
    found = invoice(isVoided=True)

    assert (found.voided, found.balance.minor, found.payments.minor) == (True, 0, 0)


def test_without_a_recurring_service_it_is_no_periods_bill() -> None:
    assert invoice({"contractID": 1, "ticketID": 5, "totalAmount": 1}).kind is PsaInvoiceKind.OTHER
    assert invoice().kind is PsaInvoiceKind.OTHER
    assert invoice({"contractID": 1, "serviceBundleID": 31, "totalAmount": 1}).kind is PsaInvoiceKind.AGREEMENT


def test_an_invoice_below_zero_is_a_credit() -> None:
    found = invoice({"contractID": 1, "serviceID": 31, "totalAmount": -5}, invoiceTotal=Decimal("-5.00"))

    assert found.kind is PsaInvoiceKind.CREDIT_MEMO


def test_a_periods_bill_that_a_credit_took_below_zero_is_still_the_periods_bill() -> None:
    """Else the period would look as if nobody had billed it."""
    month, credit = {"contractID": 1, "serviceID": 31, "totalAmount": 500}, {"contractID": 1, "totalAmount": -600}
    found = invoice(month, credit, invoiceTotal=Decimal("-100.00"))

    assert (found.kind, found.balance) == (PsaInvoiceKind.AGREEMENT, usd("-100.00"))


def test_an_invoice_that_cannot_be_read_is_named() -> None:
    with pytest.raises(Rejected, match=r"invoice INV-10457 \(id 7364\).*invoiceTotal"):
        invoice(invoiceTotal="much")


# Renewals and labels


def test_the_later_contract_renews_the_earlier_whichever_names_the_other() -> None:
    old, new = {"id": 1, "startDate": "2025-01-01"}, {"id": 2, "startDate": "2026-01-01"}

    assert translate.renewals([old, {**new, "renewedContractID": 1}]) == {2: 1}
    assert translate.renewals([{**old, "renewedContractID": 2}, new]) == {2: 1}
    assert translate.renewals([{**old, "renewedContractID": 99}, {**new, "renewedContractID": 2}]) == {}


@pytest.mark.parametrize(("value", "word"), [(3, "Quarterly"), ("3", "Quarterly"), ("m", "Monthly"), (99, "99"), (None, None)])
def test_a_period_is_known_by_its_label_number_or_letter(value: object, word: str | None) -> None:
    assert translate.label(LABELS, "periodType", value) == word
