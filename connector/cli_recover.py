"""The command for a store that was restored from a backup, or lost."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector.cli_common import ConfigOption, agent_of
from connector.errors import ConfigError

if TYPE_CHECKING:
    from connector.agent import Agent
    from connector.flows.recover import Survey


def recover(
    yes: Annotated[bool, typer.Option("--yes", help="Do it, after you have looked at the list.")] = False,
    who: Annotated[str, typer.Option("--as", help="Your name, for the audit.")] = "",
    why: Annotated[str, typer.Option("--why", help="What happened to the store, for the audit.")] = "",
    config: ConfigOption = None,
) -> None:
    """Bring a restored or lost store up to what the partners show, so that nothing is charged or written a second time."""
    from connector.flows import recover as recovery

    if yes and not (who.strip() and why.strip()):
        raise typer.BadParameter('say who you are and why, both are kept: --as "Dana" --why "restored the backup of Monday"')
    with agent_of(config, progress=True) as agent:
        if agent.config.mode == "shadow":
            raise ConfigError("shadow mode writes nothing, so there is nothing to recover")
        with _alone(agent):
            found = recovery.survey(agent.desk)
            _show(agent, found)
            if yes:
                recovery.recover(agent.desk, found, who=who, why=why)
                agent.high_water.recovered()
                print(_DONE)
            else:
                print("\nNothing was changed. To do it: connector recover --yes --as NAME --why TEXT")


_DONE = """
The store is up to date again. Charging is paused; payments are read and written back as usual, each looked up first.
Now look: connector reconcile, connector plan, connector billing-run. Then: connector resume"""


def _alone(agent: Agent) -> AbstractContextManager[object]:
    """While the store is behind, a running agent holds the lease and does nothing: it is not in the way."""
    from connector import lease
    from connector.agent import writing
    from connector.errors import NeedsRecovery

    try:
        agent.high_water.checked()
    except NeedsRecovery:
        return lease.held(agent.store, agent.stop, who="recover", name="recover")
    return writing(agent, who="recover")


def _show(agent: Agent, found: Survey) -> None:
    amount = found.amount(agent.desk.settings.currency)
    known = f"{found.known:%Y-%m-%d %H:%M} UTC" if found.known else "never: it is new, or was made before this was kept"
    print(f"Last work that the store knows of: {known}")
    print(
        f"Last work that the gateway knows of: {found.there:%Y-%m-%d %H:%M} UTC" if found.there else "The gateway knows of none."
    )
    if found.nothing:
        print("\nThe store has everything that the gateway shows.")
        return
    print("\nIt would be taken over, without writing anything to a partner:")
    print(f"  {len(found.customers)} customers, {len(found.subscriptions)} subscriptions (found by our marks on them)")
    print(f"  {len(found.charges)} charges:")
    for lost in found.charges:
        print(f"    {lost.charge.id}: {lost.invoice.total}, {lost.invoice.state} (invoice {lost.invoice.id})")
    print(f"  {len(found.payments)} payments that the payment journal lacks, {amount}; {found.in_books} of them are in the books")
    for said in found.unclear:
        print(f"  ! {said}")
    print("\nWhat people decided since then (approvals, holds lifted, refunds explained) cannot be read anywhere: say it again.")


COMMANDS: tuple[Any, ...] = (recover,)
