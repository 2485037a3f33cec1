"""The commands about what needs attention: what fails each time it is tried, and what a person says about it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import typer

from connector.cli_common import ConfigOption, JsonOption, agent_of, terminal

WhoOption = Annotated[str, typer.Option("--as", help="Your name, for the audit.")]
TargetOption = Annotated[str, typer.Option(help="Only what is meant for this target, e.g. psa, books or gateway.")]


def parked(target: TargetOption = "", config: ConfigOption = None, json_: JsonOption = False) -> None:
    """List what needs attention: payments and others that failed each time, why, since when, and what to type."""
    from connector.flows.attention import parked as waiting
    from connector.show import print_json
    from connector.show_attention import show_parked

    with agent_of(config) as agent:
        rows = waiting(agent.desk, target=target)
        print_json(rows) if json_ else show_parked(terminal(), rows)


def retry(
    number: Annotated[str, typer.Argument(help="Its number, as `connector parked` shows it.")] = "",
    all_: Annotated[bool, typer.Option("--all", help="Everything that needs attention.")] = False,
    target: TargetOption = "",
    who: WhoOption = "",
    why: Annotated[str, typer.Option("--why", help="What you put right, for the audit.")] = "",
    on: Annotated[
        str,
        typer.Option(
            "--date", metavar="YYYY-MM-DD", help="Where the books are closed for its day: enter it on this day. Say who you are."
        ),
    ] = "",
    config: ConfigOption = None,
) -> None:
    """Try again what needs attention, after you put right why it failed. It goes out with the agent's next round."""
    from connector.flows.attention import retry as again
    from connector.flows.attention import retry_all

    if bool(number) == all_ or (target and not all_):
        raise typer.BadParameter("name one number, or --all (perhaps with --target)")
    dated = _day(on, who, one=bool(number)) if on else None
    with agent_of(config) as agent:
        said = who or "command line"
        done = (
            retry_all(agent.desk, target=target, who=said, why=why)
            if all_
            else [again(agent.desk, number, who=said, why=why, dated=dated)]
        )
        for one in done:
            print(f"{one.id}: {one.what}, {one.name}, {one.amount or ''} to {one.target}: tried again".replace(",  to", " to"))
        print("It goes out with the agent's next round (at once: connector sync)." if done else "Nothing needs attention.")


def _day(text: str, who: str, *, one: bool) -> date:
    if not (one and who.strip()):
        raise typer.BadParameter("a day is chosen for one number, by somebody: --as NAME", param_hint="--date")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day; write it as 2026-03-01", param_hint="--date") from None


def dismiss(
    number: Annotated[str, typer.Argument(help="Its number, as `connector parked` shows it.")],
    why: Annotated[str, typer.Option("--why", help="What you entered instead, for the audit.")] = "",
    who: WhoOption = "",
    config: ConfigOption = None,
) -> None:
    """End what needs attention: you entered it there by hand in a way that the agent cannot see."""
    from connector.flows.attention import dismiss as ended

    with agent_of(config) as agent:
        one = ended(agent.desk, number, who=who, why=why)
        print(f"{one.what}, {one.name}, {one.amount or ''} to {one.target} is left as you entered it.".replace(",  to", " to"))


COMMANDS: tuple[Any, ...] = (parked, retry, dismiss)
