"""The PSA computes tax, and its tax alone is charged; what the gateway would add by itself is taken off, or holds the charge."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.model.charge import BreakdownLine, Charge
from tests.e2e.charging import at_stripe, bills, debits, hold_names, only, subscriptions
from tests.e2e.msp import Msp, cents, msp


def kinds(charge: Charge) -> dict[str, int]:
    """What the breakdown comes to, by kind, in cents."""
    found: dict[str, int] = {}
    for line in charge.breakdown:
        found[line.kind] = found.get(line.kind, 0) + line.amount.minor
    return found


def tax_lines(charge: Charge) -> list[BreakdownLine]:
    return [line for line in charge.breakdown if line.kind == "tax"]


def released(m: Msp) -> Charge:
    m.to("2026-02-02")
    m.cycle()
    return only(m.charges())


def taxed_in_part(m: Msp) -> int:
    """A taxable flat amount, one taxable and one exempt line, whose tax the PSA rounds line by line."""
    id = m.sign_up(tax_code="FL-7.25", amount="33.33")
    for product, price, taxed in (("Server care", "66.67", True), ("Backup", "19.99", False)):
        m.act("office.add_addition", agreement=id, product=product, unitPrice=price, starts="2026-02-01", taxableFlag=taxed)
    m.cycle()
    return id


def test_connectwises_tax_is_one_line_of_the_charge_and_exempt_lines_bear_none(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = taxed_in_part(m)
        charge = released(m)
        bill = only(bills(m, id))

        assert cents(bill["salesTax"]) > 0
        assert [(line.amount.minor, line.source) for line in tax_lines(charge)] == [
            (cents(bill["salesTax"]), f"invoice {bill['invoiceNumber']}")
        ]
        assert kinds(charge).get("true_up", 0) == 0
        assert debits(m)[charge.id] == [cents(bill["total"])] == [sum(kinds(charge).values())]


def test_an_exempt_agreement_has_no_tax_line(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        m.sign_up()
        charge = released(m)

        assert tax_lines(charge) == []
        assert debits(m)[charge.id] == [50000]


def test_prices_with_the_tax_inside_are_charged_as_the_invoice_says_and_the_difference_is_shown(tmp_path: Path) -> None:
    """ConnectWise's agreement says 107.25; its invoice splits that into 100.00 and 7.25 of tax."""
    with msp(tmp_path, agreements=0, books=None) as m:
        id = m.sign_up(amount="107.25", terms="Net 15")
        m.to("2026-02-02")
        m.cycle()
        bill = only(bills(m, id))
        for name, value in (("subtotal", "100.00"), ("salesTax", "7.25"), ("total", "107.25")):
            m.act("office.set_field", record="invoices", id=bill["id"], field=name, value=float(Decimal(value)))
        m.to("2026-02-17")
        m.cycle()

        charge = only(m.charges())
        assert debits(m)[charge.id] == [10725]
        assert (kinds(charge)["tax"], kinds(charge)["true_up"]) == (725, -725)


def test_autotasks_tax_is_one_line_of_the_charge(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, psa="autotask", books=None) as m:
        id = m.sign_up_in_autotask(price="33.33")
        for name, taxed in (("Server care", True), ("Backup", False)):
            service = m.act("office.add_service", name=name, price="66.67", taxed=taxed)
            m.act("office.sell", contract=id, product=service)
        m.cycle()
        charge = released(m)
        bill = only([row for row in m.psa_invoices() if str(row["id"]) == charge.psa_invoice])

        assert cents(bill["totalTaxValue"]) > 0
        assert [line.amount.minor for line in tax_lines(charge)] == [cents(bill["totalTaxValue"])]
        assert kinds(charge).get("true_up", 0) == 0
        assert debits(m)[charge.id] == [cents(bill["invoiceTotal"])]


def test_tax_that_somebody_switched_on_at_the_gateway_is_switched_off_on_the_draft(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        id = taxed_in_part(m)
        m.act("stripe.set_tax", subscription=only(subscriptions(m))["id"], percent="8.25")
        charge = released(m)
        invoice = only(at_stripe(m))

        assert debits(m)[charge.id] == [cents(only(bills(m, id))["total"])]
        assert invoice["total_taxes"] == []
        assert invoice["automatic_tax"]["enabled"] is False
        assert m.holds() == []


def test_a_tax_rate_on_the_subscriptions_items_holds_the_charge_until_a_person_takes_it_off(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        m.sign_up()
        m.act("stripe.set_tax", subscription=only(subscriptions(m))["id"], percent="8.25", how="items")
        charge = released(m)

        assert hold_names(m) == ["refused"]
        assert "41.25 USD of tax" in only(m.holds()).message
        assert debits(m) == {}
        assert charge.released_at is None


@pytest.mark.parametrize("rounding", ["0.005", "0.015"])
def test_a_tax_of_half_a_cent_is_charged_as_the_psa_rounded_it(tmp_path: Path, rounding: str) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        price = Decimal(rounding) / Decimal("0.0725") + 100
        id = m.sign_up(tax_code="FL-7.25", amount=str(price.quantize(Decimal("0.01"))))
        charge = released(m)
        bill: dict[str, Any] = only(bills(m, id))

        assert kinds(charge)["tax"] == cents(bill["salesTax"])
        assert debits(m)[charge.id] == [cents(bill["total"])]
