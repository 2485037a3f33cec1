"""Every command while `connector run` works on the store: what writes to a partner gives way and says so, the rest works."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from connector import lease
from connector.cli import app
from connector.errors import Busy, ConnectorError
from tests.e2e.msp import Msp, msp
from tests.unit.store_databases import Databases

pytest_plugins = ("tests.unit.store_fixtures",)
ME = ("--as", "Dana", "--why", "looked")
# Writes to a partner, or takes the store away: busy.
GIVES_WAY = {
    "apply": (),
    "sync": (),
    "migrate-store": ("--to", "sqlite:////tmp/nowhere/new.db"),
    "recover": ("--yes", *ME),
}
# Changes the store alone; the running agent carries it out, or nothing has to be.
LEAVES_WORK = {
    "allow-method": ("Contoso", *ME),
    "approve": ("--all", "--yes", *ME),
    "classify": ("re_1", "price", *ME),
    "decide": ("cw:1/2026-02-01", "collect", *ME),
    "dismiss": ("1", *ME),
    "pause": ME,
    "release": ("--all", "--name", "cap", "--yes", *ME),
    "repair": ("0a1b2c3d", "--yes", *ME),
    "resume": ME,
    "retry": ("--all", *ME),
    "skip": ("connectwise:1/2026-02-01", *ME),
}
READS = {
    "adopt": (),
    "billing-run": (),
    "check-config": (),
    "doctor": (),
    "enrol": (),
    "explain": ("Contoso",),
    "forecast": (),
    "go-live-report": (),
    "holds": (),
    "month-end": ("--preview",),
    "parked": (),
    "payouts": (),
    "plan": (),
    "reconcile": (),
    "status": (),
    "year-end": (),
}
NO_STORE = {"demo", "sandbox", "version", "run"}  # `run` beside `run` is a test of processes


@pytest.fixture
def life(tmp_path: Path, databases: Databases) -> Iterator[Msp]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    with msp(tmp_path, agreements=0, database=databases.empty()) as running:
        running.to("2026-01-15")
        running.sign_up()
        running.to("2026-02-02")
        running.cycle()
        yield running
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_every_command_is_in_one_of_the_tables() -> None:
    named = {*GIVES_WAY, *LEAVES_WORK, *READS, *NO_STORE}

    assert set(get_command(app).commands) == named  # type: ignore[attr-defined]


def test_what_writes_to_a_partner_gives_way_and_the_rest_writes_to_none(life: Msp) -> None:
    config = ("--config", str(life.folder / "connector.yaml"))
    life.world.requests.clear()
    with lease.held(life.agent.store, threading.Event(), who="run"):
        for command, arguments in GIVES_WAY.items():
            result = CliRunner().invoke(app, [command, *arguments, *config])
            assert isinstance(result.exception, Busy), (command, result.output, result.exception)
            assert "(run) is working on this store" in str(result.exception), command
        for command, arguments in {**LEAVES_WORK, **READS}.items():
            result = CliRunner().invoke(app, [command, *arguments, *config])
            assert isinstance(result.exception, SystemExit | ConnectorError | None), (command, result.exception)
            assert not isinstance(result.exception, Busy), command

    assert [row["path"] for row in life.requests(writes=True)] == []
