"""The commands about charges: what one is made of, what is to come, what is held, and how a person steps in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector.cli_common import (
    EXIT_PROBLEM,
    ConfigOption,
    JsonOption,
    WhoOption,
    WhyOption,
    agent_of,
    check_named,
    day,
    terminal,
)

if TYPE_CHECKING:
    from connector.agent import Agent
    from connector.flows.overrule import HeldCharge


def explain(
    agreement: Annotated[str, typer.Argument(help="Agreement's id, or the beginning of the payer's or the agreement's name.")],
    period: Annotated[str | None, typer.Option(help="Any day of the period, e.g. 2026-01-31. Default: the next charge.")] = None,
    config: ConfigOption = None,
    json_: JsonOption = False,
) -> None:
    """Show what a charge is made of, to the cent, and line by line why it differs from the period before. Changes nothing."""
    from connector.flows.explain import explain as explained
    from connector.show import print_json
    from connector.show_charges import show_explanation

    with agent_of(config) as agent:
        result = explained(agent.desk, agreement, period=day(period))
        print_json(result) if json_ else show_explanation(terminal(), result)


def forecast(
    days: Annotated[int, typer.Option(min=0, max=400, help="How many days ahead.")] = 45,
    csv: Annotated[str, typer.Option(help="Write it to this file as CSV; - prints it.")] = "",
    config: ConfigOption = None,
    json_: JsonOption = False,
) -> None:
    """List all coming charges with date, amount and change, and what keeps each one back. Changes nothing."""
    from connector.flows.forecast import forecast as forecasted
    from connector.show import print_json
    from connector.show_charges import forecast_csv, show_forecast

    with agent_of(config) as agent:
        result = forecasted(agent.desk, days=days)
        if json_:
            print_json(result)
        elif csv == "-":
            print(forecast_csv(result), end="")
        elif csv:
            Path(csv).write_text(forecast_csv(result), encoding="utf-8")
            print(f"{len(result.rows)} charges written to {csv}")
        else:
            show_forecast(terminal(), result)


def holds(
    name: Annotated[str, typer.Option(help="Only charges with this hold, e.g. cap.")] = "",
    payer: Annotated[str, typer.Option(help="Only this payer: id, or the beginning of the name.")] = "",
    config: ConfigOption = None,
    json_: JsonOption = False,
) -> None:
    """List the charges that are held, why, and what to do about each."""
    from connector.flows.overrule import held
    from connector.show import print_json
    from connector.show_charges import show_held

    with agent_of(config) as agent:
        rows = held(agent.desk, name=name, payer=payer)
        print_json(rows) if json_ else show_held(terminal(), rows)


def release(
    charge: Annotated[str, typer.Argument(help="The charge's id, as `connector holds` shows it.")] = "",
    why: WhyOption = "",
    who: WhoOption = "",
    name: Annotated[str, typer.Option(help="Overrule this hold only. With --all: of every charge that has it.")] = "",
    all_: Annotated[bool, typer.Option("--all", help="Every charge with the hold that --name says; shows them first.")] = False,
    payer: Annotated[str, typer.Option(help="With --all: of this payer only.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="With --all: do it, after you have looked at the list.")] = False,
    config: ConfigOption = None,
) -> None:
    """Overrule a hold: the charge goes out with the agent's next round, at the amount that is shown, if nothing else holds it."""
    from connector.flows.overrule import held, overrule

    check_named(who, why)
    if bool(charge) == all_ or (all_ and not name):
        raise typer.BadParameter("name one charge, or --name HOLD --all")
    with agent_of(config) as agent:
        if charge:
            _say(overrule(agent.desk, charge, name=name, who=who, why=why), name)
            return
        rows = [row for row in held(agent.desk, name=name, payer=payer) if name in {h.name for h in row.overrulable}]
        _release_all(agent, rows, name=name, who=who, why=why, yes=yes)


def pause(why: WhyOption = "", who: WhoOption = "", config: ConfigOption = None) -> None:
    """Stop charging: from the agent's next round on nothing is released, and open invoices are no longer collected."""
    from connector.flows.switch import pause as switched_off

    check_named(who, why)
    with agent_of(config) as agent:
        switched_off(agent.desk, who=who, why=why)
        print("Charging is paused. Nothing is released, and a running agent stops what is open within one round of release.")
        print("A bank debit that is under way cannot be stopped. To go on: connector resume")


def resume(why: WhyOption = "", who: WhoOption = "", config: ConfigOption = None) -> None:
    """Go on charging after `pause`: what fell due meanwhile goes out with the next round, once, at what is owed then."""
    from connector.flows.switch import resume as switched_on

    check_named(who, why)
    with agent_of(config) as agent:
        said = switched_on(agent.desk, who=who, why=why)
        print(f"Charging goes on. It was paused since {said['since'][:16].replace('T', ' ')} UTC by {said['who']}: {said['why']}")


COMMANDS: tuple[Any, ...] = (explain, forecast, holds, release, pause, resume)


def _release_all(agent: Agent, rows: list[HeldCharge], *, name: str, who: str, why: str, yes: bool) -> None:
    from connector.flows.overrule import overrule
    from connector.show_charges import show_held

    if not rows:
        print(f"No charge has a hold {name!r} that a person may overrule; see them all with: connector holds")
        raise typer.Exit(EXIT_PROBLEM)
    show_held(terminal(), rows)
    if not yes:
        print(f"\nNothing was done. To overrule '{name}' of these {len(rows)} charges, say it again with --yes")
        return
    for row in rows:
        _say(overrule(agent.desk, row.charge, name=name, amount=row.amount, who=who, why=why), name)


def _say(one: HeldCharge, name: str) -> None:
    done = [hold for hold in one.overrulable if not name or hold.name == name]
    rest = [hold for hold in one.holds if hold not in done]
    print(f"{one.name}, {one.period}, {one.amount}: overruled {', '.join(hold.name for hold in done)}.")
    for hold in rest:
        print(f"  It stays held: {hold.name}: {hold.message} -> {hold.way_on}")
    if not rest:
        print("  It is released with the agent's next round (at once: connector sync), as long as it is this amount.")
