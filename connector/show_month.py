"""What month end and year end print: one report, on the terminal, on paper, and for a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.text import Text

from connector.flows.month_end import Closing
from connector.model.money import Money
from connector.model.month_end import Clearing, GatewayMonth, MonthEnd
from connector.printed import Report, Sheet, csv_of
from connector.show import table

_STYLES = {"ok": "bold green", "warn": "bold yellow", "bad": "bold red"}


def show_report(console: Console, report: Report) -> None:
    """Any report: the same tables as on paper."""
    console.print(Text(report.title, style="bold"))
    console.print(Text(report.verdict, style=_STYLES[report.state]))
    for said in report.lead:
        console.print(Text(said))
    for sheet in report.sheets:
        console.print()
        show_sheet(console, sheet)
    if report.foot:
        console.print(Text(f"\n{report.foot}", style="dim"))


def show_sheet(console: Console, sheet: Sheet) -> None:
    if not sheet.rows:
        console.print(Text(sheet.title, style="bold"))
        console.print(Text(sheet.empty))
    else:
        rows = table(sheet.title, *sheet.columns, right=tuple(sheet.right))
        for number, row in enumerate(sheet.rows):
            rows.add_row(*(Text(cell) for cell in row), style="bold" if number in sheet.totals else None)
        console.print(rows)
    for said in sheet.notes:
        console.print(Text(said, style="dim"))


# Month end


def month_report(closing: Closing, *, company: str) -> Report:
    report = closing.report
    return Report(
        title=f"{company}: month end {report.month}",
        verdict=_verdict(closing),
        state="ok" if report.ties else "bad",
        lead=_lead(closing),
        sheets=tuple(_sheets(closing)),
        foot=_foot(closing),
    )


def _verdict(closing: Closing) -> str:
    report = closing.report
    if not report.ties:
        return f"cannot be closed: {'; '.join(report.problems)}" if closing.frozen is None else "; ".join(report.problems)
    return "it ties" if closing.frozen is not None else "it ties so far (preview)"


def _lead(closing: Closing) -> tuple[str, ...]:
    if closing.frozen is not None:
        frozen = closing.frozen
        said = f"Frozen {frozen.frozen_at:%Y-%m-%d %H:%M} UTC by {frozen.who}, fingerprint {frozen.digest[:16]}."
        return (f"{said} Why it was closed as it is: {frozen.why}" if frozen.why else said,)
    if closing.report.ties:
        return ("A preview: nothing is frozen.",)
    return (
        "Nothing is frozen. Put right what is listed below and run it again; to close the month as it is all the same,"
        " say who and why: --as NAME --why TEXT",
    )


def _foot(closing: Closing) -> str:
    report = closing.report
    return f"As the partners answered on {report.taken_at:%Y-%m-%d %H:%M} UTC. {' '.join(report.notes)}"


def _sheets(closing: Closing) -> Iterable[Sheet]:
    report = closing.report
    if closing.frozen is not None and not closing.newly:
        yield _late(closing)
    if report.unbooked:
        yield _unbooked(report)
    for one in report.gateway:
        yield _gateway(one)
    if report.clearing is not None:
        yield _clearing(report.clearing)
    yield _on_its_way(report)
    yield _unapplied(report)
    yield _owed(report)


def _late(closing: Closing) -> Sheet:
    rows = [(one.on.isoformat(), one.payer, one.what, str(one.amount)) for one in closing.late]
    changed = tuple(f"Changed since: {said}" for said in closing.since)
    return Sheet(
        title="Since it was frozen: entries that belong to this month",
        columns=("date", "payer", "what", "amount"),
        rows=tuple(rows),
        right=frozenset({"amount"}),
        notes=changed,
        empty="No entry came later." if changed else "No entry came later, and no figure has changed.",
    )


def _unbooked(report: MonthEnd) -> Sheet:
    rows = [(one.on.isoformat(), one.payer, one.what, str(one.amount), one.target, one.why, one.do) for one in report.unbooked]
    return Sheet(
        title="Not booked at the end of the month",
        columns=("date", "payer", "what", "amount", "where", "why", "what to do"),
        rows=tuple(rows),
        right=frozenset({"amount"}),
    )


def _gateway(one: GatewayMonth) -> Sheet:
    opening = "the gateway's balance less all that moved since"
    if one.frozen_closing is not None:
        same = "the same as" if one.frozen_closing == one.opening else f"NOT {one.frozen_closing}, which was"
        opening = f"{opening}; {same} the closing of the month before, as it was frozen"
    rows = [("opening balance", "", str(one.opening), opening)]
    rows += [(_plus(f.name), _count(f.count), str(f.amount), f.source) for f in one.figures]
    rows.append(("closing balance", "", str(one.closing), "the gateway's balance less all that moved after the month"))
    return Sheet(
        title=f"What the gateway held ({one.currency})",
        columns=("", "number", "amount", "where it comes from"),
        rows=tuple(rows),
        right=frozenset({"number", "amount"}),
        totals=frozenset({0, len(rows) - 1}),
    )


def _plus(name: str) -> str:
    return f"+ {name}"


def _count(number: int | None) -> str:
    return "" if number is None else str(number)


def _clearing(one: Clearing) -> Sheet:
    rows = [("closing balance at the gateway", str(one.gateway), "see above")]
    rows += [(_plus(figure.name), str(figure.amount), figure.source) for figure in one.apart]
    if one.brought_forward:
        rows.append(("+ brought forward", str(one.brought_forward), "what the two differed by when the month began"))
    rows.append(("what the account should show", str(one.expected), ""))
    rows.append((f"{one.account} in the books", str(one.closing), "the account's balance at the end of the last day"))
    rows.append(("difference", str(one.unexplained), "" if one.unexplained else "it ties"))
    notes = (
        ("Brought forward means that the account did not stand for the gateway's balance before: enter the difference"
         " once, by a journal of your accountant's.",)
        if one.brought_forward
        else ()
    )  # fmt: skip
    return Sheet(
        title="Beside it: the clearing account in the books",
        columns=("", "amount", "where it comes from"),
        rows=tuple(rows),
        right=frozenset({"amount"}),
        totals=frozenset({len(rows) - 3, len(rows) - 2, len(rows) - 1}),
        notes=notes,
    )


def _on_its_way(report: MonthEnd) -> Sheet:
    rows = [(o.released.isoformat(), o.payer, o.invoice, str(o.amount), o.now) for o in report.on_its_way]
    sums = _sums(one.amount for one in report.on_its_way)
    return Sheet(
        title="Bank debits on their way over the end of the month",
        columns=("released", "payer", "invoice", "amount", "since"),
        rows=(*rows, *(("", "together", "", said, "") for said in sums)),
        right=frozenset({"amount"}),
        totals=frozenset(range(len(rows), len(rows) + len(sums))),
        empty="None.",
    )


def _unapplied(report: MonthEnd) -> Sheet:
    whose = {True: "collected by the agent", False: "entered by somebody else"}
    rows = [(one.payer, str(one.amount), whose[one.ours]) for one in report.unapplied]
    return Sheet(
        title="Payers' money that stands on no invoice",
        columns=("payer", "amount", "whose entry"),
        rows=tuple(rows),
        right=frozenset({"amount"}),
        notes=("As the books say now, not at the end of the month.",) if rows else (),
        empty="None.",
    )


def _owed(report: MonthEnd) -> Sheet:
    rows = [(o.payer, str(o.psa), _text(o.books), _text(o.difference), o.why) for o in report.owed]
    return Sheet(
        title="Receivables by payer",
        columns=("payer", "PSA", "books", "difference", "why"),
        rows=tuple(rows),
        right=frozenset({"PSA", "books", "difference"}),
        notes=(
            "PSA: open now, and what the agent wrote under a later day. Books: the balance at the end of the last day.",
        ) if rows else (),
        empty="No payer owed anything.",
    )  # fmt: skip


def _sums(amounts: Iterable[Money]) -> list[str]:
    found: dict[str, Money] = {}
    for amount in amounts:
        found[amount.currency] = found.get(amount.currency, Money.zero(amount.currency)) + amount
    return [str(amount) for amount in found.values()]


def _text(amount: Money | None) -> str:
    return "" if amount is None else str(amount)


CSV_COLUMNS = "part what date payer number amount books difference currency note".split()


def month_csv(closing: Closing) -> bytes:
    """A row for each figure, numbers as numbers. `part` names the table."""
    report = closing.report
    rows = [_line(part, **cells) for part, cells in _csv_parts(report)]
    rows += [_line("since frozen", what=o.what, date=o.on.isoformat(), payer=o.payer, amount=o.amount) for o in closing.late]
    return csv_of(CSV_COLUMNS, rows)


def _csv_parts(report: MonthEnd) -> Iterable[tuple[str, dict[str, Any]]]:
    for one in report.unbooked:
        note = f"{one.target}: {one.why}"
        yield "not booked", {"what": one.what, "date": one.on.isoformat(), "payer": one.payer, "amount": one.amount, "note": note}
    for held in report.gateway:
        yield "gateway", {"what": "opening balance", "amount": held.opening}
        for f in held.figures:
            yield "gateway", {"what": f.name, "number": _count(f.count), "amount": f.amount, "note": f.source}
        yield "gateway", {"what": "closing balance", "amount": held.closing}
    if report.clearing is not None:
        yield from (("clearing account", cells) for cells in _csv_clearing(report.clearing))
    for way in report.on_its_way:
        on = way.released.isoformat()
        yield "on its way", {"what": way.invoice, "date": on, "payer": way.payer, "amount": way.amount, "note": way.now}
    for loose in report.unapplied:
        yield "unapplied", {"payer": loose.payer, "amount": loose.amount, "note": "the agent's" if loose.ours else "another's"}
    for o in report.owed:
        yield "receivables", {"payer": o.payer, "amount": o.psa, "books": o.books, "difference": o.difference, "note": o.why}


def _csv_clearing(one: Clearing) -> Iterable[dict[str, Any]]:
    yield {"what": "closing balance at the gateway", "amount": one.gateway}
    for f in one.apart:
        yield {"what": f.name, "number": _count(f.count), "amount": f.amount, "note": f.source}
    yield {"what": "brought forward", "amount": one.brought_forward}
    yield {"what": f"{one.account} in the books", "amount": one.closing, "difference": one.unexplained}


def _line(part: str, **cells: Any) -> list[str]:
    currency = next((value.currency for value in cells.values() if isinstance(value, Money)), "")
    said = {name: str(value.major) if isinstance(value, Money) else value or "" for name, value in cells.items()}
    found: dict[str, str] = {"part": part, "currency": currency, **said}
    return [found.get(name, "") for name in CSV_COLUMNS]


def month_json(closing: Closing) -> dict[str, Any]:
    """For a program: amounts with their currency, and what follows from the figures."""
    report, frozen = closing.report, closing.frozen
    return {
        "month": report.month,
        "ties": report.ties,
        "problems": report.problems,
        "frozen": None
        if frozen is None
        else {"at": frozen.frozen_at, "by": frozen.who, "why": frozen.why, "sha256": frozen.digest},
        "report": report,
        "clearing_unexplained": report.clearing.unexplained if report.clearing is not None else None,
        "late": closing.late,
        "changed_since": closing.since,
    }
