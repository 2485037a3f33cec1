"""What explain, forecast and holds print."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from rich.console import Console
from rich.text import Text

from connector.flows.explain import Explanation, Happened
from connector.flows.forecast import Forecast
from connector.flows.overrule import HeldCharge
from connector.model.charge import BreakdownLine
from connector.model.explain import in_force, plain, title
from connector.model.forecast import Coming
from connector.model.ledger import EntryKind
from connector.model.money import Money
from connector.show import show_uncollected, table

KINDS = {"base": "base", "line": "line", "elsewhere": "paid elsewhere", "true_up": "true-up", "unexplained": "not explained"}
STATES = {"released": "being collected", "written_off": "nothing was owed", "ended": "ended at the gateway"}
COLUMNS = "date payer agreement billing_unit period_start period_end amount currency basis change excluded why charge".split()


def show_explanation(console: Console, said: Explanation) -> None:
    console.print(Text(f"{said.name}, {said.period}: {said.amount}", style="bold"))
    if said.coming is not None:
        _show_when(console, said.coming, said.read_at)
    if said.happened is not None:
        _show_happened(console, said.happened)
    console.print()
    _show_lines(console, said)
    _show_differences(console, said)
    for charge in said.supplements:
        state = STATES.get(charge.state, charge.state)
        amount = charge.owed if charge.owed is not None else charge.computed
        console.print(f"In addition: {amount} for invoice {charge.psa_number}, {state} (charge {charge.id}).")


def _show_when(console: Console, one: Coming, read_at: datetime | None) -> None:
    about = "about " if one.guessed_date else ""
    if one.billed:
        console.print(f"Invoice {one.invoice} in the PSA. To be taken on {about}{one.on.isoformat()}.")
    else:
        console.print(
            f"The PSA has no invoice yet: computed from the agreement, before tax. To be taken {about}{one.on.isoformat()}."
        )
    for reason in one.reasons:
        console.print(Text(f"Not taken as it stands: {reason.name}: {reason.message} -> {reason.way_on}", style="bold yellow"))
    console.print(f"Agreement as read {f'{read_at:%Y-%m-%d %H:%M} UTC' if read_at else 'never'}.")


def _show_happened(console: Console, done: Happened) -> None:
    charge = done.charge
    when = f" on {charge.released_at:%Y-%m-%d}" if charge.released_at else ""
    bill = f" for invoice {charge.psa_number}" if charge.psa_number else ""
    console.print(f"{STATES.get(charge.state, charge.state).capitalize()}; released{when}{bill}.")
    if done.invoice is not None:
        open_ = f", {done.invoice.amount_remaining} open" if done.invoice.amount_remaining else ""
        console.print(
            f"Gateway's invoice {done.invoice.number or done.invoice.id}: {done.invoice.total}, {done.invoice.state}{open_}"
        )
    elif charge.gateway_invoice:
        console.print(f"Gateway's invoice {charge.gateway_invoice}: {done.problem or 'is gone'}")
    for entry in done.entries:
        what = "collected" if entry.kind is EntryKind.PAYMENT else f"went back ({entry.detail})"
        console.print(f"  {entry.on.isoformat()} {entry.amount} {what}")


def _show_lines(console: Console, said: Explanation) -> None:
    rows = table("What it is made of", "", "what", "quantity", "price", "in force", "PSA record", "amount", right=("amount",))
    for line in said.lines:
        rows.add_row(*_line(line))
    rows.add_row("", "", "", "", "", "", str(said.amount))
    console.print(rows)


def _line(line: BreakdownLine) -> tuple[str, Text, str, str, str, str, str]:
    price = _price(line.unit_price) if line.unit_price is not None else ""
    kind = KINDS.get(line.kind, line.kind)
    no_charge = " (no charge)" if line.kind == "line" and not line.amount else ""
    what = (title(line) if line.kind == "line" else line.description) + no_charge
    return kind, Text(what), _quantity(line), price, in_force(line), line.source, str(line.amount)


def _price(price: Decimal) -> str:
    """As long as it is, and two places at least."""
    whole, _, places = plain(price).partition(".")
    return f"{whole}.{places:0<2}"


def _quantity(line: BreakdownLine) -> str:
    if line.quantity is None:
        return ""
    if line.included:
        return f"{plain(line.quantity + line.included)} - {plain(line.included)} included = {plain(line.quantity)}"
    return plain(line.quantity)


def _show_differences(console: Console, said: Explanation) -> None:
    before = said.before
    if before is None:
        console.print("\nThere is no charge before it to compare with.")
        return
    tax = "" if said.coming is None or said.coming.billed else " (both before tax)"
    console.print()
    if not said.differences:
        console.print(f"The same as {before.period}: {before.amount}{tax}.")
        return
    change = said.amount - before.amount
    more = f"{'more' if change.minor > 0 else 'less'} than" if change else "the same as"
    total = f"{Money(abs(change.minor), change.currency)} " if change else ""
    console.print(Text(f"{total}{more} {before.period} ({before.amount}){tax}:", style="bold"))
    for difference in said.differences:
        console.print(Text(f"  {difference.what}  {signed(difference.amount)}"))


def signed(amount: Money | None) -> str:
    if amount is None:
        return ""
    return f"+{amount}" if amount.minor > 0 else str(amount)


def show_forecast(console: Console, said: Forecast) -> None:
    if said.paused:
        console.print(Text("CHARGING IS PAUSED: nothing is taken until `connector resume`.", style="bold red"))
    going = [row for row in said.rows if not row.reasons]
    out = [row for row in said.rows if row.reasons]
    rows = table(f"Coming charges until {said.until.isoformat()}", *_FORECAST, right=("amount", "change"))
    for row in going:
        rows.add_row(*_coming(row))
    console.print(rows if going else f"No charges until {said.until.isoformat()}.")
    if said.totals:
        console.print()
        sums = table("In all", "on", "charges", "amount", right=("charges", "amount"))
        for of_day in said.totals:
            sums.add_row(of_day.on.isoformat(), str(of_day.charges), str(of_day.amount))
        console.print(sums)
    _show_excluded(console, out)
    show_uncollected(console, said.uncollected)
    for sentence in said.unusable:
        console.print(Text(f"! {sentence}", style="yellow"))
    read = f"{said.read_at:%Y-%m-%d %H:%M} UTC" if said.read_at else "never"
    console.print(
        f"\nAgreements as read {read}. '~': the invoice may still move the date. Why one differs: connector explain AGREEMENT"
    )


_FORECAST = ("on", "payer: agreement", "period", "amount", "change", "basis")


def _coming(row: Coming) -> tuple[str, str, str, str, str, str]:
    on = f"{'~' if row.guessed_date else ''}{row.on.isoformat()}"
    basis = f"invoice {row.invoice}" if row.billed else "no invoice yet, before tax"
    return on, row.name, str(row.period), str(row.amount), signed(row.change), basis


def _show_excluded(console: Console, out: Sequence[Coming]) -> None:
    if not out:
        return
    console.print()
    rows = table("Not taken as it stands", "on", "payer: agreement", "period", "amount", "why", right=("amount",))
    for row in out:
        why = "; ".join(f"{reason.name}: {reason.message} -> {reason.way_on}" for reason in row.reasons)
        rows.add_row(_coming(row)[0], row.name, str(row.period), str(row.amount), Text(why))
    console.print(rows)


def forecast_csv(said: Forecast) -> str:
    """One row a charge; amounts are plain numbers, a text that a spreadsheet would take for a formula is quoted."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in said.rows:
        writer.writerow(_csv_row(row))
    return file.getvalue()


def _csv_row(row: Coming) -> tuple[str, ...]:
    last = str(row.period).partition("..")[2]
    return (
        row.on.isoformat(),
        safe(row.payer),
        safe(row.agreement),
        row.unit,
        row.period.start.isoformat(),
        last,
        str(row.amount.major),
        row.amount.currency,
        f"invoice {row.invoice}" if row.billed else "computed before tax",
        str(row.change.major) if row.change is not None else "",
        " ".join(reason.name for reason in row.reasons),
        safe("; ".join(f"{reason.message} -> {reason.way_on}" for reason in row.reasons)),
        row.charge,
    )


def safe(text: str) -> str:
    """A spreadsheet takes a text that begins like this for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def show_held(console: Console, rows: Sequence[HeldCharge]) -> None:
    if not rows:
        console.print("No charge is held.")
        return
    listed = table(
        f"{len(rows)} charges with a hold", "charge", "payer: agreement", "period", "amount", "since", "hold", right=("amount",)
    )
    for row in rows:
        since = min(hold.since for hold in row.holds)
        why = "\n".join(f"{hold.name}: {hold.message} -> {hold.way_on}" for hold in row.holds)
        listed.add_row(row.charge, row.name, row.period, str(row.amount), f"{since:%Y-%m-%d}", Text(why))
    console.print(listed)
    if any(row.overrulable for row in rows):
        names = ", ".join(sorted({hold.name for row in rows for hold in row.overrulable}))
        console.print(f'\nA person may overrule {names}: connector release CHARGE --as "NAME" --why "REASON"')
