from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from connector.model.agreement import is_charge_date
from connector.model.bills import match_bills, period_of_draft
from connector.model.invoice import PsaInvoice, PsaInvoiceKind
from connector.model.period import Cycle, Period, Timing
from tests.unit.nouns import agreement, bill, unit, usd

DECEMBER = Period(date(2025, 12, 1), date(2026, 1, 1))
JANUARY = Period(date(2026, 1, 1), date(2026, 2, 1))
FEBRUARY = Period(date(2026, 2, 1), date(2026, 3, 1))


def periods(*invoices: PsaInvoice, **changes: object) -> dict[str, Period]:
    matched = match_bills(unit(agreement(**changes)), invoices, early_days=25)
    return {invoice.id: period for period, bills in matched.by_period.items() for invoice in bills}


def test_an_invoice_dated_on_the_bill_date_is_that_periods_bill() -> None:
    assert periods(bill("1", dated=date(2026, 1, 1))) == {"1": JANUARY}


def test_an_invoice_raised_twenty_days_ahead_belongs_to_the_coming_period() -> None:
    invoices = bill("1", dated=date(2025, 12, 1)), bill("2", dated=date(2025, 12, 12))

    assert periods(*invoices) == {"1": DECEMBER, "2": JANUARY}


def test_an_invoice_raised_late_belongs_to_the_period_that_has_none() -> None:
    invoices = bill("1", dated=date(2025, 12, 1)), bill("2", dated=date(2026, 1, 5))

    assert periods(*invoices) == {"1": DECEMBER, "2": JANUARY}


def test_an_invoice_raised_very_late_is_the_next_in_the_order_of_the_periods() -> None:
    """It is dated so that it could be the coming period's early one; but periods are billed one after the other."""
    invoices = bill("1", dated=date(2025, 12, 1)), bill("2", dated=date(2026, 1, 20)), bill("3", dated=date(2026, 1, 20))

    assert periods(*invoices) == {"1": DECEMBER, "2": JANUARY, "3": FEBRUARY}


def test_a_late_first_invoice_is_the_first_periods() -> None:
    new = {"starts": date(2026, 1, 1), "anchor": date(2026, 1, 1)}

    assert periods(bill("1", dated=date(2026, 1, 20)), **new) == {"1": JANUARY}


def test_an_invoice_dated_after_the_deleted_bill_of_its_period_is_left_to_a_person() -> None:
    """January was charged on a bill that is gone: this may be its replacement, or February's early one."""
    invoices = bill("1", dated=date(2025, 12, 1)), bill("2", dated=date(2026, 1, 20))
    matched = match_bills(unit(), invoices, early_days=25, bound={"gone": JANUARY})

    assert [invoice.id for invoice in matched.unsure] == ["2"]


def test_an_invoice_that_could_be_two_periods_bill_is_left_to_a_person() -> None:
    matched = match_bills(unit(), [bill("1", dated=date(2025, 12, 20))], early_days=25)

    assert not matched.by_period
    assert [invoice.id for invoice in matched.unsure] == ["1"]


def test_an_early_first_invoice_is_the_first_periods() -> None:
    new = {"starts": date(2026, 1, 1), "anchor": date(2026, 1, 1)}

    assert periods(bill("1", dated=date(2025, 12, 20)), **new) == {"1": JANUARY}


def test_credit_memos_and_other_invoices_are_never_the_periods_bill() -> None:
    memo = bill("1", kind=PsaInvoiceKind.CREDIT_MEMO, dated=date(2026, 1, 1))
    project = bill("2", kind=PsaInvoiceKind.OTHER, dated=date(2026, 1, 1))

    assert periods(memo, project, bill("3", dated=date(2026, 1, 1), voided=True)) == {}


def test_two_invoices_of_one_period_are_both_shown() -> None:
    matched = match_bills(unit(), [bill("1", dated=date(2026, 1, 1)), bill("2", dated=date(2026, 1, 2))], early_days=25)

    assert len(matched.of(JANUARY)) == 2


def test_arrears_are_billed_after_the_period() -> None:
    assert periods(bill("1", dated=date(2026, 2, 1)), timing=Timing.ARREARS) == {"1": JANUARY}


def test_what_was_decided_before_stays_decided() -> None:
    matched = match_bills(unit(), [bill("1", dated=date(2026, 2, 3))], early_days=25, bound={"1": JANUARY})

    assert matched.of(JANUARY)[0].id == "1"


def test_a_draft_stands_for_the_period_of_its_bill_date() -> None:
    assert period_of_draft(unit(), date(2026, 2, 1)) == FEBRUARY
    assert period_of_draft(unit(agreement(timing=Timing.ARREARS)), date(2026, 2, 1)) == JANUARY


def test_a_draft_some_days_off_a_short_month_is_still_that_periods() -> None:
    month_end = unit(agreement(anchor=date(2025, 1, 31)))
    period = period_of_draft(month_end, date(2026, 2, 28))

    assert period == period_of_draft(month_end, date(2026, 3, 2))
    assert period is not None
    assert period.start == date(2026, 2, 28)


def test_a_draft_in_mid_period_stands_for_none() -> None:
    assert period_of_draft(unit(), date(2026, 2, 14)) is None
    assert period_of_draft(unit(agreement(cycle=Cycle.QUARTERLY)), date(2026, 2, 1)) is None


@pytest.mark.parametrize(
    ("word", "good"),
    [
        ("", True),
        ("due_date", True),
        ("invoice_date", True),
        ("15", True),
        ("31", True),
        ("32", False),
        ("0", False),
        ("due_dat", False),
    ],
)
def test_an_agreements_own_charge_date_is_a_rule_or_a_day(word: str, good: bool) -> None:
    assert is_charge_date(word) is good


# A second invoice on the dates of a period that has its bill


FIRST: dict[str, Any] = {"dated": date(2026, 1, 1), "total": usd("100.00")}


def test_an_addition_in_the_middle_of_a_period_is_that_periods_once_the_coming_one_has_its_own_bill() -> None:
    added = bill("2", dated=date(2026, 1, 15), total=usd("30.00"))
    invoices = bill("1", **FIRST), added, bill("3", dated=date(2026, 2, 1))

    assert periods(*invoices) == {"1": JANUARY, "2": JANUARY, "3": FEBRUARY}


def test_until_then_nobody_can_tell_an_addition_from_the_coming_periods_early_bill() -> None:
    added = bill("2", dated=date(2026, 1, 15), total=usd("30.00"))
    matched = match_bills(unit(), [bill("1", **FIRST), added], early_days=25)

    assert [invoice.id for invoice in matched.unsure] == ["2"]
    assert len(matched.of(JANUARY)) == 1


def test_where_bills_always_come_early_the_next_early_one_is_the_coming_periods_whatever_it_comes_to() -> None:
    december = bill("1", dated=date(2025, 12, 1))
    early = bill("2", dated=date(2025, 12, 14)), bill("3", dated=date(2026, 1, 14), total=usd("130.00"))

    assert periods(december, *early) == {"1": DECEMBER, "2": JANUARY, "3": FEBRUARY}


def test_an_early_bill_of_what_the_agreement_says_is_the_coming_periods() -> None:
    invoices = bill("1", **FIRST), bill("2", dated=date(2026, 1, 15), total=usd("10.00"))  # the agreement's one line

    assert periods(*invoices) == {"1": JANUARY, "2": FEBRUARY}


def test_a_second_invoice_soon_after_the_first_is_the_same_periods() -> None:
    invoices = bill("1", **FIRST), bill("2", dated=date(2026, 1, 4), total=usd("30.00"))

    assert periods(*invoices) == {"1": JANUARY, "2": JANUARY}
