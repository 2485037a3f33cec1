"""A month's units, billing items and invoices to the cent, each worked out by hand beside it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from adapters.sandbox.autotask import Autotask
from adapters.sandbox.autotask_office import AutotaskOffice
from adapters.sandbox.quickbooks import QuickBooks
from adapters.sandbox.world import World

Slice = tuple[str, str, int, Decimal]


@pytest.fixture
def world() -> World:
    world = World(start=datetime(2026, 1, 1, 15, tzinfo=UTC))
    world.add(Autotask(world))
    world.add(QuickBooks(world))
    office = AutotaskOffice(world)
    office.automatic = False
    world.add(office)
    return world


def act(world: World, action: str, /, **kwargs: Any) -> Any:
    return world.partners["office"].actions[action](**kwargs)  # type: ignore[attr-defined]


def rows(world: World, entity: str) -> list[dict[str, Any]]:
    return list(world.state()["autotask"][entity])


def contract(world: World, starts: str = "2026-01-01", company: str = "Customer", **fields: Any) -> int:
    if company not in {row["companyName"] for row in rows(world, "Companies")}:
        act(world, "add_company", name=company, email="billing@customer.example", **fields.pop("payer", {}))
    return int(act(world, "add_contract", company=company, name=f"Contract from {starts}", starts=starts, **fields))


def sell(world: World, to: int, price: str, *, units: int = 1, period_type: int = 2, taxed: bool = True, **fields: Any) -> int:
    service = act(world, "add_service", name=f"Service at {price}", price=price, period_type=period_type, taxed=taxed)
    return int(act(world, "sell", contract=to, product=service, units=units, **fields))


def slices(world: World, sold: int, year: str = "2026-0", entity: str = "ContractServiceUnits") -> list[Slice]:
    key = "contractServiceID" if entity == "ContractServiceUnits" else "contractServiceBundleID"
    found = [row for row in rows(world, entity) if row[key] == sold and row["startDate"].startswith(year)]
    return sorted((row["startDate"][:10], row["endDate"][:10], row["units"], row["price"]) for row in found)


def bill(world: World, through: str, **kwargs: Any) -> list[tuple[Decimal, Decimal]]:
    """Tax and total of what is invoiced now."""
    return [(made["tax"], made["total"]) for made in act(world, "create_invoices", through=through, **kwargs)]


def items(world: World, invoice: int | None = None) -> list[tuple[Decimal, Decimal]]:
    found = [row for row in rows(world, "BillingItems") if row["invoiceID"] == invoice]
    return [(row["extendedPrice"], row["taxDollars"]) for row in found]


def money(*amounts: str) -> tuple[Decimal, ...]:
    return tuple(Decimal(amount) for amount in amounts)


# Units


def test_there_is_a_row_for_every_period_of_the_contract_priced_as_a_whole(world: World) -> None:
    sold = sell(world, contract(world, ends="2026-04-30"), "23.10", units=11)

    assert slices(world, sold) == [
        ("2026-01-01", "2026-01-31", 11, Decimal("254.10")),
        ("2026-02-01", "2026-02-28", 11, Decimal("254.10")),
        ("2026-03-01", "2026-03-31", 11, Decimal("254.10")),
        ("2026-04-01", "2026-04-30", 11, Decimal("254.10")),
    ]


def test_a_tenant_may_show_the_price_of_one_unit(world: World) -> None:
    sold = sell(world, contract(world), "23.10", units=11)
    world.partners["autotask"].actions["set_price_is_extended"](extended=False)  # type: ignore[attr-defined]

    assert slices(world, sold, "2026-01") == [("2026-01-01", "2026-01-31", 11, Decimal("23.10"))]
    assert bill(world, "2026-01-01") == [money("17.79", "271.89")]  # 254.10 x 7 % = 17.787


@pytest.mark.parametrize(
    ("period_type", "periods"),
    [
        (2, [("2026-01-31", "2026-02-27"), ("2026-02-28", "2026-03-30"), ("2026-03-31", "2026-04-29")]),
        (3, [("2026-01-31", "2026-04-29"), ("2026-04-30", "2026-07-30"), ("2026-07-31", "2026-10-30")]),
        (4, [("2026-01-31", "2026-07-30"), ("2026-07-31", "2027-01-30")]),
        (5, [("2026-01-31", "2027-01-30")]),
    ],
)
def test_periods_are_whole_months_from_the_first_day_on(world: World, period_type: int, periods: list[tuple[str, str]]) -> None:
    sold = sell(world, contract(world, "2026-01-31"), "1", period_type=period_type)

    assert [found[:2] for found in slices(world, sold)][:3] == periods[:3]


def test_a_change_inside_a_period_splits_its_row_by_days(world: World) -> None:
    sold = sell(world, contract(world), "31.00", units=10)
    act(world, "adjust", sold=sold, units=4, on="2026-01-15")

    assert slices(world, sold, "2026-01") + slices(world, sold, "2026-02") == [
        ("2026-01-01", "2026-01-14", 10, Decimal("140.0000")),  # 310 x 14 / 31
        ("2026-01-15", "2026-01-31", 14, Decimal("238.0000")),  # 434 x 17 / 31
        ("2026-02-01", "2026-02-28", 14, Decimal("434.0000")),
    ]
    assert bill(world, "2026-01-01") == [money("26.46", "404.46")]  # 9.80 + 16.66


def test_two_changes_make_three_slices(world: World) -> None:
    sold = sell(world, contract(world), "31.00", units=10)
    act(world, "adjust", sold=sold, units=4, on="2026-01-15")
    act(world, "adjust", sold=sold, units=-14, on="2026-01-21", price="62.00")

    assert [(units, price) for *_, units, price in slices(world, sold, "2026-01")] == [
        (10, Decimal("140.0000")),
        (14, Decimal("84.0000")),  # 434 x 6 / 31
        (0, Decimal("0.0000")),
    ]


def test_after_posting_the_difference_is_a_row_of_its_own_and_another_invoice(world: World) -> None:
    sold = sell(world, contract(world), "31.00", units=10, taxed=False)
    first = bill(world, "2026-01-01")
    act(world, "adjust", sold=sold, units=4, on="2026-01-15")
    second = bill(world, "2026-01-15")
    act(world, "adjust", sold=sold, units=-2, on="2026-01-25")
    third = bill(world, "2026-01-25")

    assert slices(world, sold, "2026-01") == [
        ("2026-01-01", "2026-01-31", 10, Decimal("310.0000")),
        ("2026-01-15", "2026-01-31", 4, Decimal("68.0000")),  # 124 x 17 / 31
        ("2026-01-25", "2026-01-31", -2, Decimal("-14.0000")),  # 62 x 7 / 31
    ]
    assert (first, second, third) == ([money("0", "310.00")], [money("0", "68.00")], [money("0", "-14.00")])
    assert {row["units"] for row in rows(world, "ContractServiceUnits") if row["startDate"] > "2026-02"} == {12}


def test_a_new_price_waits_for_the_next_period_once_one_is_posted(world: World) -> None:
    sold = sell(world, contract(world), "31.00", units=10)
    act(world, "approve_and_post", through="2026-01-01")
    act(world, "adjust", sold=sold, price="35.00", on="2026-01-15")
    before = rows(world, "ContractServices")[0]["unitPrice"]
    world.advance(datetime(2026, 1, 15, 12, tzinfo=UTC))

    assert [price for *_, price in slices(world, sold)][:2] == [Decimal("310"), Decimal("350")]
    assert (before, rows(world, "ContractServices")[0]["unitPrice"]) == money("31.00", "35.00")


def test_a_bundle_is_one_row_at_its_own_price(world: World) -> None:
    unit = contract(world)
    members = [act(world, "add_service", name=name, price="20.00") for name in ("Desk", "Backup")]
    bundle = act(world, "add_bundle", name="Everything", price="31.50", services=members)
    sold = act(world, "sell", contract=unit, product=bundle, units=12, bundle=True)

    assert slices(world, sold, "2026-01", "ContractServiceBundleUnits") == [("2026-01-01", "2026-01-31", 12, Decimal("378.00"))]
    assert [row["serviceID"] for row in rows(world, "ServiceBundleServices")] == members
    assert rows(world, "ContractServiceUnits") == []
    assert bill(world, "2026-01-01") == [money("26.46", "404.46")]
    assert (rows(world, "BillingItems")[0]["serviceBundleID"], rows(world, "BillingItems")[0]["serviceID"]) == (bundle, None)


def test_a_contract_that_ends_inside_a_period_bills_its_days(world: World) -> None:
    unit = contract(world)
    sold = sell(world, unit, "28.00", units=2, taxed=False)
    bill(world, "2026-01-01")
    act(world, "end_contract", contract=unit, on="2026-02-14")

    assert slices(world, sold)[1:] == [("2026-02-01", "2026-02-14", 2, Decimal("28.0000"))]
    assert bill(world, "2026-03-01") == [money("0", "28.00")]
    assert rows(world, "Contracts")[0]["endDate"] == "2026-02-14T00:00:00Z"


def test_a_contract_that_runs_longer_gets_more_rows(world: World) -> None:
    unit = contract(world, ends="2026-01-31")
    sold = sell(world, unit, "28.00", units=2)
    act(world, "end_contract", contract=unit, on="2026-03-31")

    assert [found[:2] for found in slices(world, sold)] == [
        ("2026-01-01", "2026-01-31"),
        ("2026-02-01", "2026-02-28"),
        ("2026-03-01", "2026-03-31"),
    ]


@pytest.mark.parametrize("points_back", [True, False])
def test_a_renewal_goes_on_under_a_new_id(world: World, points_back: bool) -> None:
    old = contract(world)
    sell(world, old, "28.00", units=2)
    new = act(world, "renew_contract", contract=old, starts="2026-02-01", points_back=points_back)
    first, second = rows(world, "Contracts")
    units = [(row["contractID"], row["startDate"][:10]) for row in rows(world, "ContractServiceUnits")]

    assert (first["endDate"][:10], second["startDate"][:10], second["status"]) == ("2026-01-31", "2026-02-01", 1)
    assert (first["renewedContractID"], second["renewedContractID"]) == ((None, old) if points_back else (new, None))
    assert units[:2] == [(old, "2026-01-01"), (new, "2026-02-01")]


# Posting and invoices


def test_each_item_is_rounded_at_posting_and_the_invoice_adds_them_up(world: World) -> None:
    unit = contract(world)
    sell(world, unit, "0.0450", units=1235)  # 55.575 -> 55.58, tax 3.8906 -> 3.89
    sell(world, unit, "12.3333", units=29, taxed=False)  # 357.6657 -> 357.67
    sell(world, unit, "2.1525", units=33)  # 71.0325 -> 71.03, tax 4.9721 -> 4.97
    sell(world, unit, "-75.00")  # tax -5.25
    sell(world, unit, "3.25", units=0)
    made = act(world, "create_invoices", through="2026-01-01")
    invoice = rows(world, "Invoices")[0]
    # 55.58 + 357.67 + 71.03 - 75.00 = 409.28; tax 3.89 + 4.97 - 5.25 = 3.61

    assert items(world, made[0]["id"]) == [
        money("55.58", "3.89"),
        money("357.67", "0"),
        money("71.03", "4.97"),
        money("-75.00", "-5.25"),
        money("0", "0"),
    ]
    assert (invoice["totalTaxValue"], invoice["invoiceTotal"]) == money("3.61", "412.89")
    assert (invoice["fromDate"][:10], invoice["toDate"][:10], invoice["dueDate"][:10]) == (
        "2026-01-01",
        "2026-01-31",
        "2026-01-31",
    )
    assert [row["price"] for row in rows(world, "ContractServiceUnits")[:1]] == [Decimal("55.5750")]


def test_a_posted_period_is_not_posted_again(world: World) -> None:
    sell(world, contract(world), "10.00")
    first, again = bill(world, "2026-01-31"), bill(world, "2026-01-31")

    assert (first, again) == ([money("0.70", "10.70")], [])
    assert rows(world, "ContractServiceUnits")[0]["approveAndPostDate"] == "2026-01-01T15:00:00.000Z"
    assert rows(world, "ContractServiceUnits")[1]["approveAndPostDate"] is None


def test_the_bill_to_company_gets_the_invoice_its_terms_and_its_tax(world: World) -> None:
    act(world, "add_company", name="Parent", exempt=True, terms="Net 15")
    unit = contract(world, bill_to="Parent")
    sell(world, unit, "100.00")
    made = act(world, "create_invoices", through="2026-01-01")
    ids = {row["companyName"]: row["id"] for row in rows(world, "Companies")}
    invoiced, item = rows(world, "Invoices")[0]["companyID"], rows(world, "BillingItems")[0]["companyID"]

    assert (made[0]["total"], made[0]["tax"], made[0]["due"]) == (Decimal("100.00"), Decimal(0), "2026-01-16")
    assert (invoiced, item) == (ids["Parent"], ids["Customer"])


def test_contracts_of_one_group_share_an_invoice_and_others_do_not(world: World) -> None:
    group = {"Invoice Group": "Main"}
    grouped = [contract(world, udfs=group), contract(world, udfs=group)]
    alone = contract(world)
    for unit in (*grouped, alone):
        sell(world, unit, "100.00", taxed=False)
    made = act(world, "create_invoices", through="2026-01-01")

    assert [(found["contracts"], found["total"]) for found in made] == [(grouped, Decimal(200)), ([alone], Decimal(100))]


def test_contracts_named_together_share_an_invoice_too(world: World) -> None:
    units = [contract(world), contract(world)]
    for unit in units:
        sell(world, unit, "100.00", taxed=False)

    assert bill(world, "2026-01-01", contracts=units, together=True) == [money("0", "200.00")]


def test_other_work_joins_the_payers_invoice_and_belongs_to_no_contract(world: World) -> None:
    sell(world, contract(world), "100.00", taxed=False)
    act(world, "add_charge", company="Customer", amount="85.00", name="Cabling")
    made = act(world, "create_invoices", through="2026-01-01")
    found = {row["itemName"]: (row["contractID"], row["serviceID"]) for row in rows(world, "BillingItems")}

    assert [invoice["total"] for invoice in made] == [Decimal("190.95")]  # 100 + 85 + 5.95 tax
    assert found["Cabling"] == (None, None)


def test_a_credit_alone_is_a_negative_invoice(world: World) -> None:
    unit = contract(world)
    act(world, "add_charge", company="Customer", amount="-20.00", contract=unit, taxed=False)

    assert bill(world, "2026-01-01") == [money("0", "-20.00")]


def test_an_inactive_contract_posts_nothing_until_it_is_active_again(world: World) -> None:
    unit = contract(world)
    sell(world, unit, "10.00")
    act(world, "set_status", contract=unit, active=False)
    inactive = bill(world, "2026-01-31")
    act(world, "set_status", contract=unit, active=True)

    assert (inactive, bill(world, "2026-01-31")) == ([], [money("0.70", "10.70")])


def test_a_voided_invoice_keeps_its_amounts_and_its_items_are_invoiced_again(world: World) -> None:
    sell(world, contract(world), "100.00")
    first = act(world, "create_invoices", through="2026-01-01")[0]["id"]
    act(world, "void_invoice", invoice=first)
    waiting = items(world)
    second = act(world, "create_invoices", through="2026-01-01")[0]["id"]
    old, new = rows(world, "Invoices")

    assert waiting == [money("100.00", "0")]
    assert (old["isVoided"], old["voidedDate"][:10], old["invoiceTotal"]) == (True, "2026-01-01", Decimal("107.00"))
    assert (new["isVoided"], new["invoiceTotal"], items(world, second)) == (False, Decimal("107.00"), [money("100.00", "7.00")])
    assert items(world, first) == []
    assert old["invoiceNumber"] != new["invoiceNumber"]


def test_a_paid_date_set_by_hand_can_be_taken_back(world: World) -> None:
    sell(world, contract(world), "100.00")
    act(world, "create_invoices", through="2026-01-01")
    act(world, "set_paid", invoice="AT-10401", dated="2026-01-20")
    paid = rows(world, "Invoices")[0]["paidDate"]
    act(world, "clear_paid", invoice="AT-10401")

    assert (paid, rows(world, "Invoices")[0]["paidDate"]) == ("2026-01-20T00:00:00Z", None)


# The office's day


def booked(world: World) -> list[tuple[str, Decimal]]:
    company = world.partners["quickbooks"].state()
    return [(row["DocNumber"], Decimal(str(row["TotalAmt"]))) for row in company["Invoice"]]


def test_the_morning_invoices_what_is_due_and_the_night_copies_it_to_quickbooks(world: World) -> None:
    sell(world, contract(world), "100.00")
    act(world, "set_automatic", on=True)
    world.advance(datetime(2026, 1, 2, 12, tzinfo=UTC))
    morning = booked(world)
    world.advance(datetime(2026, 2, 2, 12, tzinfo=UTC))
    stamped = [row["webServiceDate"] for row in rows(world, "Invoices")]

    assert morning == []
    assert booked(world) == [("AT-10401", Decimal("107.00")), ("AT-10402", Decimal("107.00"))]
    assert stamped == ["2026-01-03T07:00:00.000Z", "2026-02-02T07:00:00.000Z"]


def test_a_voided_invoice_is_voided_in_quickbooks_and_one_without_a_number_goes_under_its_id(world: World) -> None:
    sell(world, contract(world), "100.00")
    made = act(world, "create_invoices", through="2026-01-01", numbered=False)
    act(world, "export")
    first = booked(world)
    act(world, "void_invoice", invoice=made[0]["id"])
    act(world, "create_invoices", through="2026-01-01")
    act(world, "export")

    assert rows(world, "Invoices")[0]["invoiceNumber"] is None
    assert first == [(str(made[0]["id"]), Decimal("107.00"))]
    assert booked(world) == [(str(made[0]["id"]), Decimal(0)), ("AT-10401", Decimal("107.00"))]
