"""Unit rows of Autotask -> lines: periods, slices, prices that are guarded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.autotask.lines import Problem, Segment, Sold, Span, first_period, is_extended, segments
from adapters.autotask.wire import Units
from connector.model.money import Money, total
from connector.model.period import Cycle, boundary

START, TODAY = date(2026, 1, 1), date(2026, 1, 5)
ONE_DAY = timedelta(days=1)


def row(month: int, units: int = 10, price: str = "250.00", *, posted: bool = False, **dates: date) -> Units:
    first = dates.get("first", boundary(START, Cycle.MONTHLY, month - 1))
    last = dates.get("last", boundary(START, Cycle.MONTHLY, month) - ONE_DAY)
    given = {"id": month, "contractID": 1, "units": units, "price": Decimal(price)}
    days = {"startDate": f"{first}T00:00:00Z", "endDate": f"{last}T00:00:00Z"}
    return Units.model_validate({**given, **days, "approveAndPostDate": "2026-01-01T09:00:00Z" if posted else None})


def span(**changes: object) -> Span:
    usual = {"anchor": START, "cycle": Cycle.MONTHLY, "ends": date(2027, 1, 1), "read_from": START, "today": TODAY}
    return Span(**{**usual, "currency": "USD", **changes})  # type: ignore[arg-type]


def sold(*rows: Units, listed: str = "25.00") -> Sold:
    return Sold(id="7", name="Workstation", listed=(Decimal(listed),), rows=rows)


def read(*rows: Units, listed: str = "25.00", extended: bool = True) -> list[Segment]:
    return segments(sold(*rows, listed=listed), span(), extended=extended)


def amounts(found: Sequence[Segment]) -> list[tuple[str, date | None, date | None]]:
    return [(str(segment.amount.major), segment.starts, segment.ends) for segment in found]


def test_equal_periods_are_one_segment_without_ends_of_its_own() -> None:
    assert amounts(read(*map(row, range(1, 13)))) == [("250.00", None, None)]


def test_a_service_that_stops_before_the_contract_has_an_end() -> None:
    rows = [row(month) for month in range(1, 7)] + [row(month, 0, "0") for month in range(7, 13)]

    assert amounts(read(*rows)) == [("250.00", None, date(2026, 7, 1))]


def test_a_service_that_begins_later_has_a_beginning() -> None:
    assert amounts(read(*map(row, range(4, 13)))) == [("250.00", date(2026, 4, 1), None)]


def test_one_odd_row_is_refused_with_figures() -> None:
    with pytest.raises(Problem, match=r"180\.00 for 10 units.*10 x 25\.00 = 250\.00.*that of one \(25\.00\)") as caught:
        read(row(1), row(2, price="180.00"), *map(row, range(3, 13)))
    assert caught.value.reason == "amount_mismatch"


def test_a_new_price_needs_more_than_one_row_to_be_believed() -> None:
    raised = [row(month, price="300.00") for month in (11, 12)]
    assert amounts(read(*map(row, range(1, 11)), *raised)) == [
        ("250.00", None, date(2026, 11, 1)),
        ("300.00", date(2026, 11, 1), None),
    ]

    with pytest.raises(Problem):
        read(*map(row, range(1, 12)), row(12, price="300.00"))


def test_what_was_posted_is_what_was_billed() -> None:
    assert amounts(read(row(1, price="199.99", posted=True), *map(row, range(2, 13)))) == [
        ("199.99", None, date(2026, 2, 1)),
        ("250.00", date(2026, 2, 1), None),
    ]


def test_the_past_is_not_guarded() -> None:
    past = span(today=date(2026, 2, 3))

    assert segments(sold(row(1, price="1.00"), row(2)), past, extended=True)[0].amount == Money(100, "USD")


def test_slices_of_one_period_are_summed() -> None:
    first = row(1, 10, "120.97", last=date(2026, 1, 15))
    rest = row(1, 12, "154.84", first=date(2026, 1, 16))

    assert amounts(read(first, rest, *(row(month, 12, "300.00") for month in range(2, 13)))) == [
        ("275.81", None, date(2026, 2, 1)),
        ("300.00", date(2026, 2, 1), None),
    ]


def test_a_slice_that_costs_more_than_its_whole_period_is_refused() -> None:
    with pytest.raises(Problem):
        read(row(1, 10, "250.01", last=date(2026, 1, 15)), *map(row, range(2, 13)))


def test_a_row_that_lies_across_periods_is_refused() -> None:
    across = row(3, first=date(2026, 3, 15), last=date(2026, 4, 14))

    with pytest.raises(Problem, match="2026-03-15 to 2026-04-14") as caught:
        read(across)
    assert caught.value.reason == "mixed_cycle"


def test_discounts_below_zero_are_read() -> None:
    assert amounts(read(*(row(month, 1, "-75.00") for month in range(1, 13)), listed="-75.00")) == [("-75.00", None, None)]


def test_rows_at_the_price_of_one_unit_are_multiplied_and_only_then() -> None:
    rows = [row(month, 10, "25.00") for month in range(1, 13)]

    assert is_extended([sold(*rows)], span()) is False
    assert amounts(read(*rows, extended=False)) == [("250.00", None, None)]
    assert is_extended([sold(*map(row, range(1, 13)))], span()) is True
    assert is_extended([sold(row(1, 1, "25.00"))], span()) is True


def test_a_contract_with_both_kinds_of_rows_is_refused() -> None:
    with pytest.raises(Problem, match="single unit"):
        is_extended([sold(row(1)), sold(row(1, 10, "25.00"))], span())


@pytest.mark.parametrize(
    ("starts", "rows", "expected"),
    [
        (START, [row(3)], START),
        (START, [], None),
        (date(2026, 1, 10), [row(3)], date(2026, 2, 1)),
        (date(2025, 12, 1), [row(1), row(2)], date(2025, 12, 1)),
    ],
)
def test_periods_begin_with_the_contract_unless_the_rows_say_otherwise(
    starts: date, rows: list[Units], expected: date | None
) -> None:
    assert first_period(starts, rows, 1) == expected


def test_a_contract_from_the_31st_keeps_its_day() -> None:
    starts = date(2026, 1, 31)
    days = [(boundary(starts, Cycle.MONTHLY, n), boundary(starts, Cycle.MONTHLY, n + 1) - ONE_DAY) for n in range(4)]
    rows = [row(1, first=first, last=last) for first, last in days]

    assert first_period(starts, rows, 1) == starts
    assert len(segments(sold(*rows), span(anchor=starts, ends=days[-1][1] + ONE_DAY), extended=True)) == 1


@given(st.lists(st.integers(min_value=0, max_value=400), min_size=12, max_size=12))
def test_no_cent_is_lost_or_made_whatever_the_units(units: list[int]) -> None:
    rows = [row(month, count, f"{count * Decimal('25.00')}") for month, count in enumerate(units, start=1)]
    found = read(*rows)
    billed = [_on(found, boundary(START, Cycle.MONTHLY, month)) for month in range(12)]

    assert [money.minor for money in billed] == [count * 2500 for count in units]


def _on(found: list[Segment], day: date) -> Money:
    active = [s for s in found if (s.starts is None or s.starts <= day) and (s.ends is None or day < s.ends)]
    return total((segment.amount for segment in active), "USD")
