"""The command that ends shadow mode: the report on which somebody decides to go live."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from connector.cli_common import EXIT_DRIFT, ConfigOption, JsonOption, agent_of, terminal


def go_live_report(
    period: Annotated[str, typer.Option("--period", help="Only what was billed in this month, e.g. 2026-02.")] = "",
    html: Annotated[str, typer.Option("--html", help="Also write it to this file as a web page.")] = "",
    csv: Annotated[str, typer.Option("--csv", help="Also write every charge to this file as CSV.")] = "",
    config: ConfigOption = None,
    json_: JsonOption = False,
) -> None:
    """Compare what shadow mode computed with what the PSA billed and others collected, to the cent. Exit code 1: not ready."""
    from connector.flows.golive import go_live_report as report_of
    from connector.show import print_json
    from connector.show_shadow import report_csv, report_html, show_report

    with agent_of(config) as agent:
        report = report_of(agent.desk, month=period)
        if html:
            Path(html).write_text(report_html(report, company=agent.config.company.name), encoding="utf-8")
        if csv:
            Path(csv).write_text(report_csv(report), encoding="utf-8")
        if json_:
            print_json({"ready": report.ready, "report": report})
        else:
            show_report(terminal(), report)
        if not report.ready:
            raise typer.Exit(EXIT_DRIFT)


COMMANDS: tuple[Any, ...] = (go_live_report,)
