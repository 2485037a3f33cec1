from __future__ import annotations

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from connector.model.agreement import AgreementLine, LineBilling, Payer
from connector.model.money import Money, total
from connector.model.period import Cycle, Period, Timing
from connector.model.pricing import MAX_ITEMS, breakdown, computed, desired, first_draft, next_change
from connector.model.units import group
from tests.unit.nouns import agreement, line, unit, usd

TODAY = date(2026, 1, 10)
FEBRUARY = Period(date(2026, 2, 1), date(2026, 3, 1))


def amounts(*lines: AgreementLine, base: str = "0") -> list[tuple[str, str, int]]:
    made = desired(unit(agreement(lines=lines, base=usd(base))), today=TODAY, automatic=True)
    return [(item.key, str(item.unit_amount.major), item.quantity) for item in made.items]


def test_a_line_becomes_an_item_with_its_quantity() -> None:
    assert amounts(line("1", quantity="12", price="45.00")) == [("17/1", "45.00", 12)]


def test_a_fractional_quantity_is_folded_into_the_amount() -> None:
    assert amounts(line("1", quantity="812.5", price="0.045")) == [("17/1", "36.56", 1)]


def test_a_price_with_fractions_of_a_cent_is_folded_into_the_amount() -> None:
    assert amounts(line("1", quantity="3", price="0.333")) == [("17/1", "1.00", 1)]


def test_no_charge_and_do_not_bill_lines_are_not_charged() -> None:
    free = line("1", billing=LineBilling.NO_CHARGE)
    hidden = line("2", billing=LineBilling.DO_NOT_BILL)

    assert amounts(free, hidden, line("3")) == [("17/3", "10.00", 1)]


def test_no_charge_is_in_the_breakdown_at_zero_and_do_not_bill_is_not() -> None:
    lines = (line("1", billing=LineBilling.NO_CHARGE), line("2", billing=LineBilling.DO_NOT_BILL))
    shown = breakdown(unit(agreement(lines=lines)), FEBRUARY)

    assert [(row.source, row.amount) for row in shown] == [("psa:17/1", usd("0"))]


def test_a_negative_line_is_netted_within_its_tax_treatment() -> None:
    lines = (line("1", price="100.00"), line("2", price="-30.00"), line("3", price="20.00", tax_treatment="exempt"))

    assert amounts(*lines) == [("rollup:exempt", "20.00", 1), ("rollup:taxable", "70.00", 1)]


def test_a_treatment_that_nets_below_zero_is_taken_off_the_others() -> None:
    lines = (line("1", price="-30.00"), line("2", price="100.00", tax_treatment="exempt"))

    assert amounts(*lines) == [("rollup:exempt", "70.00", 1)]


def test_an_agreement_that_nets_below_zero_charges_nothing() -> None:
    assert amounts(line("1", price="-30.00")) == [("base", "0.00", 1)]


def test_more_than_twenty_lines_are_rolled_up_by_tax_treatment() -> None:
    lines = tuple(line(str(n), tax_treatment="exempt" if n % 3 else "taxable") for n in range(1, 27))

    assert amounts(*lines) == [("rollup:exempt", "180.00", 1), ("rollup:taxable", "80.00", 1)]


def test_a_future_line_counts_from_the_period_that_begins_on_or_after_its_date() -> None:
    soon = line("2", starts=date(2026, 2, 1))
    later = line("3", starts=date(2026, 2, 2))

    assert [key for key, _, _ in amounts(line("1"), soon, later)] == ["17/1", "17/2"]


def test_a_line_inside_one_period_is_a_one_off_and_not_in_the_subscription() -> None:
    setup_fee = line("2", starts=date(2026, 2, 1), ends=date(2026, 2, 2))

    assert [key for key, _, _ in amounts(line("1"), setup_fee)] == ["17/1"]


def test_a_line_for_exactly_one_whole_period_is_in_the_subscription() -> None:
    one_month = line("2", starts=date(2026, 2, 1), ends=date(2026, 3, 1))

    assert [key for key, _, _ in amounts(line("1"), one_month)] == ["17/1", "17/2"]


def test_arrears_are_priced_at_the_end_of_the_period() -> None:
    added = line("2", starts=date(2026, 1, 20))
    made = desired(unit(agreement(timing=Timing.ARREARS, lines=(line("1"), added))), today=TODAY, automatic=False)

    assert [item.key for item in made.items] == ["17/1", "17/2"]


def test_the_first_draft_is_the_next_bill_date_and_never_today() -> None:
    assert first_draft(unit(), date(2026, 2, 1)) == date(2026, 3, 1)
    assert first_draft(unit(), date(2026, 1, 31)) == date(2026, 2, 1)


def test_an_agreement_that_starts_later_is_drafted_on_its_start() -> None:
    later = unit(agreement(anchor=date(2026, 6, 15), starts=date(2026, 6, 15)))

    assert first_draft(later, TODAY) == date(2026, 6, 15)


def test_an_end_in_mid_period_ends_the_subscription_after_what_was_billed() -> None:
    ending = unit(agreement(ends=date(2026, 4, 11)))

    assert desired(ending, today=TODAY, automatic=True).ends == date(2026, 5, 1)


def test_arrears_still_draft_their_last_period() -> None:
    ending = unit(agreement(timing=Timing.ARREARS, ends=date(2026, 4, 1)))

    assert desired(ending, today=TODAY, automatic=True).ends == date(2026, 4, 2)


def test_the_next_change_without_an_edit_is_the_earliest_date_to_come() -> None:
    dated = unit(agreement(ends=date(2027, 1, 1), lines=(line(starts=date(2026, 3, 5)), line("2", ends=date(2026, 2, 10)))))

    assert next_change(dated, TODAY) == date(2026, 2, 10)


def test_a_parent_and_its_bundled_child_are_one_unit_and_one_sum() -> None:
    parent = agreement("17", lines=(line("1"),))
    child = agreement("18", group="17", lines=(line("2", price="5.00"),))

    bundle = unit(parent, child)

    assert (bundle.key, computed(bundle, FEBRUARY)) == ("psa:17", usd("15.00"))


def test_two_agreements_of_one_payer_are_two_units() -> None:
    units = group((agreement("17"), agreement("18", name="Backup")), today=TODAY, keys={}).units

    assert [u.key for u in units] == ["psa:17", "psa:18"]


def test_the_same_group_of_two_payers_is_two_units() -> None:
    other = Payer(psa="psa", id="251", name="Fabrikam")
    units = group((agreement("17", group="g"), agreement("18", group="g", payer=other)), today=TODAY, keys={}).units

    assert len(units) == 2


def test_a_bundle_of_two_currencies_is_told_by_name_and_the_others_go_on() -> None:
    dollars, euros = agreement("17"), agreement("18", group="17", base=Money(0, "EUR"), lines=())
    result = group((dollars, euros, agreement("19")), today=TODAY, keys={})

    assert [u.key for u in result.units] == ["psa:19"]
    assert {u.reason for u in result.unusable} == {"mixed_currency"}
    assert "agreement 17" in result.unusable[0].message


def test_a_renewal_under_a_new_id_continues_the_unit() -> None:
    old = agreement("17", name="Managed Services 2025", ends=date(2026, 1, 1))
    new = agreement("40", name="Managed Services 2026", starts=date(2026, 1, 1), anchor=date(2026, 1, 1))

    (renewed,) = group((old, new), today=TODAY, keys={"psa:17": "psa:17"}).units

    assert (renewed.key, renewed.root.ref.id, renewed.ends) == ("psa:17", "40", None)


def test_a_renewal_named_by_the_mapping_needs_no_equal_name() -> None:
    old = agreement("17", ends=date(2026, 1, 1))
    new = agreement("40", name="Premium", starts=date(2026, 3, 1), anchor=date(2026, 3, 1), renews="17")

    (renewed,) = group((old, new), today=TODAY, keys={"psa:17": "psa:17"}).units

    assert renewed.key == "psa:17"


def test_an_agreement_after_two_that_ended_is_no_renewal_of_either() -> None:
    first, second = agreement("17", ends=date(2026, 1, 1)), agreement("18", ends=date(2026, 1, 1))
    new = agreement("40", starts=date(2026, 1, 1))

    assert len(group((first, second, new), today=TODAY, keys={}).units) == 3


LINES = st.builds(
    lambda number, quantity, price, treatment, billing: line(
        str(number), quantity=str(quantity), price=str(price), tax_treatment=treatment, billing=billing
    ),
    st.integers(1, 10**6),
    st.decimals("-5", "500", places=2),
    st.decimals("0", "300", places=4),
    st.sampled_from(["taxable", "exempt", "reduced"]),
    st.sampled_from(LineBilling),
)


@given(st.lists(LINES, max_size=40, unique_by=lambda made: made.id), st.integers(0, 10**6))
def test_the_items_sum_to_what_the_agreement_says_or_to_nothing_below_zero(lines: list[AgreementLine], base: int) -> None:
    made = unit(agreement(lines=tuple(lines), base=Money(base, "USD")))
    subscription = desired(made, today=TODAY, automatic=True)
    billable = total((row.amount for row in lines if row.billing is LineBilling.BILLABLE), "USD")

    assert len(subscription.items) <= MAX_ITEMS
    assert all(item.unit_amount.minor >= 0 and item.quantity >= 1 for item in subscription.items)
    assert subscription.amount.minor == max(0, base + billable.minor)
    assert computed(made, FEBRUARY).minor == base + billable.minor


def test_quarterly_and_weekly_cycles_have_their_own_next_draft() -> None:
    quarterly = unit(agreement(cycle=Cycle.QUARTERLY, anchor=date(2025, 2, 28), starts=date(2025, 2, 28)))
    weekly = unit(agreement(cycle=Cycle.WEEKLY, anchor=date(2025, 1, 6)))

    assert (first_draft(quarterly, TODAY), first_draft(weekly, TODAY)) == (date(2026, 2, 28), date(2026, 1, 12))
    assert Decimal(desired(weekly, today=TODAY, automatic=True).amount.minor) == 1000
