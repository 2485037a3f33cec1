"""The commands for the end of a month and of a year."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from connector.cli_common import EXIT_DRIFT, ConfigOption, JsonOption, agent_of, terminal


def month_end(
    period: Annotated[str, typer.Option("--period", help="The month, e.g. 2026-02. Default: the last one that is over.")] = "",
    preview: Annotated[
        bool, typer.Option("--preview", help="Show it and freeze nothing, also before the month is over.")
    ] = False,
    html: Annotated[str, typer.Option("--html", help="Also write it to this file as a page to print.")] = "",
    csv: Annotated[str, typer.Option("--csv", help="Also write every figure to this file, for a spreadsheet.")] = "",
    who: Annotated[str, typer.Option("--as", help="Your name: to close a month that does not tie.")] = "",
    why: Annotated[str, typer.Option("--why", help="Why it is closed although it does not tie, for the audit.")] = "",
    config: ConfigOption = None,
    json_: JsonOption = False,
) -> None:
    """Freeze a month: what the gateway held and moved, beside the books. Exit code 1: it does not tie, or money is unbooked."""
    from connector.flows.month_end import close, parse_month
    from connector.printed import page
    from connector.show import print_json
    from connector.show_month import month_csv, month_json, month_report, show_report

    with agent_of(config) as agent:
        month = parse_month(period, agent.desk.today())
        closing = close(agent.desk, month, preview=preview, who=who, why=why)
        report = month_report(closing, company=agent.config.company.name)
        if html:
            Path(html).write_text(page(report), encoding="utf-8")
        if csv:
            Path(csv).write_bytes(month_csv(closing))
        print_json(month_json(closing)) if json_ else show_report(terminal(), report)
        if not closing.report.ties:
            raise typer.Exit(EXIT_DRIFT)


def year_end(
    year: Annotated[str, typer.Option("--year", help="The year, e.g. 2026. Default: the last one that is over.")] = "",
    html: Annotated[str, typer.Option("--html", help="Also write it to this file as a page to print.")] = "",
    csv: Annotated[str, typer.Option("--csv", help="Also write a row for each month to this file, for a spreadsheet.")] = "",
    config: ConfigOption = None,
    json_: JsonOption = False,
) -> None:
    """Show a year's gross volume by months, as on Form 1099-K, and how deposits follow from it. Exit code 1: it does not tie."""
    from connector.flows.year_end import parse_year
    from connector.flows.year_end import year_end as found_of
    from connector.printed import page
    from connector.show import print_json
    from connector.show_month import show_report
    from connector.show_year import year_csv, year_json, year_report

    with agent_of(config) as agent:
        found = found_of(agent.desk, parse_year(year, agent.desk.today()))
        report = year_report(found, company=agent.config.company.name)
        if html:
            Path(html).write_text(page(report), encoding="utf-8")
        if csv:
            Path(csv).write_bytes(year_csv(found))
        print_json(year_json(found)) if json_ else show_report(terminal(), report)
        if not found.ties:
            raise typer.Exit(EXIT_DRIFT)


COMMANDS: tuple[Any, ...] = (month_end, year_end)
