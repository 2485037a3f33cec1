"""What the commands print: tables for a billing admin, plain data for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from connector.flows.mirror import Applied, Mirror
from connector.flows.reconcile import Reconciliation
from connector.model.agreement import Unusable
from connector.model.drift import Drift
from connector.model.money import Money
from connector.model.subscription import Arm, Cancel, Change, Create, Subscription, TakeOver, Update
from connector.overview import Overview
from connector.store.other_invoices import Uncollected
from connector.store.payers import PayerRow


def as_data(value: Any) -> Any:
    """Plain data for --json: money as {amount, currency}, dates as ISO text."""
    match value:
        case Money():
            return {"amount": str(value.major), "currency": value.currency}
        case Decimal() | date() | datetime():
            return str(value) if isinstance(value, Decimal) else value.isoformat()
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {name: as_data(getattr(value, name)) for name in value.__dataclass_fields__}
        case Mapping():
            return {str(key): as_data(item) for key, item in value.items()}
        case str() | int() | float() | bool() | None:
            return value
        case _:
            return [as_data(item) for item in value]


def print_json(value: Any) -> None:
    print(json.dumps(as_data(value), indent=2, ensure_ascii=False))


def table(title: str, *columns: str, right: Sequence[str] = ()) -> Table:
    result = Table(
        title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False, padding=(0, 2)
    )
    for column in columns:
        wide = column in right
        result.add_column(column, justify="right" if wide else "left", no_wrap=wide, overflow="fold")
    return result


def show_plan(console: Console, planned: Mirror, refused: Sequence[str]) -> None:
    plan = planned.plan
    if not plan.changes:
        console.print(f"Nothing to change: {plan.live} subscriptions are as the PSA says.")
    else:
        rows = table(f"{len(plan.changes)} changes", "change", "payer: agreement", "now", "then", "what", right=("now", "then"))
        for change in plan.changes:
            rows.add_row(*_change_row(change, plan.names))
        console.print(rows)
    show_unusable(console, plan.unusable)
    for sentence in refused:
        console.print(Text(f"Not carried out: {sentence}", style="bold red"))


def show_applied(console: Console, applied: Applied, names: Mapping[str, str]) -> None:
    console.print(f"{len(applied.done)} changes carried out.")
    for change, message in applied.failed:
        console.print(Text(f"Failed: {names.get(_unit(change), _unit(change))}: {message}", style="red"))


def show_unusable(console: Console, unusable: Sequence[Unusable]) -> None:
    if not unusable:
        return
    console.print()
    console.print(
        Text(f"{len(unusable)} agreements need attention (their subscriptions are left as they are):", style="bold yellow")
    )
    for item in unusable:
        console.print(f"  {item.reason}: {item.message}", markup=False, highlight=False)


def _unit(change: Change) -> str:
    return change.old.subscription.unit if isinstance(change, Update | Cancel) else change.new.unit


def _change_row(change: Change, names: Mapping[str, str]) -> tuple[str, str, str, str, str]:
    name = names.get(_unit(change), _unit(change))
    match change:
        case Create(new=new, first_draft=first):
            return "create", name, "", str(new.amount), f"{len(new.items)} items, first draft {first.isoformat()}"
        case Arm(new=new):
            return "arm", name, "", str(new.amount), "drafts only, released one by one"
        case Update(old=old, new=new):
            return "update", name, str(old.subscription.amount), str(new.amount), "; ".join(differences(old.subscription, new))
        case TakeOver(id=id, new=new, now=now):
            what = f"{id} becomes ours: {len(new.items)} items, drafts only, its billing day stays"
            return "take over", name, str(now), str(new.amount), what
        case Cancel(old=old, on=on, reason=reason):
            return "cancel", name, str(old.subscription.amount), "", f"no draft from {on.isoformat()}: {reason}"


def differences(old: Subscription, new: Subscription) -> list[str]:
    """In words, item by item."""
    have = {item.key: item for item in old.items}
    want = {item.key: item for item in new.items}
    said = [f"+ {want[key].quantity} x {want[key].name} ({want[key].amount})" for key in want if key not in have]
    said += [f"- {have[key].name} ({have[key].amount})" for key in have if key not in want]
    for key in have.keys() & want.keys():
        a, b = have[key], want[key]
        if a.quantity != b.quantity:
            said.append(f"{b.name}: quantity {a.quantity} -> {b.quantity}")
        if a.unit_amount != b.unit_amount:
            said.append(f"{b.name}: price {a.unit_amount} -> {b.unit_amount}")
        if (a.name, a.product) != (b.name, b.product):
            said.append(f"{a.name} is now called {b.name}")
    if old.ends != new.ends:
        said.append(f"ends {new.ends.isoformat()}" if new.ends else "goes on")
    if old.automatic != new.automatic:
        said.append("charges automatically" if new.automatic else "waits for a payment method")
    if old.paused != new.paused:
        said.append("back to drafts only" if new.paused else "released from drafts")
    if old.description != new.description:
        said.append("description")
    return said or ["as the PSA says"]


def show_drifts(console: Console, result: Reconciliation) -> None:
    if result.ties:
        console.print(Text(verdict_of(result), style="bold green"))
        return
    console.print(Text(verdict_of(result), style="bold"))
    for drift in in_order(result):
        console.print(f"  {drift.id}  {drift.kind}: {about(drift)}: {drift.message}", markup=False, highlight=False)
        console.print(f"            {way_on(drift)}", markup=False, highlight=False)


def in_order(result: Reconciliation) -> list[Drift]:
    return sorted(result.drifts, key=lambda drift: drift.waiting)


def verdict_of(result: Reconciliation) -> str:
    if result.ties:
        return f"PSA, gateway and books agree to the cent in all {len(result.rows)} periods."
    waiting = sum(drift.waiting for drift in result.drifts)
    open_ = len(result.drifts) - waiting
    return f"{open_} mismatch{'' if open_ == 1 else 'es'}, {waiting} on the way, in {len(result.rows)} periods."


def about(drift: Drift) -> str:
    return f"{drift.name}, {drift.period}" if drift.period else drift.name


def way_on(drift: Drift) -> str:
    return "goes away by itself" if drift.waiting else f"repair: {drift.repair}"


def show_overview(console: Console, facts: Overview) -> None:
    console.print(Text(f"As of {facts.now:%Y-%m-%d %H:%M} UTC", style="bold"))
    if facts.shadow:
        said = f"SHADOW MODE since {facts.shadow}: everything is computed, nothing is charged or written anywhere."
        console.print(Text(f"{said} How it compares: connector go-live-report", style="bold magenta"))
    if facts.paused:
        console.print(Text(f"{facts.paused}. Nothing is released. To go on: connector resume", style="bold red"))
    for notice in (*facts.notices, *facts.needs_attention):
        console.print(Text(f"! {notice}", style="yellow"))
    _show_connections(console, facts)
    states = ", ".join(f"{number} {state.replace('_', ' ')}" for state, number in sorted(facts.units.items()))
    console.print(f"\nBilling units: {states or 'none yet'}")
    if facts.awaiting:
        console.print(f"Waiting for a payment method: {', '.join(facts.awaiting)}  (links: connector enrol)")
    console.print(f"Collected this month: {facts.collected_this_month}")
    _show_planned(console, facts)
    show_uncollected(console, facts.uncollected)
    _show_on_their_way(console, facts)


def _show_connections(console: Console, facts: Overview) -> None:
    rows = table("Connections and flows", "name", "last success", "problem")
    for beat in facts.connections:
        down = beat.last_failure is not None and (beat.last_success is None or beat.last_failure > beat.last_success)
        seen = f"{beat.last_success:%Y-%m-%d %H:%M}" if beat.last_success else "never"
        rows.add_row(beat.name, seen, Text(beat.error if down else "", style="red"))
    console.print(rows)


def _show_planned(console: Console, facts: Overview) -> None:
    if not facts.planned:
        console.print("\nNo planned charges.")
        return
    console.print()
    rows = table("Planned charges", "payer: agreement", "period", "amount", "on", "state", "why", right=("amount",))
    for charge in facts.planned:
        why = "; ".join(f"{hold.name}: {hold.message} -> {hold.way_on}" for hold in charge.holds)
        on = charge.on.isoformat() if charge.on else ""
        rows.add_row(charge.name, charge.period, str(charge.amount), on, charge.state, Text(why))
    console.print(rows)


def show_uncollected(console: Console, rows: Sequence[Uncollected]) -> None:
    if not rows:
        return
    console.print()
    listed = table("Open, not collected by autopay", "payer", "invoice", "dated", "due", "open", "why", right=("open",))
    for row in rows:
        due = row.due.isoformat() if row.due else ""
        listed.add_row(Text(row.payer_name), row.number, row.dated.isoformat(), due, str(row.open), Text(row.why))
    console.print(listed)


def _show_on_their_way(console: Console, facts: Overview) -> None:
    if not facts.on_their_way:
        return
    console.print()
    rows = table("Payments on their way", "payer: agreement", "amount", "to", "state", "no.", "note", right=("amount", "no."))
    for item in facts.on_their_way:
        state = "needs attention" if item.state == "parked" else item.state
        rows.add_row(item.name, str(item.amount), item.target, state, str(item.delivery), Text(item.note))
    console.print(rows)


def show_sync(console: Console, report: Mapping[str, Any]) -> None:
    for name, part in report.items():
        data = as_data(part)
        if isinstance(data, dict) and data.get("error"):
            console.print(Text(f"{name}: {data['error']}", style="red"))
        elif isinstance(part, Reconciliation):
            show_drifts(console, part)
        else:
            said = ", ".join(f"{key} {_count(value)}" for key, value in data.items() if value)
            console.print(f"{name}: {said or 'nothing to do'}", markup=False)


def _count(value: Any) -> str:
    if isinstance(value, list | dict) and len(value) > 3:
        return str(len(value))
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)


def show_payers(console: Console, rows: Sequence[PayerRow]) -> None:
    if not rows:
        console.print(
            "Nobody is opted in yet. Opt a payer in through the field mapping (mappings/README.md), then: connector sync --once"
        )
        return
    listed = table(f"{len(rows)} payers", "payer", "id", "payment method", "link", "valid until")
    for row in rows:
        method = f"{row.method.replace('_', ' ')} ending {row.method_last4}" if row.method else "none yet"
        until = f"{row.link_expires:%Y-%m-%d %H:%M} UTC" if row.link_expires else ""
        listed.add_row(row.name, row.key, method, Text(row.link), until)
    console.print(listed)


def show_link(console: Console, row: PayerRow, link: str) -> None:
    what = "change the payment method" if row.method else "authorise a payment method"
    until = f" (works until {row.link_expires:%Y-%m-%d %H:%M} UTC)" if row.link_expires and not row.method else ""
    console.print(f"{row.name} can {what} here{until}:")
    print(link)
