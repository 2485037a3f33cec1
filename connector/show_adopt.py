"""What adopt prints."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.text import Text

from connector.flows.adopt import Proposals
from connector.flows.adopt_confirm import Confirmed
from connector.model.adopt import Proposal
from connector.show import table

MOST = 40  # so many strangers are named; the file of a large account would scroll away what matters


def show_proposals(console: Console, found: Proposals, path: Path) -> None:
    counts = Counter(row.confidence for row in found.rows)
    said = ", ".join(f"{number} {word}" for word, number in sorted(counts.items())) or "nothing to propose"
    console.print(Text(f"{len(found.rows)} proposals ({said}); {found.linked} payers have their customer already.", style="bold"))
    rows = table(
        "", "payer", "agreement", "amount", "customer", "method", "subscription", "matched by", "confidence", right=("amount",)
    )
    for row in found.rows:
        rows.add_row(*_row(row))
    if found.rows:
        console.print(rows)
    for sentence in found.beside:
        console.print(Text(f"! {sentence}", style="bold red"))
    if found.strangers:
        names = ", ".join(f"{one.name or 'without a name'} ({one.id})" for one in found.strangers[:MOST])
        more = f" and {len(found.strangers) - MOST} more" if len(found.strangers) > MOST else ""
        console.print(Text(f"Customers at the gateway that no payer was found for: {names}{more}", style="yellow"))
    console.print(f"\nNothing was changed. Written to {path}: put a decision into its last column, for each row one of")
    console.print("  yes        adopt the customer, and take the subscription over if the row names one")
    console.print("  customer   adopt the customer alone; charges wait until the subscription is ended at the gateway")
    console.print("  unrelated  the subscription is for something else and stays as it is")
    console.print("  no         (or empty) leave it; or the id of another customer to adopt that one")
    console.print(f'Then: connector adopt --confirm {path} --as "Dana" --why "checked with accounting"')


def _row(row: Proposal) -> tuple[Text, Text, str, Text, str, Text, str, Text]:
    customer, subscription = row.customer, row.subscription
    method = customer.default_method if customer else None
    what = f"{subscription.amount} ({subscription.id})" if subscription else ""
    return (
        Text(row.payer.name),
        Text(row.unit.root.name if row.unit else ""),
        str(row.amount) if row.amount is not None else "",
        Text(f"{customer.name} {customer.email} ({customer.id})" if customer else "none found"),
        f"{str(method.kind).replace('_', ' ')} {method.last4}" if method else "",
        Text(f"{what}; {row.note}" if row.note else what),
        row.matched_by,
        Text(row.confidence, style="yellow" if row.confidence in ("ambiguous", "none") else ""),
    )


def show_confirmed(console: Console, done: Confirmed, marked: int | None) -> None:
    if not (done.customers or done.subscriptions or done.unrelated):
        console.print("Nothing new: this file was confirmed before, or no row has a decision.")
    for what, items in (
        ("Customers adopted", done.customers),
        ("Subscriptions to be taken over", done.subscriptions),
        ("Subscriptions that are for something else", done.unrelated),
    ):
        if items:
            console.print(f"{what} ({len(items)}): {', '.join(items)}", markup=False)
    if marked is None and done.customers:
        console.print("Our marker is put on the customers by the running agent, or when live mode begins.")
    if done.subscriptions:
        console.print("What becomes of the subscriptions: connector plan")
