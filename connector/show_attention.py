"""What `connector parked` prints."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from connector.flows.attention import Parked
from connector.show import table


def show_parked(console: Console, rows: Sequence[Parked]) -> None:
    if not rows:
        console.print("Nothing needs attention.")
        return
    columns = ("no.", "payer: agreement", "amount", "to", "what", "since", "why and what to type")
    listed = table("Needs attention", *columns, right=("no.", "amount"))
    for row in rows:
        said = Text.assemble(row.why, "\n-> ", (row.todo, "bold"))
        amount = str(row.amount) if row.amount is not None else ""
        listed.add_row(row.id, row.name, amount, row.target, row.what, f"{row.since:%Y-%m-%d %H:%M}", said)
    console.print(listed)
