"""`connector doctor`."""

from __future__ import annotations

from typing import Any

import typer

from connector.cli_common import EXIT_PROBLEM, ConfigOption, JsonOption, agent_of, path_of


def doctor(config: ConfigOption = None, json_: JsonOption = False) -> None:
    """Check everything around the agent: keys, the gateway's settings, accounts, owners, clock, what waits. Changes nothing.

    Exit code 2 when there is a problem. What no interface tells says where to look.
    """
    from connector.config.check import check
    from connector.doctor import Line, State
    from connector.doctor import doctor as examined
    from connector.show import print_json

    path = path_of(config)
    found = [
        Line(
            name="configuration",
            state=State.LOOK if said.startswith("warning: ") else State.OK,
            message=said.removeprefix("warning: "),
        )
        for said in check(path)
    ]
    with agent_of(path) as agent:
        lines = [*found, *examined(agent.desk)]
    if json_:
        print_json(lines)
    else:
        for line in lines:
            print(f"{line.state:<9}  {line.name}: {line.message}")
        problems = sum(line.state is State.PROBLEM for line in lines)
        print(f"\n{problems or 'No'} problem{'' if problems == 1 else 's'} found.")
    if any(line.state is State.PROBLEM for line in lines):
        raise typer.Exit(EXIT_PROBLEM)


COMMANDS: tuple[Any, ...] = (doctor,)
