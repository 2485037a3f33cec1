"""The totals of each month, as tables and as rows of a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connector.flows.reconcile_totals import Totals
from connector.model.money import Money
from connector.model.totals import MonthTotals, Why
from connector.printed import Sheet

FIGURES = ("PSA invoiced", "charged", "collected", "refunded", "fees", "deposited")
_MOST_BILLS = 6


def sheets(totals: Totals) -> Iterator[Sheet]:
    rows = tuple((one.month, *map(_text, figures_of(one))) for one in totals.months)
    yield Sheet(
        title="Totals by month",
        columns=("month", *FIGURES),
        rows=rows,
        right=frozenset(FIGURES),
        notes=(
            f"Bills dated before {totals.since.isoformat()} are not counted. Fees and deposits are the gateway's, of all on"
            " its account; deposits on the day on which the bank shows them.",
        ),
    )
    why = tuple(
        (one.month, part.between, part.reason, str(part.amount), _bills(part)) for one in totals.months for part in one.why
    )
    columns = ("month", "between", "why", "amount", "invoices")
    empty = "No two totals that follow from each other differ."
    yield Sheet(title="Why totals differ", columns=columns, rows=why, right=frozenset({"amount"}), empty=empty)


def figures_of(one: MonthTotals) -> tuple[Money | None, ...]:
    return (one.invoiced, one.charged, one.collected, one.refunded, one.fees, one.deposited)


def _text(amount: Money | None) -> str:
    return "" if amount is None else str(amount)


def _bills(part: Why) -> str:
    more = len(part.bills) - _MOST_BILLS
    return ", ".join(part.bills[:_MOST_BILLS]) + (f" and {more} more" if more > 0 else "")


def cells(totals: Totals) -> Iterator[dict[str, Any]]:
    """A row for each figure and each reason, with the columns of the three-way check."""
    for one in totals.months:
        for name, amount in zip(FIGURES, figures_of(one), strict=True):
            yield {"part": "total", "period": one.month, "what": name, "amount": amount}
        for part in one.why:
            bills = ", ".join(part.bills)
            yield {
                "part": "why",
                "period": one.month,
                "what": part.between,
                "amount": part.amount,
                "note": part.reason,
                "invoice": bills,
            }
