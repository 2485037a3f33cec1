"""What go-live-report prints and writes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from html import escape

from rich.console import Console
from rich.text import Text

from connector.flows.golive import GoLive, Seen
from connector.model.money import Money
from connector.model.shadow import Outcome, paid
from connector.show import table

WORDS = {
    Outcome.MATCHES: "matches to the cent",
    Outcome.DIFFERS: "DIFFERS",
    Outcome.HELD: "would be held",
    Outcome.NOT_COLLECTED: "not collected yet",
    Outcome.NOT_DUE: "not due yet",
    Outcome.NO_INVOICE: "no invoice",
}
COLUMNS = (
    "bill_date payer_and_agreement period psa_invoice agreement_amount tax psa_total would_charge charge_date collected_elsewhere"
    " paid_on difference currency outcome reason payments"
).split()
STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem;color:#17202a}
table{border-collapse:collapse;width:100%;margin:1rem 0}th,td{text-align:left;padding:.3rem .7rem .3rem 0;vertical-align:top;
border-bottom:1px solid #dfe3e8}td.n{text-align:right;white-space:nowrap}.good{color:#18794e}.bad{color:#b42318}"""


def show_report(console: Console, report: GoLive) -> None:
    console.print(Text(headline(report), style="bold green" if report.ready else "bold red"))
    for blocker in report.blockers:
        console.print(Text(f"  because {blocker}", style="red"))
    for line in summary(report):
        console.print(Text(line))
    rows = table(
        "",
        "bill date",
        "payer: agreement",
        "PSA invoice",
        "would charge",
        "on",
        "collected",
        "outcome",
        right=("would charge", "collected"),
    )
    for row in report.rows:
        rows.add_row(*_row(row))
    if report.rows:
        console.print(rows)
    _show_first_run(console, report)
    for note in (*report.unusable, *report.warnings, *report.notes):
        console.print(Text(f"! {note}", style="yellow"))


def headline(report: GoLive) -> str:
    what = f"the bills of {report.month}" if report.month else f"all since {report.since.isoformat()}"
    return f"Shadow mode, {what}: {'ready to go live' if report.ready else 'NOT ready to go live'}"


def summary(report: GoLive) -> list[str]:
    said = [
        f"{one.charges} charges: the PSA billed {one.invoiced}, {one.collected} was collected elsewhere, the agent would have"
        f" charged {one.would_charge}."
        for one in report.sums
    ]
    counts = ", ".join(f"{number} {word}" for outcome, word in WORDS.items() if (number := report.count(outcome)))
    return [*said, f"Of these: {counts}." if counts else "Nothing was seen yet."]


def _row(row: Seen) -> tuple[str, Text, str, str, str, str, Text]:
    charge = row.charge
    said = f"{WORDS[row.outcome]}{f': {row.reason}' if row.reason else ''}"
    bad = row.outcome in (Outcome.DIFFERS, Outcome.HELD, Outcome.NO_INVOICE)
    return (
        charge.bill_day.isoformat(),
        Text(charge.name),
        charge.psa_number,
        _text(charge.amount),
        charge.charge_date.isoformat() if charge.charge_date else "",
        _text(charge.collected),
        Text(said, style="red" if bad else ""),
    )


def _show_first_run(console: Console, report: GoLive) -> None:
    console.print()
    if not report.first_run:
        console.print("Live mode would charge nothing in the next five weeks.")
        return
    rows = table("What live mode would charge first", "on", "payer: agreement", "amount", "kept back by", right=("amount",))
    for one in report.first_run:
        about = "about " if one.guessed_date else ""
        amount = f"{one.amount}{'' if one.billed else ' before tax'}"
        rows.add_row(f"{about}{one.on.isoformat()}", Text(one.name), amount, ", ".join(reason.name for reason in one.reasons))
    console.print(rows)
    for total in report.first_totals:
        console.print(f"  {total.on.isoformat()}: {total.charges} charges, {total.amount}")


def report_csv(report: GoLive) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_csv_row(row) for row in report.rows)
    return text.getvalue()


def _csv_row(row: Seen) -> list[str]:
    charge = row.charge
    amounts = (charge.computed, charge.tax, charge.invoiced, charge.amount)
    return [
        charge.bill_day.isoformat(),
        _plain(charge.name),
        str(charge.period),
        _plain(charge.psa_number),
        *("" if amount is None else str(amount.major) for amount in amounts),
        charge.charge_date.isoformat() if charge.charge_date else "",
        str(charge.collected.major),
        charge.last_paid.isoformat() if charge.last_paid else "",
        str(charge.difference.major) if charge.difference is not None else "",
        charge.currency,
        row.outcome,
        _plain(row.reason),
        _plain(paid(charge)) if charge.collected else "",
    ]


def _plain(text: str) -> str:
    """A spreadsheet would take a cell that begins like this for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text


def report_html(report: GoLive, *, company: str) -> str:
    """One page without scripts, to be sent to whoever decides."""
    verdict = "good" if report.ready else "bad"
    head = "".join(f"<th>{escape(name)}</th>" for name in ("bill date", "payer: agreement", "PSA invoice", "agreement", "tax",
        "PSA total", "would charge", "on", "collected elsewhere", "outcome"))  # fmt: skip
    rows = "".join(_html_row(row) for row in report.rows)
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(company)}: go-live report</title>
<style>{STYLE}</style></head><body><h1>{escape(company)}</h1><h2 class="{verdict}">{escape(headline(report))}</h2>
{_list(f"because {one}" for one in report.blockers)}{_list(summary(report))}
<table><tr>{head}</tr>{rows}</table>
<h2>What live mode would charge first</h2>{_list(_first(report))}
{_list((*report.unusable, *report.warnings, *report.notes))}</body></html>
"""


def _html_row(row: Seen) -> str:
    charge = row.charge
    amounts = (charge.computed, charge.tax, charge.invoiced, charge.amount)
    cells = [f"<td>{charge.bill_day.isoformat()}</td><td>{escape(charge.name)}</td><td>{escape(charge.psa_number)}</td>"]
    cells += [f'<td class="n">{escape(_text(amount))}</td>' for amount in amounts]
    cells.append(f'<td>{charge.charge_date or ""}</td><td class="n">{escape(str(charge.collected))}</td>')
    said = f"{WORDS[row.outcome]}{f': {row.reason}' if row.reason else ''}"
    return f"<tr>{''.join(cells)}<td>{escape(said)}</td></tr>"


def _first(report: GoLive) -> Iterable[str]:
    for one in report.first_run:
        kept = f" (kept back: {', '.join(reason.name for reason in one.reasons)})" if one.reasons else ""
        yield f"{one.on.isoformat()}: {one.name}, {one.amount}{'' if one.billed else ' before tax'}{kept}"


def _list(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _text(amount: Money | None) -> str:
    return "" if amount is None else str(amount)
