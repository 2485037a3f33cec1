"""What the agent does when its store fails: nothing is lost or made twice at the partners, and a sentence says what to do."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from sqlalchemy import event, text

from adapters.sandbox.seed import build_world
from adapters.sandbox.server import Sandbox
from connector.agent import sync_once
from connector.errors import ConfigError
from connector.store import Store, cursors
from tests.e2e.msp import Msp, msp, write_config
from tests.e2e.test_process import FAST, connector, running, wait_for
from tests.unit.store_databases import NOW, Databases

PAYERS = 8  # their payments do not fit into what is left in the pages
pytest_plugins = ("tests.unit.store_fixtures",)


def test_a_second_agent_on_one_sqlite_file_says_so_and_ends(tmp_path: Path) -> None:
    with Sandbox(build_world(agreements=0)) as sandbox:
        config = write_config(tmp_path, sandbox.url, schedule={**FAST, "lease_s": 2}, serve={"port": 0})
        with running(config, tmp_path / "log") as first:
            wait_for(lambda: '"running"' in (tmp_path / "log").read_text(), "the first one")
            wait_for(lambda: _leads(tmp_path), "it to lead")
            second = connector("run", config=config)

            assert first.poll() is None
    assert second.returncode == 4
    assert "another `connector run` works on this SQLite file" in second.stderr
    assert "Traceback" not in second.stderr


def _leads(folder: Path) -> bool:
    with sqlite3.connect(folder / "connector.db") as connection:
        return bool(connection.execute("SELECT 1 FROM lease WHERE name = 'agent' AND holder <> ''").fetchall())


def test_a_damaged_store_is_not_started_on_and_the_message_says_what_to_type(tmp_path: Path) -> None:
    with Sandbox(build_world(agreements=1)) as sandbox:
        config = write_config(tmp_path, sandbox.url)
        (tmp_path / "connector.db").write_bytes(b"not a database, but somebody's letter" * 200)
        result = connector("sync", config=config)

        assert [row for row in sandbox.world.requests if row["method"] != "GET"] == []
    assert result.returncode == 3
    assert "is damaged" in result.stderr
    assert "connector recover" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_store_that_cannot_be_written_is_not_started_on(tmp_path: Path) -> None:
    config = write_config(tmp_path, "http://127.0.0.1:9", database="sqlite:////proc/connector.db")

    result = connector("sync", config=config)

    assert result.returncode == 3
    assert "cannot be opened for writing" in result.stderr
    assert "check directory and rights" in result.stderr


def test_a_store_of_a_newer_version_is_not_started_on(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/connector.db")
    store.upgrade()
    with sqlite3.connect(tmp_path / "connector.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    config = write_config(tmp_path, "http://127.0.0.1:9")

    result = connector("status", config=config)

    assert result.returncode == 3
    assert "Start the newer version again, or restore a backup made before the upgrade" in result.stderr


def test_a_full_disk_stops_the_round_and_afterwards_everything_is_there_once(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as life:
        life.to("2026-01-15")
        for number in range(PAYERS):
            life.sign_up(f"Payer {number}")
        life.to("2026-02-02")
        life.cycle(1)
        life.to("2026-02-02", 20)
        _fill(life)
        said = str(sync_once_or_error(life))
        life.restart()
        life.through("2026-02-06")

        assert "is full: make room" in said
        assert len(life.books("Payment")) == len(life.psa_payments()) == len(life.ledger()) == PAYERS
        assert life.reconcile().ties


def sync_once_or_error(life: Msp) -> object:
    """A full disk may also refuse the note that a flow failed."""
    try:
        return sync_once(life.agent)
    except Exception as error:  # whatever it is, it says why
        return error


def _fill(life: Msp) -> None:
    """No page more for this process, and none free."""
    engine = life.agent.store._engine
    life.agent.store.close()
    with sqlite3.connect(life.folder / "connector.db") as connection:
        connection.execute("VACUUM")
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count = 1"))


@pytest.mark.parametrize("died_at", [3, 20])
def test_an_upgrade_that_was_killed_left_nothing_and_the_next_one_finishes(databases: Databases, died_at: int) -> None:
    address = databases.empty()
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_DIE), address, str(died_at)], capture_output=True, timeout=60, check=False
    )
    store = Store(address)
    with pytest.raises(ConfigError, match="not set up yet"), store.begin():
        pass
    store.upgrade()
    with store.begin() as tx:
        cursors.set(tx, "stripe.events", "evt_1", now=NOW)
        version = tx.execute(text("SELECT count(*) FROM alembic_version")).scalar_one()

    assert process.returncode == -9, process.stderr
    assert version == 1
    store.close()


_DIE = """
    import os, signal, sys
    from sqlalchemy import event
    from sqlalchemy.engine import Engine
    from connector.store import Store
    made = []
    @event.listens_for(Engine, "after_cursor_execute")
    def count(connection, cursor, statement, *rest):
        if statement.lstrip().startswith("CREATE TABLE"):
            made.append(statement)
            if len(made) == int(sys.argv[2]):
                os.kill(os.getpid(), signal.SIGKILL)
    Store(sys.argv[1]).upgrade()
"""
