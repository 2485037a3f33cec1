"""The command for payouts: which there were, and with what each is in the books."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from connector.cli_common import ConfigOption, agent_of


def payouts(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    config: ConfigOption = None,
) -> None:
    """List the gateway's payouts as the agent has read them, and with what each is entered in the books."""
    from connector.flows.payout_list import listed

    with agent_of(config) as agent:
        found = listed(agent.desk)
    if as_json:
        print(json.dumps({"payouts": [row.as_json() for row in found.rows], "waits": list(found.waits)}, indent=2))
        return
    print(found.said)
    for row in found.rows:
        print(f"  {row.payout}  {row.created.isoformat()}  {row.amount}  {row.state}")
    for said in found.waits:
        print(f"  needs attention: {said}")


COMMANDS: tuple[Any, ...] = (payouts,)
