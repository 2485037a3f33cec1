"""The people of the sandbox: their working day, what they enter, and the seeded year they start from."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from adapters.sandbox.office import Office
from adapters.sandbox.seed import MANY_LINES, build_world
from adapters.sandbox.wire import Request
from adapters.sandbox.world import World


def office(world: World) -> Office:
    found = world.partners["office"]
    assert isinstance(found, Office)
    return found


def rows(world: World, table: str) -> list[dict[str, Any]]:
    return list(world.state()["connectwise"][table])


def books(world: World, kind: str) -> list[dict[str, Any]]:
    return list(world.state()["quickbooks"][kind])


def dates(world: World, agreement: int, since: str = "2026-01-05") -> list[str]:
    found = (row["date"][:10] for row in rows(world, "invoices") if row["applyToId"] == agreement)
    return [day for day in found if day >= since]


@pytest.fixture
def world() -> World:
    return build_world(partners=("connectwise", "quickbooks", "office"))


# Their working day


def test_invoices_are_made_on_the_morning_of_the_bill_date(world: World) -> None:
    world.advance(datetime(2026, 2, 1, 12, 59, tzinfo=UTC))
    before = dates(world, 101)
    world.advance(datetime(2026, 2, 1, 13, 0, tzinfo=UTC))  # 08:00 in New York
    made = [row for row in rows(world, "invoices") if row["applyToId"] == 101][-1]

    assert before == []
    assert (made["date"], made["_info"]["dateEntered"]) == ("2026-02-01T00:00:00Z", "2026-02-01T13:00:00Z")


def test_the_morning_is_local_also_in_summer(world: World) -> None:
    world.advance(datetime(2026, 4, 1, 12, 0, tzinfo=UTC))

    assert dates(world, 101) == ["2026-02-01", "2026-03-01", "2026-04-01"]


def test_invoices_may_be_made_days_ahead(world: World) -> None:
    office(world).days_ahead = 20
    world.advance(datetime(2026, 1, 12, 14, tzinfo=UTC))

    assert dates(world, 101) == ["2026-02-01"]


def test_an_office_on_holiday_makes_no_invoices_until_it_is_back(world: World) -> None:
    office(world).set_automatic(False)
    world.advance(datetime(2026, 2, 10, 9, tzinfo=UTC))
    away = dates(world, 101)
    office(world).set_automatic(True)
    world.advance(datetime(2026, 2, 10, 14, tzinfo=UTC))

    assert away == []
    assert dates(world, 101) == ["2026-02-01"]


def test_the_night_copies_new_invoices_into_the_books(world: World) -> None:
    world.advance(datetime(2026, 2, 1, 20, tzinfo=UTC))
    invoice = [row for row in rows(world, "invoices") if row["applyToId"] == 105][-1]
    before = [row["DocNumber"] for row in books(world, "Invoice")]
    world.advance(datetime(2026, 2, 2, 8, tzinfo=UTC))
    copied = [row for row in books(world, "Invoice") if row["DocNumber"] == invoice["invoiceNumber"]]

    assert invoice["invoiceNumber"] not in before
    assert [(row["TotalAmt"], row["DueDate"], row["CustomerRef"]["name"]) for row in copied] == [
        (Decimal("1638.74"), "2026-02-16", "Evergreen Orthopedics")
    ]


def test_an_exported_invoice_is_closed_though_nobody_paid_it(world: World) -> None:
    world.advance(datetime(2026, 2, 3, tzinfo=UTC))
    invoice = [row for row in rows(world, "invoices") if row["applyToId"] == 101][-1]

    assert invoice["status"]["isClosed"] is True
    assert invoice["balance"] == invoice["total"]


def test_a_deleted_invoice_leaves_the_books_and_comes_back_under_another_number(world: World) -> None:
    world.advance(datetime(2026, 2, 3, tzinfo=UTC))
    old = [row for row in rows(world, "invoices") if row["applyToId"] == 101][-1]
    office(world).delete_invoice(old["id"])
    world.advance(datetime(2026, 2, 5, tzinfo=UTC))
    new = [row for row in rows(world, "invoices") if row["applyToId"] == 101][-1]
    numbers = [row["DocNumber"] for row in books(world, "Invoice")]

    assert new["id"] != old["id"]
    assert new["total"] == old["total"]
    assert old["invoiceNumber"] not in numbers
    assert new["invoiceNumber"] in numbers


# What they enter


def test_a_cheque_lowers_the_balance(world: World) -> None:
    world.advance(datetime(2026, 2, 1, 14, tzinfo=UTC))
    invoice = [row for row in rows(world, "invoices") if row["applyToId"] == 105][-1]
    payment = office(world).record_payment(invoice["invoiceNumber"], "1000.00", "2026-02-01")
    after = next(row for row in rows(world, "invoices") if row["id"] == invoice["id"])

    assert (payment["appliedBy"], payment["paymentDate"]) == ("Admin1", "2026-02-01T00:00:00Z")
    assert (after["payments"], after["balance"]) == (Decimal("1000.00"), Decimal("638.74"))


def test_a_credit_memo_counts_as_credit_and_not_as_payment(world: World) -> None:
    world.advance(datetime(2026, 2, 1, 14, tzinfo=UTC))
    invoice = [row for row in rows(world, "invoices") if row["applyToId"] == 105][-1]
    memo = office(world).create_credit_memo(invoice["id"], "38.74")
    after = {row["id"]: row for row in rows(world, "invoices")}

    assert (after[invoice["id"]]["payments"], after[invoice["id"]]["credits"]) == (0, Decimal("38.74"))
    assert after[invoice["id"]]["balance"] == Decimal("1600.00")
    assert (after[memo["id"]]["type"], after[memo["id"]]["balance"]) == ("CreditMemo", 0)


def test_work_billed_by_the_hour_may_be_applied_to_an_agreement(world: World) -> None:
    made = office(world).create_other_invoice("Cedar Foods", "312.50", agreement=103, dated="2026-01-20")
    invoice = next(row for row in rows(world, "invoices") if row["id"] == made["id"])

    assert (invoice["type"], invoice["applyToType"], invoice["applyToId"]) == ("Standard", "Agreement", 103)
    assert (invoice["agreementAmount"], invoice["balance"]) == (0, Decimal("312.50"))


def test_a_renewal_goes_on_under_a_new_id(world: World) -> None:
    new = office(world).renew_agreement(103, "2026-03-01")
    world.advance(datetime(2026, 4, 2, tzinfo=UTC))
    old, renewed = (next(row for row in rows(world, "agreements") if row["id"] == id) for id in (103, new))

    assert (old["endDate"], old["agreementStatus"]) == ("2026-02-28T00:00:00Z", "Expired")
    assert (renewed["name"], renewed["company"], renewed["type"]) == (old["name"], old["company"], old["type"])
    assert (dates(world, 103), dates(world, new)) == (["2026-02-01"], ["2026-03-01", "2026-04-01"])


def test_a_price_change_reaches_the_next_invoice(world: World) -> None:
    line = next(row for row in rows(world, "additions") if row["agreementId"] == 105)
    office(world).change_price(line["id"], "50.00")
    world.advance(datetime(2026, 2, 1, 14, tzinfo=UTC))
    invoice = [row for row in rows(world, "invoices") if row["applyToId"] == 105][-1]

    assert invoice["subtotal"] == Decimal("1527.96") + line["quantity"] * 5


def test_a_custom_field_is_set_and_emptied(world: World) -> None:
    office(world).set_custom_field("companies", 20, "Autopay", "No")
    company = next(row for row in rows(world, "companies") if row["id"] == 20)

    assert {field["caption"]: field.get("value") for field in company["customFields"]} == {"Autopay": "No", "Autopay Link": None}
    with pytest.raises(KeyError, match="no custom field 'Autopya'"):
        office(world).set_custom_field("companies", 20, "Autopya", "No")


def test_what_is_deleted_is_gone_without_a_trace(world: World) -> None:
    line = next(row["id"] for row in rows(world, "additions") if row["agreementId"] == 105)
    office(world).delete_addition(line)
    office(world).delete_agreement(109)
    world.advance(datetime(2026, 2, 2, tzinfo=UTC))

    assert line not in {row["id"] for row in rows(world, "additions")}
    assert 109 not in {row["id"] for row in rows(world, "agreements")} | {row["id"] for row in rows(world, "recaps")}
    assert dates(world, 109, since="2025-01-01") == ["2025-08-01", "2025-11-01"]
    with pytest.raises(ValueError, match="has bundled agreements"):
        office(world).delete_agreement(103)


def test_a_merged_company_leaves_its_agreements_to_the_other(world: World) -> None:
    office(world).merge_companies("Cedar Foods", "Evergreen Orthopedics")
    agreement = next(row for row in rows(world, "agreements") if row["id"] == 105)

    assert (agreement["company"]["name"], agreement["billToCompany"]["name"]) == ("Delta Pediatrics", "Cedar Foods")
    assert "Evergreen Orthopedics" not in {row["name"] for row in rows(world, "companies")}


def test_a_cycle_that_no_document_names_bills_once(world: World) -> None:
    cycle = office(world).add_billing_cycle("Every three years", "Triennial")
    office(world).set_field("agreements", 105, "billingCycle", {"id": cycle, "name": "Every three years"})
    world.advance(datetime(2026, 4, 2, tzinfo=UTC))

    assert dates(world, 105) == []


def test_an_agreement_without_bill_to_company_is_billed_to_its_own(world: World) -> None:
    office(world).set_field("agreements", 105, "billToCompany", None)
    world.advance(datetime(2026, 2, 2, tzinfo=UTC))

    assert [row["billToCompany"]["name"] for row in rows(world, "invoices") if row["applyToId"] == 105][-1] == "Delta Pediatrics"


def test_an_invoice_that_is_not_there_cannot_be_paid(world: World) -> None:
    with pytest.raises(KeyError, match="there is no invoice '99'"):
        office(world).record_payment("99", 1)


def test_the_office_answers_no_requests(world: World) -> None:
    assert world.handle("office", Request(method="GET", path="/")).status == 404


# The seeded year


def test_the_same_seed_makes_the_same_world() -> None:
    first, second, other = (build_world(seed=seed, agreements=30, lines=6) for seed in (7, 7, 8))

    assert first.state()["connectwise"] == second.state()["connectwise"]
    assert first.state()["connectwise"] != other.state()["connectwise"]


def test_the_past_is_invoiced_and_paid_in_psa_and_books(world: World) -> None:
    assert world.now == datetime(2026, 1, 5, 9, tzinfo=UTC)
    assert {row["balance"] for row in rows(world, "invoices")} == {Decimal(0)}
    assert {row["Balance"] for row in books(world, "Invoice")} == {Decimal(0)}
    assert {row["DocNumber"] for row in books(world, "Invoice")} == {row["invoiceNumber"] for row in rows(world, "invoices")}
    assert {row["unbilledPeriods"] for row in rows(world, "recaps")} == {0}


def test_twelve_agreements_hold_every_special_case(world: World) -> None:
    agreements, additions = rows(world, "agreements"), rows(world, "additions")
    counts = [sum(1 for row in additions if row["agreementId"] == agreement["id"]) for agreement in agreements]

    assert max(counts) == MANY_LINES
    assert {row["billCustomer"] for row in additions} == {"Billable", "NoCharge", "DoNotBill"}
    assert [row["id"] for row in agreements if "parentAgreement" in row] == [104]
    assert [row["id"] for row in agreements if row["billToCompany"]["id"] != row["company"]["id"]] == [105]
    assert [row["id"] for row in agreements if row["billOneTimeFlag"]] == [106]
    assert [row["id"] for row in agreements if row["agreementStatus"] == "Cancelled"] == [108]
    assert {row["billStartDate"][8:10] for row in agreements} == {"01", "10", "15", "31"}
    assert {row["billingCycle"]["name"] for row in agreements} == {"Monthly", "Quarterly in advance", "Annual", "One Time"}
    assert {row["billingTerms"]["name"] for row in agreements} == {"Net 15", "Net 30", "Due on receipt"}
    assert any(row["extPrice"] < 0 for row in additions)
    assert any(row["lessIncluded"] > 0 for row in additions)
    assert any(row["quantity"] % 1 and row["unitPrice"] * 100 % 1 for row in additions)
    assert any(row["effectiveDate"] > "2026-01-05" for row in additions)
    assert any("cancelledDate" in row and row["cancelledDate"] < "2026" for row in additions)


@pytest.mark.parametrize("count", [0, 1, 5, 13])
def test_any_number_of_agreements_can_be_had(count: int) -> None:
    world = build_world(agreements=count, lines=1, partners=("connectwise", "office"))

    assert len(rows(world, "agreements")) == count
    assert len({row["name"] for row in rows(world, "companies")}) == len(rows(world, "companies"))


@pytest.mark.parametrize("month", range(1, 13))
def test_the_year_may_start_in_any_month(month: int) -> None:
    world = build_world(start=datetime(2026, month, 20, 9, tzinfo=UTC), partners=("connectwise", "office"))
    world.advance_days(45)

    assert len(rows(world, "agreements")) == 12
    assert {row["unbilledPeriods"] for row in rows(world, "recaps")} == {0}
