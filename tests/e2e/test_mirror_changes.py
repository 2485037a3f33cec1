"""An agreement changes in ConnectWise: the subscription follows, the next charge follows, nothing is prorated at Stripe."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.charging import at_stripe, bills, debits, expected, only, subscriptions
from tests.e2e.msp import Msp, cents, msp


def amount(m: Msp, agreement: int) -> int:
    """What the subscription's items come to, in cents."""
    subscription = only(subscriptions(m, agreement))
    items = [row for row in m.stripe("subscription_item") if row["subscription"] == subscription["id"]]
    return sum(row["price"]["unit_amount"] * row["quantity"] for row in items)


def no_proration(m: Msp) -> bool:
    lines = [line for invoice in m.stripe("invoice") for line in invoice["lines"]["data"]]
    items = [row for row in m.stripe("invoiceitem") if row.get("proration")]
    return not items and not [x for x in lines if (x["parent"].get("subscription_item_details") or {}).get("proration")]


def with_line(m: Msp, **line: str) -> tuple[int, int]:
    id = m.sign_up()
    fields = {"product": "Managed workstation", "quantity": "10", "unitPrice": "45.00", "starts": "2026-02-01", **line}
    addition = m.act("office.add_addition", agreement=id, **fields)
    m.cycle(1)
    m.to("2026-02-02")
    m.cycle(1)
    return id, addition


def test_more_of_a_line_is_charged_from_the_next_period_on(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id, line = with_line(m)
        m.act("office.change_quantity", addition=line, quantity="12")
        m.to("2026-02-10")
        m.cycle(1)
        assert amount(m, id) == 50000 + 12 * 4500
        m.to("2026-03-02")
        m.cycle(1)

        assert [cents(bill["total"]) for bill in bills(m, id)] == [95000, 104000]
        assert debits(m) == expected(m, id)
        assert no_proration(m)


def test_a_quantity_change_alone_makes_no_new_price_at_stripe(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        _, line = with_line(m)
        prices = len(m.stripe("price"))
        m.act("office.change_quantity", addition=line, quantity="12")
        m.cycle()

        assert len(m.stripe("price")) == prices


def test_another_price_is_charged_from_the_next_period_on(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id, line = with_line(m)
        m.act("office.change_price", addition=line, price="50.00")
        m.to("2026-03-02")
        m.cycle(1)

        assert [cents(bill["total"]) for bill in bills(m, id)] == [95000, 100000]
        assert debits(m) == expected(m, id)
        assert no_proration(m)


def test_a_price_that_goes_up_and_down_again_and_up_ends_as_it_should(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id, line = with_line(m)
        for price, wanted in (("50.00", 100000), ("45.00", 95000), ("50.00", 100000), ("45.00", 95000), ("50.00", 100000)):
            m.world.advance_days(0.01)
            m.act("office.change_price", addition=line, price=price)
            m.cycle(1)

            assert amount(m, id) == wanted


def test_a_cancelled_addition_leaves_the_next_charge(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id, line = with_line(m)
        m.act("office.cancel_addition", addition=line, on="2026-02-28")
        m.cycle(1)
        assert amount(m, id) == 50000
        m.to("2026-03-02")
        m.cycle(1)

        assert [cents(bill["total"]) for bill in bills(m, id)] == [95000, 50000]
        assert debits(m) == expected(m, id)
        assert no_proration(m)


def test_a_deleted_addition_leaves_the_next_charge(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id, line = with_line(m)
        m.act("office.delete_addition", addition=line)
        m.to("2026-03-02")
        m.cycle(1)

        assert debits(m) == expected(m, id)
        assert amount(m, id) == 50000


def test_a_future_dated_addition_is_charged_when_its_day_comes_without_any_edit(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id, _ = with_line(m, starts="2026-03-01")
        assert amount(m, id) == 95000  # the next period's
        for day in ("2026-02-20", "2026-03-02"):
            m.to(day)
            m.cycle(1)

        assert [cents(bill["total"]) for bill in bills(m, id)] == [50000, 95000]
        assert debits(m) == expected(m, id)


def test_an_addition_dated_two_periods_ahead_is_in_no_charge_before(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id, _ = with_line(m, starts="2026-04-01")
        for day in ("2026-03-02", "2026-04-02"):
            m.to(day)
            m.cycle(1)

        assert [cents(bill["total"]) for bill in bills(m, id)] == [50000, 50000, 95000]
        assert debits(m) == expected(m, id)


def test_a_change_between_the_draft_and_the_release_is_not_missed(tmp_path: Path) -> None:
    """The office corrects the addition, deletes the invoice and makes it again while the charge waits for its due date."""
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up(terms="Net 15")
        line = m.act("office.add_addition", agreement=id, product="Server care", unitPrice="149.00", starts="2026-02-01")
        m.to("2026-02-02")
        m.cycle(1)
        m.act("office.change_quantity", addition=line, quantity="3")
        m.act("office.delete_invoice", invoice=only(bills(m, id))["id"])
        m.to("2026-02-05")
        m.cycle(1)
        m.act("office.create_invoices", through="2026-02-01")
        m.to("2026-02-17")
        m.cycle(1)

        assert debits(m) == expected(m, id) == {f"connectwise:{id}/2026-02-01": [50000 + 3 * 14900]}


def test_a_line_added_with_more_than_twenty_there_rolls_the_subscription_up(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up()
        for number in range(19):
            m.act("office.add_addition", agreement=id, product=f"Server care {number}", unitPrice="10.00", starts="2026-02-01")
        m.cycle(1)
        m.to("2026-02-02")
        m.cycle(1)
        items = [len(m.stripe("subscription_item"))]
        for number in range(2):
            m.act("office.add_addition", agreement=id, product=f"Firewall {number}", unitPrice="20.00", starts="2026-03-01")
        m.to("2026-03-02")
        m.cycle(1)

        items.append(len([r for r in m.stripe("subscription_item") if r["subscription"] == only(subscriptions(m, id))["id"]]))
        assert items == [20, 1]
        assert debits(m) == expected(m, id)
        assert amount(m, id) == 50000 + 19000 + 4000
        assert no_proration(m)


def test_a_new_name_of_the_agreement_reaches_stripe_and_moves_no_money(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id, _ = with_line(m)
        m.act("office.set_field", record="agreements", id=id, field="name", value="Managed Services Plus")
        m.cycle()

        assert only(subscriptions(m, id))["description"] == "Managed Services Plus for Contoso Dental"
        assert amount(m, id) == 95000
        assert len(at_stripe(m)) == 1


def test_another_cycle_ends_the_subscription_and_makes_one_of_the_new_cycle(tmp_path: Path) -> None:
    """From monthly to quarterly: what was billed stays, no period is charged twice."""
    with msp(tmp_path, agreements=0) as m:
        id, _ = with_line(m)
        (quarterly,) = [c for c in m.world.partners["connectwise"].state()["cycles"] if c["billingOptions"] == "Quarterly"]
        m.act("office.set_field", record="agreements", id=id, field="billingCycle", value={"id": quarterly["id"], "name": "Q"})
        m.cycle()
        assert len(subscriptions(m, id)) == 2  # the old one until the first of March
        for day in ("2026-03-05", "2026-05-02"):
            m.to(day)
            m.cycle(1)

        item = next(r for r in m.stripe("subscription_item") if r["subscription"] == only(subscriptions(m, id))["id"])
        assert item["price"]["recurring"]["interval_count"] == 3
        assert [bill["date"][:10] for bill in bills(m, id)] == ["2026-02-01", "2026-05-01"]
        assert debits(m) == expected(m, id)


def test_another_payer_ends_the_subscription_and_makes_one_for_the_new_payer(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id, _ = with_line(m)
        company = m.act("office.add_company", name="Fabrikam Holding", email="ap@fabrikam.example", Autopay="Yes")
        for field in ("company", "billToCompany"):
            m.act("office.set_field", record="agreements", id=id, field=field, value={"id": company, "name": "Fabrikam Holding"})
        m.cycle()
        m.enrol()
        m.cycle(1)
        m.to("2026-03-02")
        m.cycle(1)

        customers = {row["id"]: row["name"] for row in m.stripe("customer")}
        paid = {customers[i["customer"]]: i["total"] for i in at_stripe(m, "open", "paid")}
        assert paid == {"Contoso Dental": 95000, "Fabrikam Holding": 95000}
        assert customers[only(subscriptions(m, id))["customer"]] == "Fabrikam Holding"
        assert debits(m) == expected(m, id)
