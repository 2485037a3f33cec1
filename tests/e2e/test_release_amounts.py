"""Each charge at Stripe is its ConnectWise invoice, to the cent, whatever the agreement is made of."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.model.money import total
from tests.e2e.charging import at_stripe, bills, debits, expected, notes, only, subscriptions
from tests.e2e.msp import Msp, cents, msp

SPECIAL = {101: "many lines", 102: "odd lines", 103: "bundle", 105: "other payer", 107: "prorates", 111: "the 15th", 112: "31st"}


@pytest.fixture(scope="module")
def quarter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Msp]:
    """The twelve seeded agreements, everybody enrolled, lived until April."""
    with msp(tmp_path_factory.mktemp("quarter"), agreements=12) as m:
        m.cycle()
        m.enrol()
        m.cycle(1)
        for day in ("2026-01-16", "2026-02-02", "2026-02-17", "2026-03-04", "2026-03-17", "2026-04-02"):
            m.to(day)
            m.cycle(1)
        yield m


@pytest.mark.parametrize("agreement", SPECIAL, ids=SPECIAL.values())
def test_what_fell_due_was_debited_once_and_is_the_invoice_to_the_cent(quarter: Msp, agreement: int) -> None:
    due = {bill["dueDate"][:10] for bill in bills(quarter, agreement) if bill["dueDate"][:10] <= "2026-04-02"}
    found = {charge: amounts for charge, amounts in debits(quarter).items() if charge.startswith(f"connectwise:{agreement}/")}

    assert len(found) == len(due) >= 2
    assert found.items() <= expected(quarter, agreement).items()


def test_a_quarterly_agreement_is_debited_once_a_quarter(quarter: Msp) -> None:
    found = {charge: amounts for charge, amounts in debits(quarter).items() if charge.startswith("connectwise:109/")}

    assert found == {"connectwise:109/2026-02-01": [cents(only(bills(quarter, 109))["total"])]}


def test_a_month_end_agreement_is_debited_on_the_31st_28th_and_31st_again(quarter: Msp) -> None:
    dated = [bill["date"][:10] for bill in bills(quarter, 112)]
    drafted = sorted(row.id for row in quarter.charges() if row.unit == "connectwise:112")

    assert dated == ["2026-01-31", "2026-02-28", "2026-03-31"]
    assert drafted == [f"connectwise:112/{day}" for day in dated]


def test_nobody_but_the_opted_in_with_a_recurring_agreement_has_anything_at_stripe(quarter: Msp) -> None:
    """106 is a block billed once, 108 cancelled, 110's payer not opted in; 104 is on its parent's invoice."""
    units = {subscription["metadata"]["unit"] for subscription in subscriptions(quarter, ended=True)}

    assert units == {f"connectwise:{id}" for id in (101, 102, 103, 105, 107, 109, 111, 112)}
    assert {notes(invoice)["unit"] for invoice in at_stripe(quarter)} == units
    assert bills(quarter, 110)


def test_more_lines_than_stripe_takes_are_rolled_up_by_tax_treatment(quarter: Msp) -> None:
    subscription = only(subscriptions(quarter, 101))
    items = [row for row in quarter.stripe("subscription_item") if row["subscription"] == subscription["id"]]

    assert [row["metadata"]["item"] for row in items] == ["rollup:taxable"]


def test_the_breakdown_of_a_rolled_up_charge_keeps_every_line_and_sums_to_the_debit(quarter: Msp) -> None:
    for charge in quarter.charges():
        if charge.unit == "connectwise:101" and charge.released_at is not None:
            lines = [line for line in charge.breakdown if line.kind == "line"]

            assert len(lines) == 26
            assert total((line.amount for line in charge.breakdown), "USD").minor == debits(quarter)[charge.id][0]


def test_every_breakdown_sums_to_what_was_debited(quarter: Msp) -> None:
    released = [charge for charge in quarter.charges() if charge.released_at is not None]

    assert len(released) >= 15
    for charge in released:
        assert [total((line.amount for line in charge.breakdown), "USD").minor] == debits(quarter)[charge.id]


def test_a_bundle_is_one_debit_of_parent_and_child(quarter: Msp) -> None:
    charge = quarter.charge("connectwise:103/2026-02-01")
    sources = {line.source.partition("/")[0] for line in charge.breakdown if line.kind in ("base", "line")}

    assert sources == {"connectwise:103", "connectwise:104"}
    assert not [key for key in debits(quarter) if key.startswith("connectwise:104")]


def test_the_bill_to_company_pays_for_the_company_served(quarter: Msp) -> None:
    customer = only(subscriptions(quarter, 105))["customer"]
    payer = only([row for row in quarter.stripe("customer") if row["id"] == customer])

    assert payer["name"] == bills(quarter, 105)[0]["billToCompany"]["name"] == "Evergreen Orthopedics"


def test_nothing_is_held_or_unexplained_after_a_quarter(quarter: Msp) -> None:
    assert quarter.holds() == []
    assert not [line for charge in quarter.charges() for line in charge.breakdown if line.kind == "unexplained"]


# One line of each kind, worked out by hand


def charged_for(folder: Path, addition: dict[str, Any], **agreement: Any) -> tuple[int, int]:
    """February of a flat 500.00 with one more line: the debit and ConnectWise's total, in cents."""
    with msp(folder, agreements=0) as m:
        company = m.act("office.add_company", name="Contoso Dental", email="ap@contoso.example", Autopay="Yes")
        fields = {"starts": "2026-02-01", "terms": "Due on receipt", "amount": "500.00", "tax_code": "Exempt", **agreement}
        id = m.act("office.add_agreement", company=company, name="Managed Services", **fields)
        m.act("office.add_addition", agreement=id, product="Server care", **{"starts": "2026-02-01", **addition})
        m.cycle(1)
        m.enrol()
        m.cycle(1)
        m.to("2026-02-02")
        m.cycle(1)
        return only(debits(m)[f"connectwise:{id}/2026-02-01"]), cents(only(bills(m, id))["total"])


@pytest.mark.parametrize(
    ("addition", "amount"),
    [
        pytest.param({"quantity": "3", "unitPrice": "149.00"}, "947.00", id="plain"),
        pytest.param({"quantity": "7.5", "unitPrice": "12.333333"}, "592.50", id="fractional quantity and price"),
        pytest.param({"quantity": "1234.75", "unitPrice": "0.045"}, "555.56", id="a price below a cent"),
        pytest.param({"quantity": "8", "lessIncluded": "1", "unitPrice": "10.00"}, "570.00", id="what is included is not billed"),
        pytest.param({"quantity": "5", "lessIncluded": "5", "unitPrice": "10.00"}, "500.00", id="all of it is included"),
        pytest.param({"quantity": "2", "unitPrice": "99.00", "billCustomer": "NoCharge"}, "500.00", id="no charge"),
        pytest.param({"quantity": "2", "unitPrice": "99.00", "billCustomer": "DoNotBill"}, "500.00", id="do not bill"),
        pytest.param({"quantity": "1", "unitPrice": "-75.00"}, "425.00", id="discount"),
        pytest.param({"quantity": "0", "unitPrice": "75.00"}, "500.00", id="quantity nought"),
        pytest.param({"quantity": "1", "unitPrice": "80.00", "ends": "2026-02-28"}, "580.00", id="one-off of this period"),
        pytest.param({"quantity": "1", "unitPrice": "80.00", "ends": "2026-02-01"}, "580.00", id="one-off of one day"),
        pytest.param({"quantity": "1", "unitPrice": "80.00", "starts": "2026-03-01"}, "500.00", id="not yet"),
    ],
)
def test_a_line_is_charged_as_connectwise_bills_it(tmp_path: Path, addition: dict[str, Any], amount: str) -> None:
    charged, invoiced = charged_for(tmp_path, addition)

    assert charged == invoiced == cents(Decimal(amount))


def test_the_psas_tax_is_charged_as_it_rounded_it(tmp_path: Path) -> None:
    charged, invoiced = charged_for(tmp_path, {"quantity": "3", "unitPrice": "33.33"}, tax_code="FL-7.25")

    assert charged == invoiced == 59999 + 4350


def test_a_line_that_began_in_the_middle_of_the_last_period_is_charged_as_connectwise_prorates_it(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up(prorateFlag=True)
        m.to("2026-02-02")
        m.cycle(1)
        m.act("office.add_addition", agreement=id, product="Server care", quantity="1", unitPrice="280.00", starts="2026-02-15")
        m.cycle(1)
        m.to("2026-03-02")
        m.cycle(1)

        assert debits(m) == expected(m, id)
        assert debits(m)[f"connectwise:{id}/2026-03-01"] == [50000 + 28000 + 14000]  # 14 of 28 days
        assert "proration" in {line.kind for line in m.charge(f"connectwise:{id}/2026-03-01").breakdown}


def test_a_credit_for_a_line_that_ended_early_lowers_the_next_charge(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up(prorateFlag=True)
        care = {"product": "Server care", "quantity": "1", "unitPrice": "310.00", "starts": "2026-02-01"}
        line = m.act("office.add_addition", agreement=id, **care)
        for day in ("2026-02-02", "2026-03-02"):
            m.to(day)
            m.cycle(1)
        m.act("office.cancel_addition", addition=line, on="2026-03-14")
        m.cycle(1)
        m.to("2026-04-02")
        m.cycle(1)

        assert debits(m) == expected(m, id)
        assert debits(m)[f"connectwise:{id}/2026-04-01"] == [50000 - 17000]  # 17 of 31 days


def test_an_agreement_whose_discount_eats_the_bill_up_is_not_debited(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up(billZeroAmountFlag=True)
        m.act("office.add_addition", agreement=id, product="Server care", quantity="1", unitPrice="-500.00", starts="2026-02-01")
        m.cycle(1)
        m.to("2026-02-02")
        m.cycle()

        assert cents(only(bills(m, id))["total"]) == 0
        assert debits(m) == {}
        assert [(i["total"], i["amount_paid"]) for i in at_stripe(m)] == [(0, 0)]
        assert not m.stripe("payment_intent")
