"""The billing run: list what goes out in the coming days, and approve it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from connector.cli_common import ConfigOption, JsonOption, agent_of, terminal

DaysOption = Annotated[int | None, typer.Option(min=0, max=60, help="How many days ahead. Default: charging.run_days_ahead.")]


def billing_run(
    days: DaysOption = None,
    payer: Annotated[str, typer.Option(help="Only this payer: the beginning of the name.")] = "",
    csv: Annotated[str, typer.Option(help="Write it to this file as CSV; - prints it.")] = "",
    config: ConfigOption = None,
    json_: JsonOption = False,
) -> None:
    """List the coming run: every charge with its amount, its change and its approval, what is excluded and why."""
    from connector.flows.billing_run import billing_run as coming_run
    from connector.show import print_json
    from connector.show_run import run_csv, show_run

    with agent_of(config) as agent:
        run = coming_run(agent.desk, days=days, payer=payer)
        if json_:
            print_json(run)
        elif csv == "-":
            print(run_csv(run), end="")
        elif csv:
            Path(csv).write_text(run_csv(run), encoding="utf-8")
            print(f"{len(run.rows)} charges written to {csv}")
        else:
            show_run(terminal(), run)


def approve(
    charges: Annotated[
        list[str] | None, typer.Argument(help="Ids as `connector billing-run` shows them; none with --all.")
    ] = None,
    who: Annotated[str, typer.Option("--as", help="Your name, for the audit.")] = "",
    why: Annotated[str, typer.Option("--why", help="Why, for the audit.")] = "",
    all_: Annotated[bool, typer.Option("--all", help="Everything in the run that waits for approval.")] = False,
    without: Annotated[list[str] | None, typer.Option("--except", help="With --all: not this charge; may be repeated.")] = None,
    payer: Annotated[str, typer.Option(help="With --all: of this payer only, by the beginning of the name.")] = "",
    days: DaysOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --all: do it, after you have looked at the list.")] = False,
    config: ConfigOption = None,
) -> None:
    """Approve charges of the coming run at the amounts shown. One whose amount changes afterwards waits for approval again."""
    from connector.flows.billing_run import approve as approved
    from connector.flows.billing_run import billing_run as coming_run
    from connector.show_run import show_approved, show_run

    if not who.strip() or not why.strip():
        raise typer.BadParameter('say who you are and why, both are kept: --as "Dana" --why "checked against the agreements"')
    if bool(charges) == all_:
        raise typer.BadParameter("name the charges, or say --all")
    with agent_of(config) as agent:
        run = coming_run(agent.desk, days=60 if charges and days is None else days, payer=payer)
        if all_ and not yes:
            show_run(terminal(), run)
            print("\nNothing was approved. To approve what waits in this list, say it again with --yes")
            return
        done = approved(agent.desk, run, charges=charges or (), without=without or (), who=who, why=why)
        show_approved(terminal(), done, coming_run(agent.desk, days=60 if charges and days is None else days, payer=payer))


COMMANDS: tuple[Any, ...] = (billing_run, approve)
