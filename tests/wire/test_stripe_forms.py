"""The parameters we send, as pure values; `test_stripe_requests` checks them against Stripe's document."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from adapters.stripe import forms, translate, wire
from connector.errors import Rejected
from connector.model.invoice import Adjustment, InvoiceLine
from connector.model.money import Money
from connector.model.period import Cycle
from connector.model.subscription import Arm, Create, Item, Subscription
from connector.ports import WriteKey

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
KEY = WriteKey(value="unit/1/create", since=NOW)


def usd(minor: int) -> Money:
    return Money(minor, "USD")


def item(key: str, *, minor: int = 4500, quantity: int = 3) -> Item:
    return Item(key=key, product=f"P-{key}", name=f"Service {key}", unit_amount=usd(minor), quantity=quantity)


def wanted(**changes: Any) -> Subscription:
    plain = Subscription(
        unit="cw:1",
        payer="cw:9",
        description="Managed services",
        currency="USD",
        cycle=Cycle.MONTHLY,
        bills_on=date(2026, 2, 1),
        items=(item("a"), item("b")),
    )
    return replace(plain, **changes)


def create(new: Subscription, first: date, now: datetime = NOW) -> forms.Form:
    change = Create(new=new, customer="cus_1", generation=1, first_draft=first)
    return forms.create(change, instance="msp", key=KEY, now=now, days_until_due=30)


def stored(new: Subscription, **changes: Any) -> wire.Subscription:
    """As Stripe would answer after creating and arming it."""
    items = [
        {
            "id": f"si_{one.key}",
            "quantity": one.quantity,
            "metadata": {"item": one.key, "product": one.product},
            "price": {
                "currency": "usd",
                "product": translate.product_id("msp", one),
                "unit_amount": one.unit_amount.minor,
                "recurring": dict(zip(("interval", "interval_count"), translate.interval(new.cycle), strict=True)),
            },
        }
        for one in new.items
    ]
    body = {
        "id": "sub_1",
        "customer": "cus_1",
        "status": "active",
        "currency": "usd",
        "created": int(NOW.timestamp()),
        "description": new.description,
        "metadata": {"psa_connector": "msp", **forms.facts(new)},
        "items": {"data": items},
        "collection_method": "send_invoice",
        "pause_collection": {"behavior": "keep_as_draft"},
        "billing_cycle_anchor": int(datetime(2026, 2, 1, 12, tzinfo=UTC).timestamp()),
    }
    return wire.Subscription.model_validate({**body, **changes})


def update(found: wire.Subscription, new: Subscription) -> forms.Form:
    return forms.update(found, new, instance="msp", days_until_due=30)


def at(year: int, month: int, day: int, hour: int = 12) -> int:
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp())


def test_a_new_subscription_cannot_charge_before_it_is_armed() -> None:
    form = create(wanted(automatic=True), date(2026, 2, 1))

    assert form["collection_method"] == "send_invoice"
    assert form["proration_behavior"] == "none"
    assert form["billing_cycle_anchor_config"] == {"day_of_month": 1, "hour": 12, "minute": 0, "second": 0}
    assert form["metadata"]["write_key"] == KEY.value


@pytest.mark.parametrize(
    ("cycle", "bills_on", "first", "expected"),
    [
        (Cycle.MONTHLY, date(2025, 8, 31), date(2026, 1, 31), {"day_of_month": 31}),
        (Cycle.YEARLY, date(2024, 2, 29), date(2026, 2, 28), {"day_of_month": 29, "month": 2}),
        (Cycle.YEARLY, date(2020, 1, 3), date(2027, 1, 3), {"day_of_month": 3, "month": 1}),
    ],
)
def test_days_that_short_months_lack_are_configured(cycle: Cycle, bills_on: date, first: date, expected: dict[str, int]) -> None:
    form = create(wanted(cycle=cycle, bills_on=bills_on), first)

    config = form["billing_cycle_anchor_config"]
    assert {name: config[name] for name in expected} == expected
    assert "billing_cycle_anchor" not in form


@pytest.mark.parametrize(
    ("cycle", "bills_on", "first"),
    [
        (Cycle.WEEKLY, date(2026, 1, 1), date(2026, 1, 8)),
        (Cycle.BIWEEKLY, date(2026, 1, 1), date(2026, 1, 15)),
        (Cycle.QUARTERLY, date(2025, 12, 1), date(2026, 3, 1)),
        (Cycle.SEMIANNUAL, date(2025, 12, 15), date(2026, 6, 15)),
        (Cycle.YEARLY, date(2025, 5, 1), date(2026, 5, 1)),
    ],
)
def test_the_first_draft_comes_at_midday_of_its_day(cycle: Cycle, bills_on: date, first: date) -> None:
    form = create(wanted(cycle=cycle, bills_on=bills_on), first)

    if "billing_cycle_anchor" in form:
        assert form["billing_cycle_anchor"] == at(first.year, first.month, first.day)
    else:
        assert forms.next_by_config(wanted(cycle=cycle, bills_on=bills_on), NOW).date() == first


def test_a_quarter_that_begins_in_a_short_month_waits_until_a_configured_day_reaches_it() -> None:
    quarterly = wanted(cycle=Cycle.QUARTERLY, bills_on=date(2025, 11, 30))

    with pytest.raises(Rejected) as refused:
        create(quarterly, date(2026, 2, 28))

    assert refused.value.code == "anchor_out_of_range"
    near = create(quarterly, date(2026, 2, 28), now=datetime(2026, 2, 5, 9, tzinfo=UTC))
    assert near["billing_cycle_anchor_config"]["day_of_month"] == 30


def test_no_anchor_lies_beyond_one_cycle_from_now() -> None:
    exactly = create(wanted(bills_on=date(2026, 2, 5)), date(2026, 2, 5))

    assert exactly["billing_cycle_anchor"] == at(2026, 2, 5, 9)
    for day in (date(2026, 2, 6), date(2026, 1, 5), date(2026, 1, 1)):
        with pytest.raises(Rejected, match="between tomorrow and 2026-02-05"):
            create(wanted(bills_on=day), day)


def test_it_ends_at_the_moment_at_which_a_draft_would_have_been_made() -> None:
    form = create(wanted(ends=date(2026, 7, 1)), date(2026, 2, 1))

    assert form["cancel_at"] == at(2026, 7, 1)


def test_more_lines_than_stripe_takes_are_refused_before_anything_is_sent() -> None:
    with pytest.raises(Rejected, match="21 lines"):
        create(wanted(items=tuple(item(f"{n:02}") for n in range(21))), date(2026, 2, 1))


def test_arming_pauses_and_charges_in_one_call() -> None:
    form = forms.arm(Arm(id="sub_1", new=wanted(automatic=True)))

    assert form["pause_collection"] == {"behavior": "keep_as_draft"}
    assert form["collection_method"] == "charge_automatically"
    assert "collection_method" not in forms.arm(Arm(id="sub_1", new=wanted()))


def test_what_reads_back_as_wanted_sends_nothing() -> None:
    assert update(stored(wanted()), wanted()) == {}


def test_a_quantity_alone_never_makes_a_price() -> None:
    form = update(stored(wanted()), wanted(items=(item("a", quantity=4), item("b"))))

    assert form == {"items": [{"id": "si_a", "quantity": 4}], "proration_behavior": "none"}


def test_a_new_price_goes_to_the_item_that_is_there() -> None:
    form = update(stored(wanted()), wanted(items=(item("a", minor=5000), item("b"))))

    (change,) = form["items"]
    assert change["id"] == "si_a"
    assert change["price_data"]["unit_amount"] == 5000
    assert "quantity" not in change


def test_removed_and_added_lines_are_deleted_and_made() -> None:
    form = update(stored(wanted()), wanted(items=(item("b"), item("c"))))

    deleted, added = form["items"]
    assert deleted == {"id": "si_a", "deleted": True}
    assert added["metadata"] == {"item": "c", "product": "P-c"}
    assert "id" not in added


def test_what_a_person_changed_is_put_right() -> None:
    found = stored(
        wanted(),
        pause_collection=None,
        collection_method="charge_automatically",
        description="Special",
        cancel_at=at(2026, 9, 1),
    )

    form = update(found, wanted())

    assert form["pause_collection"] == {"behavior": "keep_as_draft"}
    assert (form["collection_method"], form["days_until_due"]) == ("send_invoice", 30)
    assert form["description"] == "Managed services"
    assert form["cancel_at"] == ""


def test_an_item_rebuilt_on_another_interval_is_replaced() -> None:
    found = stored(wanted())
    yearly = found.items.data[0].price.model_copy(update={"recurring": wire.Recurring(interval="year")})
    rebuilt = found.items.data[0].model_copy(update={"price": yearly})
    found = found.model_copy(update={"items": wire.SubscriptionItems(data=(rebuilt, found.items.data[1]))})

    deleted, added = update(found, wanted())["items"]

    assert deleted == {"id": "si_a", "deleted": True}
    assert added["price_data"]["recurring"] == {"interval": "month", "interval_count": 1}


def test_a_moved_bill_day_or_cycle_is_refused() -> None:
    with pytest.raises(Rejected, match="cannot be moved"):
        update(stored(wanted()), wanted(bills_on=date(2026, 2, 15)))
    with pytest.raises(Rejected, match="cannot be moved"):
        update(stored(wanted()), wanted(cycle=Cycle.QUARTERLY))

    assert update(stored(wanted()), wanted(bills_on=date(2025, 7, 1)))["metadata"] == {"bills_on": "2025-07-01"}


def test_the_key_of_a_creation_does_not_move_with_its_content_but_with_the_attempt() -> None:
    again = replace(KEY, attempt=2)

    assert forms.idempotency_key(KEY) == forms.idempotency_key(replace(KEY, since=datetime(2026, 3, 1, tzinfo=UTC)))
    assert forms.idempotency_key(KEY) != forms.idempotency_key(again)
    assert forms.idempotency_key(KEY, {"a": 1, "b": 2}) == forms.idempotency_key(KEY, {"b": 2, "a": 1})
    assert len(forms.idempotency_key(KEY, "x" * 1000)) <= 255


def draft() -> wire.Invoice:
    numbers = dict.fromkeys(("total", "amount_due", "amount_paid", "amount_remaining", "created", "period_end"), 0)
    return wire.Invoice.model_validate(
        {"id": "in_1", "customer": "cus_1", "status": "draft", "currency": "usd", "lines": {"data": []}, **numbers}
    )


def added(slot: str, minor: int, *, n: int = 1) -> InvoiceLine:
    return InvoiceLine(id=f"il_{slot}{n}", item=f"ii_{slot}{n}", slot=slot, description=slot, amount=usd(minor))


def slot_writes(lines: list[InvoiceLine], wanted: list[Adjustment]) -> list[tuple[str, str, int | None]]:
    writes = forms.slot_writes(lines, wanted, invoice=draft(), instance="msp")
    return [(write.slot, write.item, write.form.get("amount")) for write in writes]


def test_added_lines_converge_with_one_write_for_each_difference() -> None:
    own = InvoiceLine(id="il_0", item="", slot="", description="25 x Workstation", amount=usd(1000))
    lines = [own, added("tax", 80), added("true_up", -5), added("elsewhere", -10)]
    wanted = [
        Adjustment(slot="tax", description="tax", amount=usd(80)),
        Adjustment(slot="true_up", description="true_up", amount=usd(-7)),
        Adjustment(slot="credit", description="credit", amount=usd(-1)),
    ]

    assert slot_writes(lines, wanted) == [
        ("elsewhere", "ii_elsewhere1", None),
        ("true_up", "ii_true_up1", -7),
        ("credit", "", -1),
    ]


def test_a_line_that_was_added_twice_is_removed_once() -> None:
    lines = [added("tax", 80), added("tax", 80, n=2)]

    assert slot_writes(lines, [Adjustment(slot="tax", description="tax", amount=usd(80))]) == [("tax", "ii_tax2", None)]
