"""The command that moves the store into another database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector.cli_common import ConfigOption, agent_of
from connector.errors import ConfigError

if TYPE_CHECKING:
    from connector.store.move import Moved

_AFTERWARDS = """
The store was moved, and compared table by table. The old one is as it was; keep it as a backup, and never start an agent on it.
Now put the new address into the configuration and start the agent:
  database: {file: secrets/database}    # a file with the address, its owner's alone (chmod 600)"""


def migrate_store(
    to: Annotated[str, typer.Option("--to", help="The new, empty database: postgresql://USER@HOST/NAME or sqlite:///FILE.")] = "",
    to_file: Annotated[Path | None, typer.Option("--to-file", help="A file that holds its address, with the password.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it, after you have looked at the list.")] = False,
    config: ConfigOption = None,
) -> None:
    """Move the store into another, empty database, e.g. from SQLite to PostgreSQL. The agent must be stopped."""
    from connector.agent import writing
    from connector.store import Store
    from connector.store.move import counts, move

    address = _address(to, to_file)
    with agent_of(config, progress=True) as agent, writing(agent, who="migrate-store"):
        rows = counts(agent.store)
        target = Store(address)
        if target.is_same(agent.store):
            raise ConfigError("this is the database in the configuration already: name another one")
        try:
            print(f"From {agent.store.shown} to {target.shown}: {sum(rows.values())} rows in {len(rows)} tables.")
            if yes:
                _show(move(agent.store, target, progress=agent.desk.settings.progress))
            else:
                print("\nNothing was changed. To do it: say it again with --yes")
        finally:
            target.close()


def _address(to: str, to_file: Path | None) -> str:
    if bool(to) == (to_file is not None):
        raise typer.BadParameter("name the new database: --to ADDRESS, or --to-file FILE")
    if to_file is None:
        return to
    try:
        return to_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{to_file} cannot be read: {error.strerror}") from None


def _show(moved: list[Moved]) -> None:
    for one in moved:
        if one.rows:
            print(f"  {one.table}: {one.rows} rows, content {one.content[:12]}, the same in both")
    print(_AFTERWARDS)


COMMANDS: tuple[Any, ...] = (migrate_store,)
