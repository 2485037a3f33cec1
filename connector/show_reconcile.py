"""What the three-way check prints: on the terminal, on paper, for a spreadsheet, and for a program."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from rich.console import Console

from connector import show_totals
from connector.flows.reconcile import Reconciliation
from connector.flows.reconcile_totals import Totals
from connector.flows.repair import Repair
from connector.model.drift import Drift, Row
from connector.model.money import Money
from connector.printed import Report, Sheet, csv_of
from connector.show import about, in_order, show_drifts, table, verdict_of, way_on
from connector.show_month import show_sheet

_FIGURES = ("PSA", "collected", "in books", "open")
_COLUMNS = ("payer: agreement", "period", "invoice", *_FIGURES, "state")


def show(console: Console, result: Reconciliation, totals: Totals, *, rows: bool) -> None:
    if rows:
        listed = table(f"Three-way check since {result.since.isoformat()}", *_COLUMNS, right=_FIGURES)
        for row in result.rows:
            listed.add_row(*_cells(row))
        console.print(listed)
        console.print()
    for sheet in show_totals.sheets(totals):
        if sheet.rows:
            show_sheet(console, sheet)
            console.print()
    show_drifts(console, result)


def _cells(row: Row) -> tuple[str, ...]:
    figures = (row.psa_total, row.gateway_collected, row.books_ours, row.psa_open)
    return (row.name, str(row.period), row.psa_number, *map(_amount, figures), str(row.state or "no charge"))


def _amount(money: Money | None) -> str:
    return "" if money is None else str(money)


# On paper


def report(result: Reconciliation, totals: Totals, *, company: str, now: datetime) -> Report:
    return Report(
        title=f"{company}: three-way check since {result.since.isoformat()}",
        verdict=verdict_of(result),
        state="ok" if result.ties else "warn" if all(drift.waiting for drift in result.drifts) else "bad",
        lead=("What is on its way goes away by itself. Everything else: as the last column says.",) if result.drifts else (),
        sheets=(_drift_sheet(result), *show_totals.sheets(totals), _row_sheet(result)),
        foot=f"As the partners answered on {now:%Y-%m-%d %H:%M} UTC.",
    )


def _drift_sheet(result: Reconciliation) -> Sheet:
    columns = ("number", "what", "payer: agreement", "period", "what is so", "what to do")
    rows = (
        (d.id, d.kind.replace("_", " "), d.name, str(d.period or ""), d.message, way_on(d).removeprefix("repair: "))
        for d in in_order(result)
    )
    return Sheet(title="Mismatches", columns=columns, rows=tuple(rows), empty="None.")


def _row_sheet(result: Reconciliation) -> Sheet:
    rows = tuple(_cells(row) for row in result.rows)
    return Sheet(title="Every period", columns=_COLUMNS, rows=rows, right=frozenset(_FIGURES), empty="Nothing was billed.")


# For a spreadsheet

CSV_COLUMNS = "part number what payer period invoice psa collected books open amount currency state note repair".split()


def csv(result: Reconciliation, totals: Totals) -> bytes:
    """A row for each mismatch, period, total and reason, numbers as numbers. `part` names the table."""
    sums = [_line(**cells) for cells in show_totals.cells(totals)]
    return csv_of(CSV_COLUMNS, [*map(_csv_drift, in_order(result)), *map(_csv_row, result.rows), *sums])


def _csv_drift(drift: Drift) -> list[str]:
    return _line(
        part="mismatch",
        number=drift.id,
        what=drift.kind,
        payer=drift.name,
        period=str(drift.period or ""),
        amount=drift.amount,
        state="on its way" if drift.waiting else "open",
        note=drift.message,
        repair="" if drift.waiting else drift.repair,
    )


def _csv_row(row: Row) -> list[str]:
    return _line(
        part="period",
        payer=row.name,
        period=str(row.period),
        invoice=row.psa_number,
        psa=row.psa_total,
        collected=row.gateway_collected,
        books=row.books_ours,
        open=row.psa_open,
        state=str(row.state or "no charge"),
    )


def _line(**cells: str | Money | None) -> list[str]:
    currency = next((value.currency for value in cells.values() if isinstance(value, Money)), "")
    said = {name: str(value.major) if isinstance(value, Money) else value or "" for name, value in cells.items()}
    return [{"currency": currency, **said}.get(name, "") for name in CSV_COLUMNS]


# For a program


def as_json(result: Reconciliation, totals: Totals) -> dict[str, Any]:
    return {
        "ties": result.ties,
        "since": result.since,
        "totals_since": totals.since,
        "totals": totals.months,
        "drifts": list(map(_drift_json, in_order(result))),
        "rows": [{"number": row.psa_number, **_row_json(row)} for row in result.rows],
    }


def _drift_json(drift: Drift) -> dict[str, Any]:
    plain = ("id", "kind", "unit", "name", "period", "message", "repair", "waiting", "about", "amount")
    return {name: getattr(drift, name) for name in plain} | {"by_agent": drift.mend is not None}


def _row_json(row: Row) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__dataclass_fields__ if name not in ("payments", "told", "number")}


def repair_json(found: Repair) -> dict[str, Any]:
    return {"mismatch": _drift_json(found.drift), "steps": found.steps, "by_hand": found.by_hand, "notes": found.notes}


def show_repair(console: Console, found: Repair) -> None:
    drift = found.drift
    console.print(f"{drift.id}  {drift.kind}: {about(drift)}", markup=False, highlight=False, style="bold")
    console.print(f"  {drift.message}", markup=False, highlight=False)
    _show_lines(console, found.notes)
    if not found.steps:
        console.print(f"What to do: {found.by_hand}", markup=False, highlight=False)
        return
    console.print("What would be written:")
    _show_lines(console, found.steps)
    console.print(f"\nNothing was written. To do it: connector repair {drift.id} --yes --as NAME --why TEXT", markup=False)


def _show_lines(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(f"  - {line}", markup=False, highlight=False)
