"""A breakdown sums to what is charged, and a comparison to the difference, whatever the lines are."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connector.model.charge import BreakdownLine
from connector.model.explain import compare, complete, prorations, sum_up
from connector.model.money import Money, total
from connector.model.period import Period, Timing
from connector.model.pricing import breakdown
from tests.unit.nouns import agreement, bill, line, unit, usd

FEBRUARY = Period(date(2026, 2, 1), date(2026, 3, 1))
JANUARY = Period(date(2026, 1, 1), date(2026, 2, 1))
cents = st.integers(-(10**6), 10**6).map(lambda n: Money(n, "USD"))


@st.composite
def lines(draw: st.DrawFn) -> list[BreakdownLine]:
    kinds = st.sampled_from(["base", "line", "tax", "credit", "elsewhere", "true_up", "rounding", "proration"])
    quantity = st.none() | st.integers(0, 50).map(Decimal)
    row = st.builds(
        BreakdownLine,
        kind=kinds,
        description=st.sampled_from(["a", "b"]),
        amount=cents,
        source=st.sampled_from(["", "psa:17/1", "psa:17/2"]),
        quantity=quantity,
        unit_price=quantity,
    )
    return draw(st.lists(row, max_size=8))


def lines_of(**changes: Any) -> tuple[BreakdownLine, ...]:
    return breakdown(
        unit(agreement(lines=(line(**{"quantity": "10", "price": "45.00", "name": "Workstation", **changes}),))), FEBRUARY
    )


def summed(rows: Any) -> Money:
    return total((row.amount for row in rows), "USD")


@given(
    own=st.lists(cents, max_size=6),
    prorated=st.lists(cents, max_size=3),
    amounts=st.tuples(*[st.integers(0, 10**7)] * 5),
    billed=st.booleans(),
)
def test_a_breakdown_sums_to_what_is_charged(
    own: list[Money], prorated: list[Money], amounts: tuple[int, ...], billed: bool
) -> None:
    owed, total_, tax, paid, credits_ = (Money(n, "USD") for n in amounts)
    invoice = bill(total=total_, tax=tax, payments=paid, credits=credits_) if billed else None
    rows = [BreakdownLine(kind="line", description="x", amount=amount) for amount in own]
    more = [BreakdownLine(kind="proration", description="y", amount=amount) for amount in prorated]

    assert summed(sum_up(rows, invoice, owed, prorated=more)) == owed


@given(before=lines(), after=lines())
def test_the_differences_of_two_breakdowns_sum_to_the_difference_of_their_totals(
    before: list[BreakdownLine], after: list[BreakdownLine]
) -> None:
    assert summed(compare(before, after, "USD")) == summed(after) - summed(before)


@given(rows=lines())
def test_a_breakdown_differs_in_nothing_from_itself(rows: list[BreakdownLine]) -> None:
    assert compare(rows, rows, "USD") == ()


@given(rows=lines(), charged=cents)
def test_what_a_stored_breakdown_leaves_open_is_shown(rows: list[BreakdownLine], charged: Money) -> None:
    assert summed(complete(rows, charged)) == charged


def test_three_more_of_a_line_are_told_with_what_they_make() -> None:
    (found,) = compare(lines_of(), lines_of(quantity="13"), "USD")

    assert (found.what, found.amount) == ("3 more Workstation (10 -> 13)", usd("135.00"))


def test_fewer_a_new_price_and_both_are_told_apart() -> None:
    def said(**changes: Any) -> str:
        return compare(lines_of(), lines_of(**changes), "USD")[0].what

    assert said(quantity="8.5") == "1.5 fewer Workstation (10 -> 8.5)"
    assert said(price="48.00") == "Workstation: price 45 -> 48"
    assert said(quantity="12", price="48.00") == "Workstation: quantity 10 -> 12, price 45 -> 48"


def test_a_line_that_came_and_one_that_went_are_named_with_their_dates() -> None:
    old = lines_of(ends=date(2026, 3, 1))
    new = lines_of(id="2", name="Server", starts=date(2026, 2, 1))

    said = {difference.what: difference.amount for difference in compare(old, (*old, *new), "USD")}
    gone = {difference.what: difference.amount for difference in compare((*old, *new), new, "USD")}

    assert said == {"new: Server: 10 x 45 (since 2026-02-01)": usd("450.00")}
    assert gone == {"no longer: Workstation: 10 x 45 (its last day was 2026-02-28)": usd("-450.00")}


def test_tax_is_compared_with_tax_though_each_period_has_its_own_invoice() -> None:
    before = sum_up(lines_of(), bill("900", total=usd("486.00"), tax=usd("36.00")), usd("486.00"))
    after = sum_up(lines_of(), bill("901", total=usd("490.00"), tax=usd("40.00")), usd("490.00"))

    (found,) = compare(before, after, "USD")

    assert (found.what, found.amount) == ("Sales tax: 36.00 USD before, 40.00 USD now", usd("4.00"))


def test_credits_and_payments_made_elsewhere_each_have_their_line() -> None:
    invoice = bill(total=usd("450.00"), payments=usd("100.00"), credits=usd("30.00"))

    found = {row.kind: row.amount for row in sum_up(lines_of(), invoice, usd("300.00"))}

    # 20.00 more were paid than the PSA knows of: the books had it first.
    assert found == {"line": usd("450.00"), "credit": usd("-30.00"), "elsewhere": usd("-120.00")}


def test_a_cent_is_rounding_and_more_is_a_true_up() -> None:
    def kinds(amount: str) -> list[str]:
        return [row.kind for row in sum_up(lines_of(), bill(total=usd(amount)), usd(amount))]

    assert kinds("450.01") == ["line", "rounding"]
    assert kinds("460.00") == ["line", "true_up"]
    assert kinds("450.00") == ["line"]


def test_a_line_that_began_in_the_middle_of_last_period_is_prorated_if_the_invoice_has_it() -> None:
    since = unit(agreement(lines=(line("1", quantity="1", price="310.00", starts=date(2026, 1, 22)),)))
    prorated = prorations(since, FEBRUARY)

    with_it = sum_up(breakdown(since, FEBRUARY), bill(total=usd("410.00")), usd("410.00"), prorated=prorated)
    without = sum_up(breakdown(since, FEBRUARY), bill(total=usd("310.00")), usd("310.00"), prorated=prorated)

    assert [(row.kind, row.amount) for row in with_it] == [("line", usd("310.00")), ("proration", usd("100.00"))]
    assert "10 of 31 days" in with_it[1].description
    assert [(row.kind, row.amount) for row in without] == [("line", usd("310.00"))]


def test_a_line_that_ended_in_the_middle_of_last_period_is_credited_by_days() -> None:
    until = unit(agreement(lines=(line("1", price="310.00", starts=date(2025, 1, 1), ends=date(2026, 1, 22)),)))

    assert [row.amount for row in prorations(until, FEBRUARY)] == [usd("-100.00")]


def test_in_arrears_a_line_that_began_in_the_period_is_not_charged_for_the_days_before() -> None:
    since = unit(agreement(timing=Timing.ARREARS, lines=(line("1", price="310.00", starts=date(2026, 1, 11)),)))

    assert [row.amount for row in prorations(since, JANUARY)] == [usd("-100.00")]


def test_a_line_keeps_what_is_included_apart_from_what_is_billed() -> None:
    (row,) = lines_of(included=Decimal(5))

    assert (row.quantity, row.included, row.unit_price) == (Decimal(10), Decimal(5), Decimal("45.00"))
