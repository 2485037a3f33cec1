"""What the commands share: their options, the agent that they work with, and where they print."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from connector.agent import Agent
    from connector.config.model import Config

DEFAULTS = ("connector.yaml", "config/connector.yaml", "/etc/connector/connector.yaml")
EXIT_DRIFT, EXIT_PROBLEM, EXIT_CONFIG, EXIT_BUSY = 1, 2, 3, 4

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="Configuration file. Default: $CONNECTOR_CONFIG, else ./connector.yaml.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print data for a program instead of tables.")]
WhoOption = Annotated[str, typer.Option("--as", help="Your name, for the audit.")]
WhyOption = Annotated[str, typer.Option("--why", help="Why, for the audit.")]


def path_of(given: Path | None) -> Path:
    if given is not None:
        return given
    if named := os.environ.get("CONNECTOR_CONFIG"):
        return Path(named)
    found = next((Path(name) for name in DEFAULTS if Path(name).exists()), None)
    if found is None:
        raise ConfigError(
            f"no configuration found (looked for {', '.join(DEFAULTS)}); name it with --config, "
            "or start from config/connector.example.yaml"
        )
    return found


def _load(given: Path | None) -> Config:
    from connector.config.load import load_config

    return load_config(path_of(given))


def check_named(who: str, why: str) -> None:
    """Checked here rather than by required options, so that both are asked for in one sentence."""
    if not who.strip() or not why.strip():
        raise typer.BadParameter('say who you are and why, both are kept: --as "Dana" --why "agreed with the customer"')


@contextmanager
def agent_of(given: Path | None, *, progress: bool = False) -> Iterator[Agent]:
    from connector.agent import Stopping, opened
    from connector.config.check import secret_values
    from connector.logs import setup

    config = _load(given)
    setup(lambda: secret_values(config))
    with _bar(progress) as step, opened(config, progress=step) as agent:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: agent.stop.set())
        try:
            yield agent
        except Stopping:
            print("Stopped between two steps; what was begun is finished by the next run.", file=sys.stderr)
            raise typer.Exit(130) from None


@contextmanager
def _bar(wanted: bool) -> Iterator[Callable[[str, int, int], None] | None]:
    """A progress bar on a terminal, nothing elsewhere."""
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def step(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=of)
            bar.update(tasks[what], completed=done, total=of)

        yield step


def terminal() -> Console:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 160, highlight=False)


def day(text: str | None) -> Any:
    from datetime import date

    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date like 2026-01-31") from None
