"""A month's invoices to the cent, each worked out by hand beside it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from adapters.sandbox.connectwise import ConnectWise
from adapters.sandbox.connectwise.tables import Row
from adapters.sandbox.office import Office
from adapters.sandbox.world import World


@pytest.fixture
def world() -> World:
    world = World(start=datetime(2026, 1, 1, 12, tzinfo=UTC))
    world.add(ConnectWise(world))
    office = Office(world)
    office.automatic = False
    world.add(office)
    return world


def act(world: World, action: str, /, **kwargs: Any) -> Any:
    return world.partners["office"].actions[action](**kwargs)  # type: ignore[attr-defined]


def invoices(world: World) -> list[Row]:
    return list(world.state()["connectwise"]["invoices"])


def agreement(world: World, starts: str = "2026-01-01", **fields: Any) -> int:
    company = act(world, "add_company", name=f"Customer {len(invoices(world))}", email="billing@customer.example")
    return int(act(world, "add_agreement", company=company, name="Managed Services", starts=starts, **fields))


def add(world: World, to: int, price: str, *, quantity: str = "1", starts: str = "2026-01-01", **fields: Any) -> int:
    return int(
        act(world, "add_addition", agreement=to, product="Service", unitPrice=price, quantity=quantity, starts=starts, **fields)
    )


def bill(world: World, through: str, **kwargs: Any) -> list[tuple[Decimal, Decimal, Decimal]]:
    """Subtotal, tax and total of what is invoiced now."""
    made = act(world, "create_invoices", through=through, **kwargs)
    rows = {row["id"]: row for row in invoices(world)}
    return [(rows[m["id"]]["subtotal"], rows[m["id"]]["salesTax"], rows[m["id"]]["total"]) for m in made]


def money(*amounts: str) -> tuple[Decimal, ...]:
    return tuple(Decimal(amount) for amount in amounts)


def test_a_month_is_its_base_and_its_billable_lines_and_tax(world: World) -> None:
    unit = agreement(world, amount="250.00")
    add(world, unit, "45.00", quantity="58", lessIncluded="5")  # 53 x 45.00 = 2385.00
    add(world, unit, "0.0450", quantity="1234.75")  # 55.56375 -> 55.56
    add(world, unit, "12.333333", quantity="7.5")  # 92.4999975 -> 92.50
    add(world, unit, "26.40", quantity="17", taxableFlag=False)  # 448.80
    add(world, unit, "-75.00")
    add(world, unit, "89.00", billCustomer="NoCharge")
    add(world, unit, "3.25", quantity="37", billCustomer="DoNotBill")
    # 250.00 + 2385.00 + 55.56 + 92.50 + 448.80 - 75.00 = 3156.86; taxable 2708.06 x 7.25 % = 196.33435 -> 196.33

    assert bill(world, "2026-01-01") == [money("3156.86", "196.33", "3353.19")]


def test_a_bundled_child_is_on_its_parents_invoice(world: World) -> None:
    parent = agreement(world, amount="100.00")
    company = invoices(world) or world.state()["connectwise"]["companies"][0]["id"]
    child = act(world, "add_agreement", company=company, name="Backup", starts="2026-01-01", parent=parent, amount="20.00")
    add(world, child, "4.50", quantity="10")

    assert bill(world, "2026-01-31") == [money("165.00", "11.96", "176.96")]  # 165.00 x 7.25 % = 11.9625
    assert invoices(world)[0]["agreement"]["id"] == parent
    assert invoices(world)[0]["applyToId"] == parent


def test_a_line_that_begins_inside_a_month_is_billed_by_days_on_the_next_invoice(world: World) -> None:
    unit = agreement(world, amount="100.00", tax_code="Exempt", prorateFlag=True)
    first = bill(world, "2026-01-01")
    add(world, unit, "30.00", quantity="2", starts="2026-01-21")  # 60.00 x 11 / 31 = 21.290... -> 21.29
    second, third = bill(world, "2026-02-01"), bill(world, "2026-03-01")

    assert first == [money("100.00", "0.00", "100.00")]
    assert second == [money("181.29", "0.00", "181.29")]  # 100.00 + 60.00 + 21.29
    assert third == [money("160.00", "0.00", "160.00")]


def test_a_line_that_ends_inside_a_month_is_credited_by_days_on_the_next_invoice(world: World) -> None:
    unit = agreement(world, amount="100.00", tax_code="Exempt", prorateFlag=True)
    line = add(world, unit, "62.00", starts="2025-12-01")
    first = bill(world, "2026-01-01")
    act(world, "cancel_addition", addition=line, on="2026-01-10")  # 62.00 x 21 / 31 = 42.00 unused
    second, third = bill(world, "2026-02-01"), bill(world, "2026-03-01")

    assert first == [money("162.00", "0.00", "162.00")]
    assert second == [money("58.00", "0.00", "58.00")]
    assert third == [money("100.00", "0.00", "100.00")]


def test_an_agreement_that_does_not_prorate_bills_whole_months(world: World) -> None:
    unit = agreement(world, tax_code="Exempt")
    old = add(world, unit, "62.00")
    bill(world, "2026-01-01")
    act(world, "cancel_addition", addition=old, on="2026-01-10")
    add(world, unit, "60.00", starts="2026-01-21")

    assert bill(world, "2026-02-01") == [money("60.00", "0.00", "60.00")]


def test_a_last_day_on_the_first_is_still_billed(world: World) -> None:
    unit = agreement(world, tax_code="Exempt", amount="1.00")
    add(world, unit, "62.00", starts="2025-12-01", ends="2026-02-01")

    assert [row[0] for row in bill(world, "2026-03-01")] == [Decimal("63.00"), Decimal("63.00"), Decimal("1.00")]


def test_a_line_within_one_month_is_billed_once_in_full(world: World) -> None:
    unit = agreement(world, tax_code="Exempt", amount="10.00", prorateFlag=True)
    bill(world, "2026-01-01")
    add(world, unit, "500.00", starts="2026-01-15", ends="2026-01-15")  # entered after January was invoiced
    add(world, unit, "70.00", starts="2026-02-05", ends="2026-02-20")

    assert [row[0] for row in bill(world, "2026-03-01")] == [Decimal("580.00"), Decimal("10.00")]


def test_the_first_bills_amount_stands_in_for_the_base_only(world: World) -> None:
    unit = agreement(world, tax_code="Exempt", amount="310.00", prorateFirstBill="155.00")
    add(world, unit, "20.00")

    assert [row[0] for row in bill(world, "2026-02-01")] == [Decimal("175.00"), Decimal("330.00")]


def test_a_line_entered_late_is_made_up_for_where_the_agreement_prorates(world: World) -> None:
    unit = agreement(world, tax_code="Exempt", amount="10.00", prorateFlag=True)
    bill(world, "2026-01-01")
    world.advance_days(14)
    add(world, unit, "25.00", starts="2026-01-01")

    assert [row[0] for row in bill(world, "2026-03-01")] == [Decimal("60.00"), Decimal("35.00")]


def test_an_addition_billed_at_once_is_not_billed_again_for_that_month(world: World) -> None:
    unit = agreement(world, tax_code="Exempt", amount="10.00", prorateFlag=True)
    bill(world, "2026-01-01")
    world.advance_days(15)
    line = add(world, unit, "31.00", starts="2026-01-16")
    now = act(world, "bill_addition_now", addition=line)

    assert now["total"] == Decimal("16.00")  # 16 of 31 days
    assert [row[0] for row in bill(world, "2026-02-01")] == [Decimal("41.00")]


@pytest.mark.parametrize(
    ("starts", "cycle", "dates"),
    [
        ("2026-01-31", "Monthly", ["2026-01-31", "2026-02-28", "2026-03-31"]),
        ("2026-01-15", "Monthly", ["2026-01-15", "2026-02-15", "2026-03-15"]),
        ("2025-11-30", "Quarterly in advance", ["2025-11-30", "2026-02-28"]),
        ("2025-03-01", "Annual", ["2025-03-01", "2026-03-01"]),
        ("2025-09-01", "Semi-Annual", ["2025-09-01", "2026-03-01"]),
        ("2026-03-18", "Fortnightly", ["2026-03-18"]),
        ("2026-01-01", "Every two months", ["2026-01-01", "2026-03-01"]),
    ],
)
def test_every_cycle_bills_on_its_own_days(world: World, starts: str, cycle: str, dates: list[str]) -> None:
    agreement(world, starts, amount="10.00", cycle=cycle)
    bill(world, "2026-03-31")

    assert [row["date"][:10] for row in invoices(world)] == dates


def test_a_block_is_billed_once(world: World) -> None:
    agreement(world, "2026-01-10", type="Block Time - One time", amount="10000.00", tax_code="Exempt")

    assert bill(world, "2027-01-01") == [money("10000.00", "0.00", "10000.00")]
    assert bill(world, "2028-01-01") == []


def test_nothing_is_billed_after_the_last_day(world: World) -> None:
    ended, cancelled = agreement(world, amount="10.00"), agreement(world, amount="20.00")
    act(world, "end_agreement", agreement=ended, on="2026-01-31")
    act(world, "cancel_agreement", agreement=cancelled, on="2026-02-28")
    bill(world, "2026-06-01")

    assert [(row["applyToId"], row["date"][:10]) for row in invoices(world)] == [
        (ended, "2026-01-01"),
        (cancelled, "2026-01-01"),
        (cancelled, "2026-02-01"),
    ]


@pytest.mark.parametrize(
    ("terms", "kwargs", "due"),
    [
        ("Net 15", {}, "2026-01-16"),
        ("Net 30", {}, "2026-01-31"),
        ("Due on receipt", {}, "2026-01-01"),
        ("Net 30", {"dated": "2025-12-20"}, "2026-01-19"),
        ("Net 30", {"due_days": 5}, "2026-01-06"),
    ],
)
def test_an_invoice_is_due_by_its_terms(world: World, terms: str, kwargs: dict[str, Any], due: str) -> None:
    agreement(world, amount="10.00", terms=terms)
    bill(world, "2026-01-01", **kwargs)

    assert invoices(world)[0]["dueDate"] == f"{due}T00:00:00Z"


def test_a_deleted_invoice_is_made_again_under_a_new_id_and_number(world: World) -> None:
    unit = agreement(world, amount="10.00", prorateFlag=True)
    bill(world, "2026-01-01")
    add(world, unit, "31.00", starts="2026-01-16")
    before = bill(world, "2026-02-01")
    old = invoices(world)[1]
    act(world, "record_payment", invoice=old["id"], amount="5")
    act(world, "delete_invoice", invoice=old["invoiceNumber"])
    again = bill(world, "2026-02-01")
    new = invoices(world)[1]

    assert again == before
    assert (new["id"], new["invoiceNumber"]) == (old["id"] + 1, str(int(old["invoiceNumber"]) + 1))
    assert new["payments"] == 0


def test_a_period_that_comes_to_nothing_has_no_invoice(world: World) -> None:
    agreement(world)

    assert bill(world, "2026-01-01") == []
    assert world.state()["connectwise"]["recaps"][0]["nextInvoiceDate"] == "2026-02-01T00:00:00Z"


def test_a_period_written_off_is_not_invoiced(world: World) -> None:
    unit = agreement(world, amount="10.00")
    act(world, "cancel_period", agreement=unit)
    bill(world, "2026-02-01")

    assert [row["date"][:10] for row in invoices(world)] == ["2026-02-01"]


def test_the_recap_tells_what_comes_next_and_what_came_last(world: World) -> None:
    unit = agreement(world, amount="10.00", tax_code="Exempt")
    add(world, unit, "5.00", starts="2026-02-01")
    bill(world, "2026-01-01")
    world.advance(datetime(2026, 3, 5, tzinfo=UTC))
    recap = world.state()["connectwise"]["recaps"][0]

    assert (recap["nextInvoiceAmount"], recap["nextInvoiceDate"][:10]) == (Decimal("15.00"), "2026-02-01")
    assert (recap["lastInvoiceAmount"], recap["lastInvoiceDate"][:10]) == ("10.00", "2026-01-01")
    assert recap["unbilledPeriods"] == 2


def test_an_agreement_says_expired_after_its_last_day(world: World) -> None:
    unit = agreement(world, amount="10.00")
    act(world, "end_agreement", agreement=unit, on=date(2026, 1, 31))
    before = world.state()["connectwise"]["agreements"][0]["agreementStatus"]
    world.advance(datetime(2026, 2, 1, tzinfo=UTC))

    assert before == "Active"
    assert world.state()["connectwise"]["agreements"][0]["agreementStatus"] == "Expired"
