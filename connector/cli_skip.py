"""The command by which a person gives up a charge whose invoice is gone."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from connector.cli_common import ConfigOption, WhoOption, WhyOption, agent_of, check_named


def skip(
    charge: Annotated[str, typer.Argument(help="The charge's id, as `connector holds` shows it.")],
    why: WhyOption = "",
    who: WhoOption = "",
    config: ConfigOption = None,
) -> None:
    """Collect nothing for a period whose invoice was deleted, voided or written off in the PSA, or was never made."""
    from connector.flows.skip import skip as given_up

    check_named(who, why)
    with agent_of(config) as agent:
        one = given_up(agent.desk, charge, who=who, why=why)
        print(f"{one.name}, {one.period}: nothing is collected. The agent's next round deletes its draft at the gateway.")
        print("Should the PSA invoice this period again before that, the new invoice is charged as usual.")


COMMANDS: tuple[Any, ...] = (skip,)
