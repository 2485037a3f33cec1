"""The command that joins an existing book of business: propose, let a person decide, take over."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector.cli_common import ConfigOption, JsonOption, agent_of, terminal

if TYPE_CHECKING:
    from connector.agent import Agent


def adopt(
    out: Annotated[Path, typer.Option("--out", help="Where the review file is written.")] = Path("adopt-review.csv"),
    confirm: Annotated[Path | None, typer.Option("--confirm", help="The review file with your decisions.")] = None,
    who: Annotated[str, typer.Option("--as", help="With --confirm: your name, for the audit.")] = "",
    why: Annotated[str, typer.Option("--why", help="With --confirm: why, for the audit.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Write over a review file that is there.")] = False,
    config: ConfigOption = None,
    json_: JsonOption = False,
) -> None:
    """Propose which customers and subscriptions at the gateway belong to which payers; take over what you confirm."""
    if confirm is not None:
        if not who.strip() or not why.strip():
            raise typer.BadParameter('say who you are and why, both are kept: --as "Dana" --why "checked with accounting"')
        with agent_of(config) as agent:
            _confirm(agent, confirm, who=who, why=why, json_=json_)
        return
    if out.exists() and not force and not json_:
        raise typer.BadParameter(f"{out} is there already, perhaps with decisions; name another file (--out) or say --force")
    with agent_of(config, progress=not json_) as agent:
        _propose(agent, out, json_=json_)


def _propose(agent: Agent, out: Path, *, json_: bool) -> None:
    from connector.flows.adopt import propose
    from connector.flows.adopt_file import as_csv
    from connector.show import print_json
    from connector.show_adopt import show_proposals

    found = propose(agent.desk)
    if json_:
        print_json(found)
        return
    out.write_text(as_csv(found), encoding="utf-8")
    show_proposals(terminal(), found, out)


def _confirm(agent: Agent, path: Path, *, who: str, why: str, json_: bool) -> None:
    from connector.flows.adopt_confirm import confirm
    from connector.show import print_json
    from connector.show_adopt import show_confirmed

    done = confirm(agent.desk, path, who=who, why=why)
    marked = _put_markers(agent)
    print_json({"confirmed": done, "marked": marked}) if json_ else show_confirmed(terminal(), done, marked)


def _put_markers(agent: Agent) -> int | None:
    """None when it is left to the running agent, or to the beginning of live mode."""
    from connector.agent import writing
    from connector.errors import Busy
    from connector.flows.adopt_marks import put_markers

    if agent.config.mode == "shadow":
        return None
    try:
        with writing(agent, who="adopt"):
            return put_markers(agent.desk)
    except Busy:
        return None


COMMANDS: tuple[Any, ...] = (adopt,)
