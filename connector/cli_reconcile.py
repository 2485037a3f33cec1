"""The three-way check, and what repairs what it finds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector.cli_common import EXIT_DRIFT, EXIT_PROBLEM, ConfigOption, JsonOption, agent_of, day, terminal
from connector.errors import Busy, ConfigError

if TYPE_CHECKING:
    from connector.agent import Agent
    from connector.model.drift import Drift

SinceOption = Annotated[str | None, typer.Option(help="First day to check, e.g. 2026-01-01. Default: 92 days back.")]


def reconcile(
    config: ConfigOption = None,
    since: SinceOption = None,
    all_rows: Annotated[bool, typer.Option("--all", help="List every period, not only the mismatches.")] = False,
    html: Annotated[str, typer.Option("--html", help="Also write it to this file as a page to print.")] = "",
    csv: Annotated[str, typer.Option("--csv", help="Also write every mismatch and period to this file.")] = "",
    json_: JsonOption = False,
) -> None:
    """Compare PSA, gateway and books to the cent, and say what repairs each mismatch. Exit code 1 when there is one.

    Also each month's totals (invoiced, charged, collected, refunded, fees, deposited), and why two of them differ.
    """
    from connector import show, show_reconcile
    from connector.flows.reconcile import reconcile as check
    from connector.flows.reconcile_totals import totals
    from connector.printed import page

    with agent_of(config, progress=not json_) as agent:
        result = check(agent.desk, since=day(since))
        sums = totals(agent.desk, result.bills, since=result.since)
        if html:
            report = show_reconcile.report(result, sums, company=agent.config.company.name, now=agent.desk.now())
            Path(html).write_text(page(report), encoding="utf-8")
        if csv:
            Path(csv).write_bytes(show_reconcile.csv(result, sums))
        if json_:
            show.print_json(show_reconcile.as_json(result, sums))
        else:
            show_reconcile.show(terminal(), result, sums, rows=all_rows)
        if not result.ties:
            raise typer.Exit(EXIT_DRIFT)


def repair(
    number: Annotated[str, typer.Argument(help="The mismatch's number, as `connector reconcile` shows it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Carry it out. Without it the plan is shown, and nothing is done.")] = False,
    who: Annotated[str, typer.Option("--as", help="Your name, for the audit.")] = "",
    why: Annotated[str, typer.Option("--why", help="Why it is to be written again, for the audit.")] = "",
    since: SinceOption = None,
    config: ConfigOption = None,
    json_: JsonOption = False,
) -> None:
    """Show what would mend a mismatch, and with --yes do it. What only a person can mend says what to do, with exit code 2."""
    from connector import show, show_reconcile
    from connector.flows import repair as repairs

    with agent_of(config, progress=not json_) as agent:
        found = repairs.plan(agent.desk, number, since=day(since))
        if not yes:
            show.print_json(show_reconcile.repair_json(found)) if json_ else show_reconcile.show_repair(terminal(), found)
            if not found.steps and not found.drift.waiting:
                raise typer.Exit(EXIT_PROBLEM)
            return
        if agent.config.mode == "shadow":
            raise ConfigError("nothing was repaired: this is shadow mode (`mode: shadow`)")
        flow = repairs.carry_out(agent.desk, found, who=who, why=why)
        left = _go_on(agent, flow, found.drift, since)
        said = _said(left)
        show.print_json({"number": found.drift.id, "steps": found.steps, "said": said}) if json_ else print(said)
        if left is not None and not isinstance(left, Busy) and not left.waiting:
            raise typer.Exit(EXIT_PROBLEM)


def _go_on(agent: Agent, flow: str, drift: Drift, since: str | None) -> Drift | Busy | None:
    """At once where no agent is running; what of it is left then."""
    from connector.agent import run_flow, writing
    from connector.flows import repair as repairs
    from connector.flows.reconcile import reconcile as check

    try:
        with writing(agent, who="repair"):
            run_flow(agent, flow)
            return repairs.find(check(agent.desk, since=day(since)), drift.id)
    except Busy as error:
        return error


def _said(left: Drift | Busy | None) -> str:
    if left is None:
        return "Done, and read back: this mismatch is gone."
    if isinstance(left, Busy):
        return "It goes out with the running agent's next round."
    return f"It is not there yet: {left.message}. {'It is tried again by itself' if left.waiting else left.repair}."


COMMANDS: tuple[Any, ...] = (reconcile, repair)
