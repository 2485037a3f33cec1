from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model.money import MixedCurrency, Money, total
from connector.model.period import Cycle, Period, boundary, nth_period, period_number, period_of

DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31))


def test_half_a_cent_is_rounded_away_from_zero() -> None:
    amounts = [Money.from_major(Decimal(text), "USD").minor for text in ("0.005", "-0.005", "2.675", "1.004999")]

    assert amounts == [1, -1, 268, 100]


def test_yen_has_no_cents_and_dinar_has_three_places() -> None:
    assert Money.from_major("1050", "JPY").minor == 1050
    assert Money.from_major("1.2345", "KWD").minor == 1235
    assert str(Money.from_major("1234.5", "USD")) == "1,234.50 USD"


def test_two_currencies_never_meet_in_one_sum() -> None:
    with pytest.raises(MixedCurrency):
        total([Money(1, "USD"), Money(1, "CAD")], "USD")


def test_a_currency_with_rules_of_its_own_is_refused() -> None:
    with pytest.raises(ValueError, match="UGX"):
        Money(1, "UGX")


@given(st.integers(-(10**12), 10**12))
def test_major_and_back_is_the_same_money(minor: int) -> None:
    assert Money.from_major(Money(minor, "USD").major, "USD") == Money(minor, "USD")


def test_the_31st_stays_the_31st_after_a_short_month() -> None:
    starts = [boundary(date(2026, 1, 31), Cycle.MONTHLY, n) for n in range(4)]

    assert starts == [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)]


def test_a_leap_day_agreement_is_billed_on_the_28th_in_other_years() -> None:
    assert nth_period(date(2024, 2, 29), Cycle.YEARLY, 1) == Period(date(2025, 2, 28), date(2026, 2, 28))
    assert nth_period(date(2024, 2, 29), Cycle.YEARLY, 4).start == date(2028, 2, 29)


@given(DAYS, st.sampled_from(Cycle), DAYS)
def test_every_day_is_in_exactly_one_period(anchor: date, cycle: Cycle, day: date) -> None:
    period = period_of(anchor, cycle, day)
    number = period_number(anchor, cycle, day)

    assert day in period
    assert nth_period(anchor, cycle, number + 1).start == period.end
    assert day not in nth_period(anchor, cycle, number + 1)
