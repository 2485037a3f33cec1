"""The commands. Heavy imports stand inside them, so that `--help` answers at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from connector import (
    __version__,
    cli_adopt,
    cli_attention,
    cli_charging,
    cli_decisions,
    cli_doctor,
    cli_month,
    cli_payouts,
    cli_reconcile,
    cli_recover,
    cli_run,
    cli_shadow,
    cli_skip,
    cli_store,
)
from connector.cli_common import (
    EXIT_BUSY,
    EXIT_CONFIG,
    EXIT_PROBLEM,
    ConfigOption,
    JsonOption,
    agent_of,
    path_of,
    terminal,
)
from connector.errors import Busy, ConfigError, ConnectorError, Unauthorized

app = typer.Typer(
    name="connector",
    help="Mirrors your PSA's agreements into Stripe, collects every period, and writes the payments back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Entry point: an expected failure is a sentence and an exit code, never a traceback."""
    try:
        app(standalone_mode=True)
    except ConfigError as error:
        _fail(str(error), EXIT_CONFIG)
    except Busy as error:
        _fail(str(error), EXIT_BUSY)
    except ConnectorError as error:
        hint = " Check it with: connector check-config" if isinstance(error, Unauthorized) else ""
        _fail(f"{error}{hint}", EXIT_PROBLEM)


def _fail(message: str, code: int) -> None:
    print(message, file=sys.stderr)
    sys.exit(code)


@app.command()
def run(config: ConfigOption = None) -> None:
    """Run the agent until it is stopped: it polls, collects and writes back on its schedule, and serves its health."""
    from connector.daemon import run_forever

    with agent_of(config) as agent:
        run_forever(agent)


@app.command()
def plan(
    config: ConfigOption = None,
    json_: JsonOption = False,
    recreate: Annotated[
        list[str] | None,
        typer.Option("--recreate", help="Billing unit whose subscription was cancelled at the gateway and should go on."),
    ] = None,
) -> None:
    """Show what would change at the gateway, and change nothing."""
    from connector import show
    from connector.flows import mirror
    from connector.model.plan import refusals

    with agent_of(config, progress=not json_) as agent:
        planned = mirror.plan(agent.desk, recreate=frozenset(recreate or ()))
        refused = refusals(planned.plan, agent.desk.settings.limits)
        if json_:
            show.print_json({"digest": planned.plan.digest, "plan": planned.plan, "refused": refused})
            return
        console = terminal()
        show.show_plan(console, planned, refused)
        if planned.plan.changes:
            console.print(f"\nNothing was changed. To carry it out: connector apply --digest {planned.plan.digest}")


@app.command()
def apply(
    config: ConfigOption = None,
    digest: Annotated[str, typer.Option(help="Carry out only if the plan is still the one that `plan` showed.")] = "",
    allow_cancels: Annotated[int, typer.Option(help="Allow this many cancelled subscriptions, whatever the limit says.")] = 0,
    allow_changes: Annotated[int, typer.Option(help="Allow this many changed subscriptions, whatever the limit says.")] = 0,
    recreate: Annotated[
        list[str] | None,
        typer.Option("--recreate", help="Billing unit whose subscription was cancelled at the gateway and should go on."),
    ] = None,
) -> None:
    """Carry out what `plan` shows, under the safety limits."""
    from connector import show
    from connector.agent import writing
    from connector.flows import mirror
    from connector.model.plan import refusals

    console = terminal()
    with agent_of(config, progress=True) as agent, writing(agent, who="apply"):
        if agent.config.mode == "shadow":
            raise ConfigError("nothing was changed: this is shadow mode (`mode: shadow`). See `connector go-live-report`")
        planned = mirror.plan(agent.desk, recreate=frozenset(recreate or ()))
        limits = agent.desk.settings.limits
        refused = refusals(planned.plan, limits, allow_cancels=allow_cancels, allow_changes=allow_changes)
        show.show_plan(console, planned, refused)
        if digest and planned.plan.digest != digest:
            console.print(f"\nNothing was changed: the plan is no longer {digest} but {planned.plan.digest}. Look at it again.")
            raise typer.Exit(EXIT_PROBLEM)
        if refused:
            raise typer.Exit(EXIT_PROBLEM)
        applied = mirror.apply(agent.desk, planned)
        show.show_applied(console, applied, planned.plan.names)
        if applied.failed:
            raise typer.Exit(EXIT_PROBLEM)


@app.command()
def sync(
    config: ConfigOption = None,
    once: Annotated[bool, typer.Option("--once", help="Do it once and end (this is the only way; `run` repeats it).")] = True,
    json_: JsonOption = False,
) -> None:
    """Mirror, release, collect and deliver, once."""
    from connector import show
    from connector.agent import sync_once, writing

    del once
    with agent_of(config, progress=not json_) as agent, writing(agent, who="sync"):
        report = sync_once(agent)
        if json_:
            show.print_json(report)
        else:
            show.show_sync(terminal(), report)
        if any(isinstance(part, dict) and part.get("error") for part in report.values()):
            raise typer.Exit(EXIT_PROBLEM)


@app.command()
def status(config: ConfigOption = None, json_: JsonOption = False) -> None:
    """Show how the agent is doing: connections, planned charges, holds, payments on their way, what needs attention."""
    from connector import show
    from connector.overview import overview

    with agent_of(config) as agent:
        facts = overview(agent.desk)
        if json_:
            show.print_json(facts)
        else:
            show.show_overview(terminal(), facts)


@app.command()
def enrol(
    payer: Annotated[str, typer.Argument(help="Payer's id or name, as `connector enrol` lists them. Empty: list all.")] = "",
    config: ConfigOption = None,
    json_: JsonOption = False,
) -> None:
    """Show the link under which a payer authorises (or changes) a payment method, or list who has and who has not."""
    from connector import show
    from connector.flows import enrol as enrolment
    from connector.overview import find_payer, payer_list

    with agent_of(config) as agent:
        if not payer:
            rows = payer_list(agent.desk)
            show.print_json(rows) if json_ else show.show_payers(terminal(), rows)
            return
        row, link = enrolment.link_for(agent.desk, find_payer(agent.desk, payer).key)
        if json_:
            show.print_json({"payer": row.key, "name": row.name, "state": row.state, "link": link, "expires": row.link_expires})
        else:
            show.show_link(terminal(), row, link)


for command in (
    *cli_charging.COMMANDS,
    *cli_run.COMMANDS,
    *cli_decisions.COMMANDS,
    *cli_doctor.COMMANDS,
    *cli_reconcile.COMMANDS,
    *cli_payouts.COMMANDS,
    *cli_month.COMMANDS,
    *cli_attention.COMMANDS,
    *cli_shadow.COMMANDS,
    *cli_skip.COMMANDS,
    *cli_adopt.COMMANDS,
    *cli_recover.COMMANDS,
    *cli_store.COMMANDS,
):
    app.command()(command)


@app.command("check-config")
def check_config(
    config: ConfigOption = None,
    connect: Annotated[bool, typer.Option("--connect/--offline", help="Also ask each partner whether the keys work.")] = True,
) -> None:
    """Check the configuration and the field mappings, and whether each partner accepts the keys. Changes nothing."""
    from connector.config.check import check
    from connector.flows.payouts import problems
    from connector.overview import ping_all

    path = path_of(config)
    for finding in check(path):
        print(finding)
    if not connect:
        return
    with agent_of(path) as agent:
        failures = 0
        for name, problem in ping_all(agent.desk):
            failures += bool(problem)
            print(f"{name}: {problem or 'answers, and accepts the keys'}")
        for wrong in problems(agent.desk):
            failures += 1
            print(wrong)
    if failures:
        raise typer.Exit(EXIT_PROBLEM)


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 8400,
    seed: Annotated[int, typer.Option(help="The same seed gives the same world.")] = 1,
    agreements: Annotated[int, typer.Option(help="How many agreements the simulated PSA has.")] = 12,
    lines: Annotated[int, typer.Option(help="About how many lines an agreement has.")] = 4,
    psa: Annotated[str, typer.Option(help="The simulated PSA: connectwise, autotask, or both.")] = "connectwise",
) -> None:
    """Serve simulated partners (a PSA, Stripe, QuickBooks Online) on one port, to try the agent on."""
    from adapters.sandbox.main import serve
    from adapters.sandbox.seed import PSAS

    if psa not in PSAS:
        raise ConfigError(f"--psa {psa!r} is not one of: {', '.join(PSAS)}")
    serve(port, seed, agreements, lines, psa=psa)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its configuration and store (emptied first).")] = Path(
        ".demo"
    ),
    seed: Annotated[int, typer.Option(help="The same seed gives the same world.")] = 1,
    agreements: Annotated[int, typer.Option(help="How many agreements the simulated PSA has.")] = 12,
    keep: Annotated[
        bool | None, typer.Option("--keep/--exit", help="Keep sandbox and agent running afterwards. Default: when on a terminal.")
    ] = None,
    psa: Annotated[str, typer.Option(help="The simulated PSA: connectwise or autotask.")] = "connectwise",
) -> None:
    """Run the real agent against the sandbox through two billing periods, and show that everything ties."""
    from connector.demo import PSAS, run_demo

    if psa not in PSAS:
        raise ConfigError(f"--psa {psa!r} is not one of: {', '.join(PSAS)}")
    stays = sys.stdin.isatty() if keep is None else keep
    raise typer.Exit(run_demo(folder, seed=seed, agreements=agreements, keep=stays, psa=psa))


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


if __name__ == "__main__":
    main()
