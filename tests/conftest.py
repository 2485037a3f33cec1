"""Shared by all tests."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog


def _quiet() -> None:
    structlog.reset_defaults()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


_quiet()

# Databases of tests need not survive a power cut: in memory their commits wait for no disk, where there is room for them.
MEMORY = Path("/dev/shm")  # noqa: S108
if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 4 << 30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

# What may be absent where the project is built: the published API documents.
SHARED = Path(os.environ.get("CONNECTOR_SHARED") or Path(__file__).resolve().parents[1].parent / "shared")
NEEDS_SHARED = ("CONNECTOR_SHARED", "published")
# Tests that run on both databases and speak of one, and the contract of what a partner cannot do.
DOES_NOT_APPLY = ("SQLite has one writer", "SQLite has no connection", "PostgreSQL's disk", "this PSA cannot")


@pytest.fixture(autouse=True)
def quiet_again() -> Iterator[None]:
    """A command that runs within a test sets up real logging, on a stream that is closed after it: takes it back."""
    root, level = logging.getLogger(), logging.getLogger().level
    handlers, hooks = list(root.handlers), (sys.excepthook, threading.excepthook)
    yield
    root.handlers[:], (sys.excepthook, threading.excepthook) = handlers, hooks
    root.setLevel(level)
    _quiet()


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
    allowed = DOES_NOT_APPLY if (SHARED / "specs").is_dir() else (*DOES_NOT_APPLY, *NEEDS_SHARED)
    return [reason for reason in told if not any(word in reason for word in allowed)]
