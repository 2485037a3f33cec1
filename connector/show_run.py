"""What the billing run prints."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from connector.flows.billing_run import BillingRun, id_of
from connector.model.approval import Asked
from connector.model.forecast import Coming
from connector.show import table
from connector.show_charges import safe, signed

WORDS = {Asked.NO: "not needed", Asked.YES: "WAITS", Asked.AGAIN: "WAITS again", Asked.SECOND: "WAITS for a second person"}
COLUMNS = "date payer agreement period amount currency change change_percent approval excluded why charge".split()


def show_run(console: Console, run: BillingRun) -> None:
    title = f"Billing run until {run.until.isoformat()}"
    rows = table(title, "on", "payer", "agreement", "amount", "change", "", "approval", "charge", right=("amount", "change"))
    for row in run.going:
        rows.add_row(
            row.on.isoformat(),
            row.payer,
            row.agreement,
            str(row.amount),
            signed(row.change),
            _percent(row),
            _approval(row),
            id_of(row),
        )
    console.print(rows if run.going else f"Nothing goes out until {run.until.isoformat()}.")
    for total in run.totals:
        console.print(Text(f"{total.on.isoformat()}: {total.charges} charges, {total.amount}", style="bold"))
    _show_excluded(console, run.excluded)
    waiting = [row for row in run.going if row.approval.waits]
    if waiting:
        console.print(f"\n{len(waiting)} wait for approval: connector approve --all --as NAME --why TEXT")


def _show_excluded(console: Console, excluded: Sequence[Coming]) -> None:
    if not excluded:
        return
    console.print()
    rows = table("Not in it", "on", "payer", "agreement", "amount", "why", "what to do", right=("amount",))
    for row in excluded:
        for reason in row.reasons:
            why = f"{reason.name}: {reason.message}"
            rows.add_row(row.on.isoformat(), row.payer, row.agreement, str(row.amount), why, reason.way_on)
    console.print(rows)


def show_approved(console: Console, done: Sequence[Coming], run: BillingRun) -> None:
    now = {id_of(row): row for row in run.rows}
    for row in done:
        after = now.get(id_of(row), row)
        left = f", {after.approval.message}" if after.approval.waits else ""
        console.print(f"{row.name}, {row.period}, {row.amount}: approved{left}.")
        for reason in after.reasons:
            console.print(f"  It stays held: {reason.name}: {reason.message} -> {reason.way_on}")
    if not done:
        console.print("Nothing in this run waits for approval.")


def run_csv(run: BillingRun) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in run.rows:
        writer.writerow(
            [
                row.on.isoformat(),
                safe(row.payer),
                safe(row.agreement),
                str(row.period),
                row.amount.major,
                row.amount.currency,
                row.change.major if row.change is not None else "",
                _percent(row),
                _approval(row),
                " ".join(reason.name for reason in row.reasons),
                safe("; ".join(reason.message for reason in row.reasons)),
                id_of(row),
            ]
        )
    return out.getvalue()


def _approval(row: Coming) -> str:
    return row.approval.message if row.approval.asked is Asked.GIVEN else WORDS[row.approval.asked]


def _percent(row: Coming) -> str:
    """Of what it was the period before."""
    before = row.amount.minor - row.change.minor if row.change is not None else 0
    if row.change is None or not row.change or before <= 0:
        return ""
    return f"{row.change.minor * 100 / before:+.0f} %"
