"""Shared by all tests."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
import structlog

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))

# What may be absent where the project is built: the published API documents.
SHARED = Path(os.environ.get("CONNECTOR_SHARED", Path(__file__).resolve().parents[1].parent / "shared"))
NEEDS_SHARED = ("CONNECTOR_SHARED", "published")
# A store test that runs on both databases, and says something of one of them.
ONE_DATABASE = ("SQLite has one writer", "SQLite has no connection", "PostgreSQL's disk")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for reason in _skipped_in_ci(terminalreporter):
        terminalreporter.write_line(f"skipped, which CI does not allow: {reason}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With CI=true a test that could not run is a failed run, so that nothing goes untested unseen."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if exitstatus == pytest.ExitCode.OK and reporter is not None and _skipped_in_ci(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _skipped_in_ci(reporter: pytest.TerminalReporter) -> list[str]:
    if os.environ.get("CI") != "true":
        return []
    told = [f"{report.nodeid}: {report.longrepr}" for report in reporter.stats.get("skipped", [])]
    allowed = ONE_DATABASE if (SHARED / "specs").is_dir() else (*ONE_DATABASE, *NEEDS_SHARED)
    return [reason for reason in told if not any(word in reason for word in allowed)]
