from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from connector.model.period import Cycle
from connector.model.plan import Limits, Plan, Wanted, diff, refusals
from connector.model.subscription import Arm, Cancel, Change, Create, LiveSubscription, Update
from tests.unit.nouns import live, subscription

TODAY = date(2026, 1, 10)
LIMITS = Limits(cancels_percent=Decimal(10), changes_percent=Decimal(50), always_allowed=2)


def wanted(**changes: Any) -> Wanted:
    return Wanted(
        subscription=subscription(**changes), customer="cus_1", first_draft=date(2026, 2, 1), name="Contoso", generation=1
    )


def changes(want: Wanted | None, *have: LiveSubscription) -> tuple[Change, ...]:
    return diff({"psa:17": want} if want else {}, have, today=TODAY)


def test_what_is_equal_stays_as_it_is() -> None:
    assert changes(wanted(), live()) == ()


def test_a_new_unit_gets_a_subscription_of_the_next_generation() -> None:
    (create,) = changes(wanted())

    assert isinstance(create, Create)
    assert (create.generation, create.customer, create.first_draft) == (2, "cus_1", date(2026, 2, 1))


def test_a_quantity_that_changed_is_an_update() -> None:
    item = replace(subscription().items[0], quantity=3)

    assert changes(wanted(items=(item,)), live()) == (Update(old=live(), new=subscription(items=(item,))),)


def test_a_unit_that_is_gone_is_cancelled_at_the_end_of_what_was_billed() -> None:
    (cancel,) = changes(None, live())

    assert isinstance(cancel, Cancel)
    assert cancel.on == date(2026, 2, 1)


def test_one_that_ends_by_then_anyway_is_not_cancelled_again() -> None:
    assert changes(None, live(subscription=subscription(ends=date(2026, 2, 1)))) == ()


def test_one_that_was_to_end_and_is_wanted_again_goes_on() -> None:
    ending = live(subscription=subscription(ends=date(2026, 2, 1)))

    assert changes(wanted(), ending) == (Update(old=ending, new=subscription()),)


def test_what_was_created_and_never_armed_is_armed() -> None:
    unarmed = live(subscription=subscription(paused=False, automatic=False))

    assert changes(wanted(), unarmed) == (Arm(id="sub_1", new=subscription()),)


def test_another_payer_or_cycle_needs_another_subscription() -> None:
    for want in (wanted(payer="psa:251"), wanted(cycle=Cycle.YEARLY), wanted(bills_on=date(2025, 1, 15))):
        cancel, create = changes(want, live())

        assert isinstance(cancel, Cancel)
        assert isinstance(create, Create)
        assert create.generation == 2


def test_of_two_subscriptions_for_one_unit_the_newest_generation_stays() -> None:
    (cancel,) = changes(wanted(), live(), live(id="sub_2", generation=2))

    assert isinstance(cancel, Cancel)
    assert cancel.old.id == "sub_1"


def test_a_unit_without_a_further_draft_gets_no_subscription() -> None:
    assert changes(wanted(ends=date(2026, 2, 1))) == ()


def test_too_many_cancels_are_refused_with_number_limit_and_way_on() -> None:
    many = tuple(Cancel(old=live(id=f"sub_{n}"), on=TODAY, reason="gone") for n in range(31))
    plan = Plan(changes=many, names={}, unusable=(), live=74)

    assert refusals(plan, LIMITS) == (
        "31 of 74 subscriptions would be cancelled (limit 10 %); if intended: connector apply --allow-cancels 31",
    )
    assert refusals(plan, LIMITS, allow_cancels=31) == ()
    assert refusals(plan, LIMITS, allow_cancels=30) != ()


def test_the_digest_names_exactly_these_changes() -> None:
    one = Plan(changes=changes(wanted()), names={}, unusable=(), live=0)
    other = Plan(changes=changes(wanted(description="x")), names={}, unusable=(), live=0)

    assert one.digest == Plan(changes=changes(wanted()), names={"a": "b"}, unusable=(), live=9).digest
    assert one.digest != other.digest


def test_a_renewal_that_bills_on_the_same_days_is_the_same_subscription() -> None:
    (update,) = changes(wanted(bills_on=date(2026, 1, 1)), live(subscription=subscription(bills_on=date(2025, 3, 1))))

    assert isinstance(update, Update)


def test_another_bill_day_needs_another_subscription() -> None:
    kinds = [type(change) for change in changes(wanted(bills_on=date(2026, 1, 28)), live())]

    assert kinds == [Cancel, Create]


def test_an_end_that_many_agreements_got_counts_as_as_many_cancellations() -> None:
    ends = subscription(ends=date(2026, 2, 1), items=())
    plan = Plan(changes=tuple(Update(old=live(), new=ends) for _ in range(5)), names={}, unusable=(), live=20)

    (said,) = refusals(plan, LIMITS)
    assert said.startswith("5 of 20 subscriptions would be cancelled")


def test_an_end_that_comes_later_than_it_was_is_no_cancellation() -> None:
    old = live(subscription=subscription(ends=date(2026, 2, 1)))
    plan = Plan(
        changes=tuple(Update(old=old, new=subscription(ends=date(2027, 2, 1))) for _ in range(5)), names={}, unusable=(), live=20
    )

    assert refusals(plan, LIMITS) == ()


def test_what_ends_at_the_next_bill_date_keeps_its_lines() -> None:
    (update,) = changes(wanted(ends=date(2026, 2, 1), items=()), live())

    assert isinstance(update, Update)
    assert update.new.items == live().subscription.items
