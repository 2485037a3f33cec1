"""ConnectWise's bodies, as recorded or published, in our words."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.connectwise import ADAPTER, translate, wire
from adapters.connectwise.client import chunked, tidy
from adapters.connectwise.translate import Problem, Related
from connector.errors import Rejected
from connector.mapping import FieldMapping, load_mapping
from connector.model.agreement import Agreement, AgreementLine, AgreementRef, LineBilling
from connector.model.invoice import PsaInvoiceKind
from connector.model.money import Money
from connector.model.period import Cycle

SHIPPED = Path(__file__).resolve().parents[2] / "mappings" / "connectwise.yaml"
TODAY = date(2026, 3, 10)

# Recorded in a vendor's sandbox in 2019, anonymised; the payer is added.
AGREEMENT: dict[str, Any] = {
    "id": 1578,
    "name": "Master Services Agreement",
    "type": {"id": 14, "name": "Managed Services"},
    "company": {"id": 19303, "identifier": "AA", "name": "Acme Associates"},
    "startDate": "2019-09-24T00:00:00Z",
    "noEndingDateFlag": True,
    "cancelledFlag": False,
    "applicationLimit": Decimal("0.0"),
    "billingCycle": {"id": 2, "name": "Monthly"},
    "billOneTimeFlag": False,
    "invoicingCycle": "ContractYear",
    "billToCompany": {"id": 8, "name": "Acme Holding"},
}
COMPANY: dict[str, Any] = {
    "id": 8,
    "name": "Acme Holding ",
    "invoiceToEmailAddress": "ap@acme.example; cfo@acme.example",
    "customFields": [
        {"id": 13, "caption": "Autopay", "type": "Text", "entryMethod": "List", "numberOfDecimals": 0, "value": "Yes"},
    ],
}
CYCLE: dict[str, Any] = {"id": 2, "name": "Monthly", "billingOptions": "Monthly"}

# Published with its additions: 8 of them, 1 included, 7 x 10.00 are billed.
ADDITION: dict[str, Any] = {
    "id": 10,
    "product": {"id": 40, "identifier": "Backup"},
    "quantity": Decimal("8.00"),
    "lessIncluded": Decimal("1.00"),
    "unitPrice": Decimal("10.000000"),
    "unitCost": Decimal("3.00"),
    "billCustomer": "Billable",
    "effectiveDate": "2014-05-12T00:00:00Z",
    "taxableFlag": True,
    "billedQuantity": Decimal("7.00"),
    "extPrice": Decimal("70.00"),
    "extCost": Decimal("24.00"),
    "margin": Decimal("46.00"),
}

# Derived from the published document: balance = total - payments - credits, and the status does not matter.
INVOICE: dict[str, Any] = {
    "id": 206,
    "invoiceNumber": "197",
    "type": "Agreement",
    "status": {"id": 3, "name": "Closed", "isClosed": True},
    "company": {"id": 9, "name": "Angry Fox, Co."},
    "billToCompany": {"id": 8, "name": "Acme Holding"},
    "applyToType": "Agreement",
    "applyToId": 2,
    "agreement": {"id": 2, "name": "Managed Services", "type": "Managed Service"},
    "date": "2026-03-01T00:00:00Z",
    "dueDate": "2026-03-11T00:00:00Z",
    "subtotal": Decimal("415.0"),
    "salesTax": Decimal("29.0"),
    "total": Decimal("444.0"),
    "payments": Decimal("350.0"),
    "credits": Decimal("0.0"),
    "balance": Decimal("94.0"),
    "currency": {"id": 1, "symbol": "$", "currencyCode": "USD"},
}


@pytest.fixture
def mapping() -> FieldMapping:
    assert ADAPTER.mapping is not None
    return load_mapping(SHIPPED, ADAPTER.mapping)


def record(**changes: Any) -> dict[str, Any]:
    given = {name: value for name, value in {**AGREEMENT, **changes}.items() if value is not None}
    return translate.full_record(given, Related(agreements={}, companies={8: COMPANY}, cycles={2: CYCLE}))


def header(mapping: FieldMapping, **changes: Any) -> Agreement:
    return translate.header(record(**changes), mapping, "USD")


def line(mapping: FieldMapping, **changes: Any) -> AgreementLine:
    (found,) = lines(mapping, **changes)
    return found


def lines(mapping: FieldMapping, **changes: Any) -> tuple[AgreementLine, ...]:
    given = {name: value for name, value in {**ADDITION, **changes}.items() if value is not None}
    return translate.lines(header(mapping), record(), [given], mapping, TODAY)


def test_a_recorded_agreement(mapping: FieldMapping) -> None:
    found = header(mapping)

    assert (found.ref, found.name) == (AgreementRef(psa="connectwise", id="1578"), "Master Services Agreement")
    assert (found.company_name, found.kind, found.group) == ("Acme Associates", "Managed Services", "1578")
    assert (found.payer.id, found.payer.name, found.payer.email) == ("8", "Acme Holding", "ap@acme.example")
    assert (found.cycle, found.anchor, found.starts, found.ends) == (Cycle.MONTHLY, date(2019, 9, 24), date(2019, 9, 24), None)
    assert (found.base, found.base_tax_treatment, found.collect) == (Money(0, "USD"), "exempt", True)


def test_the_day_on_which_billing_starts_counts_not_the_day_of_the_contract(mapping: FieldMapping) -> None:
    found = header(mapping, billStartDate="2019-10-01T00:00:00Z")

    assert (found.anchor, found.starts) == (date(2019, 10, 1), date(2019, 10, 1))


@pytest.mark.parametrize(
    ("changes", "ends"),
    [
        ({"endDate": "2026-12-31T00:00:00Z", "noEndingDateFlag": False}, date(2027, 1, 1)),
        ({"endDate": "2026-12-31T00:00:00Z", "noEndingDateFlag": True}, None),
        ({"cancelledFlag": True, "dateCancelled": "2026-03-31T00:00:00Z"}, date(2026, 4, 1)),
        ({"cancelledFlag": False, "dateCancelled": "2026-03-31T00:00:00Z"}, None),
        (
            {
                "endDate": "2026-12-31T00:00:00Z",
                "noEndingDateFlag": False,
                "cancelledFlag": True,
                "dateCancelled": "2026-03-31T00:00:00Z",
            },
            date(2026, 4, 1),
        ),
    ],
)
def test_the_end_is_the_day_after_the_last_one(mapping: FieldMapping, changes: dict[str, Any], ends: date | None) -> None:
    assert header(mapping, **changes).ends == ends


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ({}, True),
        ({"agreementStatus": "Active"}, True),
        ({"agreementStatus": "Inactive"}, False),
        ({"billOneTimeFlag": True}, False),
        ({"cancelledFlag": True}, False),
        ({"cancelledFlag": True, "dateCancelled": "2026-03-31T00:00:00Z"}, True),
    ],
)
def test_which_agreements_are_taken(mapping: FieldMapping, changes: dict[str, Any], taken: bool) -> None:
    assert translate.takes(record(**changes), mapping) is taken


def test_a_cycle_that_does_not_recur_is_not_taken(mapping: FieldMapping) -> None:
    once = {**CYCLE, "billingOptions": "NotRecurring"}
    full = translate.full_record(AGREEMENT, Related(agreements={}, companies={8: COMPANY}, cycles={2: once}))

    assert translate.takes(full, mapping) is False


@pytest.mark.parametrize("currency", [{"id": 1, "currencyCode": "EUR"}, {"id": 4, "isoCode": "EUR"}])
def test_the_currency_has_two_names(mapping: FieldMapping, currency: dict[str, Any]) -> None:
    with pytest.raises(Problem) as caught:
        header(mapping, currency=currency)
    assert caught.value.reason == "unsupported_currency"


def test_a_published_addition_bills_what_exceeds_the_included_quantity(mapping: FieldMapping) -> None:
    found = line(mapping)

    assert (found.id, found.product, found.name) == ("10", "Backup", "Backup")
    assert (found.quantity, found.unit_price, found.amount) == (Decimal(7), Decimal(10), Money(7000, "USD"))
    assert (found.tax_treatment, found.billing) == ("taxable", LineBilling.BILLABLE)
    assert (found.starts, found.ends) == (date(2014, 5, 12), None)


def test_an_older_server_that_shows_no_billed_quantity(mapping: FieldMapping) -> None:
    assert line(mapping, billedQuantity=None, extPrice=None).amount == Money(7000, "USD")


@pytest.mark.parametrize(
    ("billed", "billing"),
    [("Billable", LineBilling.BILLABLE), ("NoCharge", LineBilling.NO_CHARGE), ("DoNotBill", LineBilling.DO_NOT_BILL)],
)
def test_how_a_line_is_billed(mapping: FieldMapping, billed: str, billing: LineBilling) -> None:
    assert line(mapping, billCustomer=billed).billing is billing


def test_negative_and_fractional_quantities_are_passed_on(mapping: FieldMapping) -> None:
    credit = line(mapping, quantity=Decimal("-2"), lessIncluded=None, extPrice=Decimal("-20.00"))
    part = line(mapping, quantity=Decimal("1.5"), lessIncluded=None, unitPrice=Decimal("0.333333"), extPrice=Decimal("0.50"))

    assert (credit.quantity, credit.amount.minor) == (Decimal(-2), -2000)
    assert (part.quantity, part.amount.minor) == (Decimal("1.5"), 50)


def test_a_difference_of_a_cent_is_said_with_both_amounts(mapping: FieldMapping) -> None:
    with pytest.raises(Problem, match=r"ConnectWise shows 69\.99 USD, but 7 x 10 is 70\.00 USD") as caught:
        line(mapping, extPrice=Decimal("69.99"))
    assert caught.value.reason == "amount_mismatch"


def test_a_line_that_is_over_may_be_wrong(mapping: FieldMapping) -> None:
    assert line(mapping, extPrice=Decimal("1"), cancelledDate="2026-02-28T00:00:00Z").ends == date(2026, 3, 1)


def test_a_line_that_was_over_long_ago_is_left_out(mapping: FieldMapping) -> None:
    assert lines(mapping, cancelledDate="2020-02-28T00:00:00Z") == ()


def test_a_quantity_that_is_no_number_names_the_addition(mapping: FieldMapping) -> None:
    with pytest.raises(Problem, match="addition 10: its quantity is not a number"):
        line(mapping, quantity="eight")


def test_a_half_paid_invoice_is_told_by_its_balance_not_by_its_status() -> None:
    found = translate.invoice(translate.read_invoice(INVOICE), "USD")

    assert (found.id, found.number, found.kind) == ("206", "197", PsaInvoiceKind.AGREEMENT)
    assert (found.dated, found.due_date) == (date(2026, 3, 1), date(2026, 3, 11))
    assert (found.total.minor, found.payments.minor, found.credits.minor, found.balance.minor) == (44400, 35000, 0, 9400)
    assert (found.subtotal.minor, found.tax.minor) == (41500, 2900)
    assert (found.payer, found.agreements) == ("connectwise:8", (AgreementRef(psa="connectwise", id="2"),))


@pytest.mark.parametrize(
    ("type", "kind"),
    [
        ("Agreement", PsaInvoiceKind.AGREEMENT),
        ("Consolidated", PsaInvoiceKind.AGREEMENT),
        ("CreditMemo", PsaInvoiceKind.CREDIT_MEMO),
        ("Standard", PsaInvoiceKind.OTHER),
        ("Progress", PsaInvoiceKind.OTHER),
        ("SomethingNew", PsaInvoiceKind.OTHER),
    ],
)
def test_a_type_that_is_not_known_is_never_taken_for_a_bill(type: str, kind: PsaInvoiceKind) -> None:
    assert translate.invoice(translate.read_invoice({**INVOICE, "type": type}), "USD").kind is kind


def test_fields_that_are_left_out_are_nothing() -> None:
    bare = {name: INVOICE[name] for name in ("id", "type", "date", "total", "company")}
    found = translate.invoice(translate.read_invoice(bare), "USD")

    assert (found.balance, found.subtotal, found.number, found.due_date) == (Money(44400, "USD"), Money(44400, "USD"), "", None)
    assert (found.payer, found.agreements) == ("connectwise:9", ())


def test_an_invoice_may_name_its_agreement_only_by_what_it_is_applied_to() -> None:
    found = translate.read_invoice({name: value for name, value in INVOICE.items() if name != "agreement"})

    assert translate.invoice(found, "USD").agreements == (AgreementRef(psa="connectwise", id="2"),)


@pytest.mark.parametrize("broken", [{"total": "much"}, {"total": None}, {"date": "yesterday"}, {"total": True}])
def test_an_invoice_that_cannot_be_calculated_with_is_named(broken: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match=r"invoice 197 \(id 206\)"):
        translate.read_invoice({**INVOICE, **broken})


def test_a_payment_that_applies_a_credit_memo_is_told_apart() -> None:
    payment = wire.Payment.model_validate({"id": 12, "amount": Decimal("94.0"), "credit": {"id": 300}, "appliedBy": "Admin1   "})

    assert (payment.credit, payment.payment_date) == ({"id": 300}, None)


def test_stray_characters_are_taken_out() -> None:
    assert tidy({"name": "Ac\u200bme\x00", "list": ["\ufeffx"], "n": 1}) == {"name": "Acme", "list": ["x"], "n": 1}


def test_lists_of_ids_are_cut_to_the_length_of_an_address() -> None:
    pieces = [list(piece) for piece in chunked(list(range(100_000, 101_000)))]

    assert [id for piece in pieces for id in piece] == list(range(100_000, 101_000))
    assert max(len("%2C".join(map(str, piece))) for piece in pieces) <= 1500
    assert list(chunked([])) == []
