"""Lines of the gateway's balance, and what they come to."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model.money import MixedCurrency, Money
from connector.model.payout import BalanceKind, BalanceLine, Payout, PayoutState, by_currency, sums, unexplained

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)


def line(kind: BalanceKind, amount: int, fee: int = 0, *, currency: str = "USD") -> BalanceLine:
    gross, withheld = Money(amount, currency), Money(fee, currency)
    return BalanceLine(id=f"{kind}:{amount}", kind=kind, amount=gross, fee=withheld, net=gross - withheld, at=NOW)


def payout(amount: int, state: PayoutState = PayoutState.PAID) -> Payout:
    return Payout(
        id="po_1",
        amount=Money(amount, "USD"),
        state=state,
        arrives=date(2026, 2, 3),
        created=NOW,
        automatic=True,
        reconciled=True,
    )


MIXED = (
    line(BalanceKind.CHARGE, 112_500, 3_293),
    line(BalanceKind.CHARGE, 20_000, 160),
    line(BalanceKind.REFUND, -5_000),
    line(BalanceKind.DISPUTE, -20_000, 1_500),
    line(BalanceKind.DISPUTE_REVERSAL, 20_000, -1_500),
    line(BalanceKind.FEE, -2_000),
)


def test_the_lines_of_a_payout_come_to_its_amount() -> None:
    found = sums(MIXED, "USD")

    assert found.gross[BalanceKind.CHARGE] == Money(132_500, "USD")
    assert found.fees == Money(3_453, "USD")
    assert found.net == Money(122_047, "USD")
    assert unexplained(payout(122_047), MIXED) == Money(0, "USD")


def test_a_line_that_is_missing_shows_as_what_is_not_explained() -> None:
    assert unexplained(payout(122_047), MIXED[:-1]) == Money(-2_000, "USD")


def test_a_negative_payout_is_explained_by_what_was_taken_back() -> None:
    assert unexplained(payout(-5_000), [line(BalanceKind.REFUND, -5_000)]) == Money(0, "USD")


def test_two_currencies_are_never_added_up() -> None:
    both = [line(BalanceKind.CHARGE, 100), line(BalanceKind.CHARGE, 200, currency="CAD")]

    with pytest.raises(MixedCurrency):
        sums(both, "USD")
    assert {currency: sums(group, currency).net.minor for currency, group in by_currency(both).items()} == {
        "CAD": 200,
        "USD": 100,
    }


def test_only_a_payout_that_failed_or_was_called_off_does_not_stand() -> None:
    standing = [state for state in PayoutState if payout(1, state).stands]

    assert standing == [PayoutState.PENDING, PayoutState.IN_TRANSIT, PayoutState.PAID]


@given(st.lists(st.tuples(st.sampled_from(BalanceKind), st.integers(-(10**9), 10**9), st.integers(-(10**6), 10**6))))
def test_net_is_gross_less_fees_whatever_the_lines(rows: list[tuple[BalanceKind, int, int]]) -> None:
    found = sums([line(*row) for row in rows], "USD")

    assert found.net.minor == sum(amount.minor for amount in found.gross.values()) - found.fees.minor
