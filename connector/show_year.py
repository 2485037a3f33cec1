"""What year end prints: gross by month, how deposits follow from it, and the same for a spreadsheet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from connector.flows.year_end import YearEnd
from connector.model.money import Money, total
from connector.model.year_end import YearMonth
from connector.printed import Report, Sheet, csv_of

Column = tuple[str, Callable[[YearMonth], Money]]
GROSS: tuple[Column, ...] = (
    ("cards", lambda row: row.gross.cards),
    ("bank debits", lambda row: row.gross.bank_debits),
    ("not by the agent", lambda row: row.gross.others),
    ("gross", lambda row: row.gross.total),
    ("gross, days in UTC", lambda row: row.gross.total_utc),
)
MOVED: tuple[Column, ...] = (
    ("gross", lambda row: row.gross.total),
    ("refunds", lambda row: row.refunds),
    ("disputes", lambda row: row.disputes),
    ("fees", lambda row: row.fees),
    ("other", lambda row: row.rest),
    ("paid out", lambda row: -row.paid_out),
)
WAY: tuple[Column, ...] = (
    ("paid out", lambda row: row.paid_out),
    ("deposited", lambda row: row.deposited),
)


def year_report(found: YearEnd, *, company: str) -> Report:
    return Report(
        title=f"{company}: year end {found.year}",
        verdict="; ".join(found.problems) or "it ties: each month's gross leads to its deposits, to the cent",
        state="ok" if found.ties else "bad",
        lead=_lead(found),
        sheets=tuple(sheet for currency, rows in found.months.items() for sheet in _sheets(currency, rows)),
        foot=f"As the gateway answered on {found.taken_at:%Y-%m-%d %H:%M} UTC. Days are the company's ({found.time_zone}).",
    )


def _lead(found: YearEnd) -> tuple[str, ...]:
    running = (f"{found.running} is not over: its figures are those until today.",) if found.running else ()
    if found.open:
        return (f"Not closed yet (connector month-end --period): {', '.join(found.open)}.", *running)
    return ("Each month that is over is closed, and ended with what it was closed with.", *running)


def _sheets(currency: str, rows: Sequence[YearMonth]) -> Iterable[Sheet]:
    yield _gross(currency, rows)
    yield _balance(currency, rows)
    yield _deposits(currency, rows)


def _gross(currency: str, rows: Sequence[YearMonth]) -> Sheet:
    names = tuple(name for name, _ in GROSS)
    lines = [(row.month, str(row.gross.number), *_cells(GROSS, row)) for row in rows]
    sums = ("year", str(sum(row.gross.number for row in rows)), *_sums(GROSS, rows, currency))
    return Sheet(
        title=f"Gross volume by the day of the charge ({currency})",
        columns=("month", "charges", *names),
        rows=(*lines, sums),
        right=frozenset({"charges", *names}),
        totals=frozenset({len(lines)}),
        notes=(
            "Refunds, disputes and fees are not taken off, as on Form 1099-K. Which methods and which day count on the form is"
            " the gateway's decision: compare with its list of the transactions on the form.",
        ),
    )


def _balance(currency: str, rows: Sequence[YearMonth]) -> Sheet:
    names = tuple(name for name, _ in MOVED)
    lines = [(row.month, _amount(row.opening), *_cells(MOVED, row), _amount(row.closing)) for row in rows]
    ends = (_amount(rows[0].opening), *_sums(MOVED, rows, currency), _amount(rows[-1].closing))
    return Sheet(
        title=f"From gross to what was paid out ({currency})",
        columns=("month", "held at first", *names, "held at last"),
        rows=(*lines, ("year", *ends)),
        right=frozenset({"held at first", *names, "held at last"}),
        totals=frozenset({len(lines)}),
    )


def _deposits(currency: str, rows: Sequence[YearMonth]) -> Sheet:
    lines = [(row.month, _amount(row.way_before), *_cells(WAY, row), _amount(row.way_after)) for row in rows]
    ends = (_amount(rows[0].way_before), *_sums(WAY, rows, currency), _amount(rows[-1].way_after))
    columns = ("month", "on its way at first", "paid out", "deposited", "on its way at last")
    return Sheet(
        title=f"From what was paid out to your bank's deposits ({currency})",
        columns=columns,
        rows=(*lines, ("year", *ends)),
        right=frozenset(columns[1:]),
        totals=frozenset({len(lines)}),
        notes=(
            "Deposited by the day of arrival that the gateway expects; a bank may show it a day later."
            " A payout that came back counts as never arrived.",
        ),
    )


def _cells(columns: Iterable[Column], row: YearMonth) -> list[str]:
    return [_amount(of(row)) for _, of in columns]


def _sums(columns: Iterable[Column], rows: Sequence[YearMonth], currency: str) -> list[str]:
    return [_amount(total((of(row) for row in rows), currency)) for _, of in columns]


def _amount(money: Money) -> str:
    """The title names the currency: twelve columns would not fit on a page otherwise."""
    return str(money).rpartition(" ")[0]


def year_csv(found: YearEnd) -> bytes:
    """A row for each month and currency, numbers as numbers."""
    money: dict[str, Callable[[YearMonth], Money]] = {
        "held_first": lambda row: row.opening,
        "gross_cards": lambda row: row.gross.cards,
        "gross_bank_debits": lambda row: row.gross.bank_debits,
        "gross_not_by_agent": lambda row: row.gross.others,
        "gross": lambda row: row.gross.total,
        "gross_utc": lambda row: row.gross.total_utc,
        "refunds": lambda row: row.refunds,
        "disputes": lambda row: row.disputes,
        "fees": lambda row: row.fees,
        "other": lambda row: row.rest,
        "paid_out": lambda row: row.paid_out,
        "held_last": lambda row: row.closing,
        "on_its_way_first": lambda row: row.way_before,
        "deposited": lambda row: row.deposited,
        "on_its_way_last": lambda row: row.way_after,
    }
    rows = [
        (row.month, currency, str(row.gross.number), *(str(of(row).major) for of in money.values()))
        for currency, of_currency in found.months.items()
        for row in of_currency
    ]
    return csv_of(("month", "currency", "charges", *money), rows)


def year_json(found: YearEnd) -> dict[str, Any]:
    return {"year": found.year, "ties": found.ties, "problems": found.problems, "report": found}
