"""Opening, upgrading and refusing a database."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from connector.errors import ConfigError, RetryLater
from connector.store import Store, cursors, engine, migrate
from connector.store.schema import metadata
from tests.unit.store_databases import NOW, Databases, processes

pytest_plugins = ("tests.unit.store_fixtures",)

_UPGRADE = """
    import sys
    from connector.store import Store
    Store(sys.argv[1]).upgrade()
    print("upgraded")
"""


def test_the_migrated_schema_is_the_one_that_the_code_knows(store: Store) -> None:
    with store.read() as tx:
        differences = compare_metadata(MigrationContext.configure(tx, opts={"compare_type": True}), metadata)

    assert differences == []


def test_the_migrated_indexes_are_the_ones_that_the_code_knows(tmp_path: Path) -> None:
    migrated, made = tmp_path / "migrated.db", tmp_path / "made.db"
    Store(f"sqlite:///{migrated}").upgrade()
    metadata.create_all(create_engine(f"sqlite:///{made}"))

    assert _indexes(migrated) == _indexes(made)


def _indexes(path: Path) -> set[str]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").fetchall()
    return {row[0] for row in rows}


def test_the_newest_migration_is_the_head_that_the_code_asks_for() -> None:
    assert ScriptDirectory.from_config(migrate.config()).get_heads() == [migrate.HEAD]


def test_several_processes_may_upgrade_an_empty_database_at_once(databases: Databases) -> None:
    address = databases.empty()

    outputs = processes(6, _UPGRADE, address)

    assert outputs == ["upgraded\n"] * 6
    with Store(address).read() as tx:
        assert tx.execute(text("SELECT count(*) FROM alembic_version")).scalar_one() == 1


def test_a_second_upgrade_changes_nothing(store: Store) -> None:
    with store.begin() as tx:
        cursors.set(tx, "stripe.events", "evt_1", now=NOW)

    store.upgrade()

    with store.read() as tx:
        assert cursors.get(tx, "stripe.events") == "evt_1"


def test_a_database_that_was_never_upgraded_is_refused(databases: Databases) -> None:
    with pytest.raises(ConfigError, match="not set up yet"), Store(databases.empty()).begin():
        pass


def test_a_newer_schema_is_refused_and_left_as_it_is(store: Store) -> None:
    _claim_version(store, "9999")

    with pytest.raises(ConfigError, match="schema 9999, which is newer"):
        store.upgrade()
    with pytest.raises(ConfigError, match="newer"), store.begin() as tx:
        cursors.set(tx, "stripe.events", "evt_1", now=NOW)

    _claim_version(store, migrate.HEAD)
    with store.read() as tx:
        assert cursors.get(tx, "stripe.events") == ""


def test_an_older_agent_stops_writing_when_the_database_is_upgraded_under_it(store: Store) -> None:
    with store.begin() as tx:
        cursors.set(tx, "stripe.events", "evt_1", now=NOW)
    _claim_version(store, "9999")

    with pytest.raises(ConfigError, match="newer"), store.begin():
        pass
    with pytest.raises(ConfigError, match="newer"), store.read():
        pass


def _claim_version(store: Store, version: str) -> None:
    with store._engine.execution_options(store_writes=True).begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})


def test_the_database_of_another_program_is_refused(databases: Databases) -> None:
    address = databases.empty()
    with create_engine(engine.parse(address)).begin() as connection:
        connection.execute(text("CREATE TABLE somebody_elses (id integer)"))

    with pytest.raises(ConfigError, match="tables of another program \\(somebody_elses\\)"):
        Store(address).upgrade()


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"not a database, but somebody's letter" * 100)
    before = path.read_bytes()

    with pytest.raises(ConfigError, match="damaged"):
        Store(f"sqlite:///{path}").upgrade()

    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["store.db"]


def test_a_database_with_damaged_pages_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    _filled(path)
    damaged = bytearray(path.read_bytes())
    for page in range(3, len(damaged) // 4096):
        damaged[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(bytes(damaged))

    with pytest.raises(ConfigError, match="is damaged"):
        Store(f"sqlite:///{path}").upgrade()

    assert path.read_bytes() == bytes(damaged)


def _filled(path: Path) -> None:
    store = Store(f"sqlite:///{path}")
    store.upgrade()
    with store.begin() as tx:
        for number in range(300):
            cursors.set(tx, f"cursor {number}", "x" * 100, now=NOW)
    store.close()


def test_a_folder_that_does_not_exist_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="check directory and rights"):
        Store(f"sqlite:///{tmp_path}/nowhere/store.db").upgrade()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://u:pw@h/d", "nonsense"])
def test_an_address_that_cannot_keep_the_books_is_refused(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Store(url)

    assert "pw" not in str(refused.value)


def test_a_server_that_is_away_is_tried_again_later_and_the_password_stays_hidden() -> None:
    with pytest.raises(RetryLater) as refused:
        Store("postgresql://agent:opensesame@127.0.0.1:1/books").upgrade()

    assert "opensesame" not in str(refused.value)
    assert "does not answer" in str(refused.value)


def test_a_new_sqlite_file_is_its_owners_alone(tmp_path: Path) -> None:
    Store(f"sqlite:///{tmp_path}/store.db").upgrade()

    assert [oct(file.stat().st_mode & 0o777) for file in tmp_path.iterdir()] == ["0o600"] * 3


def test_sqlite_waits_for_the_disk_and_checks_references(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/store.db")
    store.upgrade()

    with store.begin() as tx:
        pragmas = {name: tx.execute(text(f"PRAGMA {name}")).scalar_one() for name in _PRAGMAS}

    assert pragmas == _PRAGMAS


_PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000, "recursive_triggers": 1}
