"""Migrations, one process at a time, and the refusal to touch a database that this version does not know."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import OperationalError, ProgrammingError
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random

from connector.errors import ConfigError

HEAD = "0012"
MOVING = "moving"  # instead of a version: a store is being moved here, and is not complete yet
_VERSION = "SELECT version_num FROM alembic_version"
_ADVISORY_LOCK = 7_206_117_201  # any number, the same in every process
_ONE_UPGRADE = threading.Lock()  # Alembic keeps the running migration in a module


def config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return made


def refuse_unusable(connection: Connection, shown: str) -> None:
    """ConfigError for a damaged database, one of a newer version, or another program's. Reads only."""
    _refuse_damaged(connection, shown)
    _refuse_unknown(connection, shown)


def _refuse_unknown(connection: Connection, shown: str) -> None:
    current = MigrationContext.configure(connection).get_current_revision()
    if current is None:
        _refuse_foreign(connection, shown)
    elif current == MOVING:
        raise _half_moved(shown)
    elif current not in _known():
        raise _newer(shown, current)


def upgrade(engine: Engine, shown: str) -> None:
    """To the head, in one transaction, under a lock that all processes share."""
    if engine.dialect.name == "sqlite":
        _write_ahead_log(engine)
    with _ONE_UPGRADE, engine.begin() as connection:  # on SQLite BEGIN IMMEDIATE is the lock
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _ADVISORY_LOCK})
        _refuse_unknown(connection, shown)  # another process may have been faster
        ready = config()
        ready.attributes["connection"] = connection
        command.upgrade(ready, HEAD)


def require_head(connection: Connection, shown: str) -> None:
    """Asked in every transaction: a newer version may have upgraded the database while this one was running."""
    current = _current(connection, shown)
    if current == HEAD:
        return
    if current == MOVING:
        raise _half_moved(shown)
    if current in _known():
        raise ConfigError(f"the database {shown} has the older schema {current}; `connector run` brings it up to date")
    raise _newer(shown, str(current))


def _current(connection: Connection, shown: str) -> str | None:
    try:
        return _version(connection)
    except (OperationalError, ProgrammingError, sqlite3.OperationalError) as error:
        if "alembic_version" not in str(error):
            raise
        raise ConfigError(f"the database {shown} was not set up yet; `connector run` sets it up") from None


def _version(connection: Connection) -> str | None:
    """On SQLite straight from the driver: this is asked more than a hundred times a round."""
    driver = connection.connection.driver_connection
    if isinstance(driver, sqlite3.Connection):
        rows = driver.execute(_VERSION).fetchall()
        return rows[0][0] if rows else None
    found: str | None = connection.exec_driver_sql(_VERSION).scalar_one_or_none()
    return found


def _known() -> frozenset[str]:
    return frozenset(script.revision for script in ScriptDirectory.from_config(config()).walk_revisions())


def is_moving(connection: Connection) -> bool:
    return MigrationContext.configure(connection).get_current_revision() == MOVING


def set_version(connection: Connection, version: str) -> None:
    connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})


def _half_moved(shown: str) -> ConfigError:
    return ConfigError(
        f"the database {shown} is not complete: `connector migrate-store` was interrupted. Nothing was written. Start it again,"
        " with the old database in the configuration; until then go on with the old one."
    )


def _newer(shown: str, current: str) -> ConfigError:
    return ConfigError(
        f"the database {shown} has schema {current}, which is newer than this version's ({HEAD}). Nothing was written."
        " Start the newer version again, or restore a backup made before the upgrade."
    )


def _refuse_damaged(connection: Connection, shown: str) -> None:
    if connection.dialect.name != "sqlite":
        return
    found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    if found != "ok":
        raise ConfigError(
            f"the database {shown} is damaged ({found}). Nothing was written. Restore the latest backup,"
            " then run `connector recover`."
        )


def _refuse_foreign(connection: Connection, shown: str) -> None:
    tables = [name for name in inspect(connection).get_table_names() if name != "alembic_version"]
    if tables:
        raise ConfigError(
            f"the database {shown} holds tables of another program ({', '.join(sorted(tables)[:3])}). Nothing was written."
            " Give the connector a database of its own."
        )


def _write_ahead_log(engine: Engine) -> None:
    """The file remembers it. SQLite does not wait for other processes when it switches, so we do."""
    again = Retrying(retry=retry_if_exception_type(OperationalError), wait=wait_random(0.01, 0.1), stop=stop_after_delay(10))
    again.reraise = True
    again(_switch_to_write_ahead_log, engine)


def _switch_to_write_ahead_log(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")  # the switch is not possible inside a transaction
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        connection.exec_driver_sql("BEGIN")
