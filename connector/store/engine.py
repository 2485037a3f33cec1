"""Connections: what SQLite and PostgreSQL must be told so that a commit is durable and a writer waits for its turn."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from connector.errors import ConfigError, RetryLater
from connector.store.sql import WRITES

BUSY_TIMEOUT_S = 30.0
BUSY_AGAIN_S = 5.0
# A server that went away without a word is found out within half a minute.
_SILENCE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}


def parse(url: str) -> URL:
    """`sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/DATABASE`. ConfigError otherwise; it never shows the password."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError("the database's address must be sqlite:///FILE or postgresql://USER@HOST/DATABASE") from None
    if parsed.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername != "sqlite":
        raise ConfigError(f"database {parsed.drivername!r} is not supported; use sqlite:///FILE or postgresql://...")
    if parsed.database in (None, "", ":memory:"):
        raise ConfigError("the database must be a file (sqlite:///FILE): in memory it would be lost with the process")
    return parsed


def connect(url: URL, busy_timeout_s: float) -> Engine:
    """Opens no connection yet."""
    return _sqlite(url, busy_timeout_s) if url.drivername == "sqlite" else _postgresql(url, busy_timeout_s)


def _postgresql(url: URL, busy_timeout_s: float) -> Engine:
    busy_timeout_ms = int(busy_timeout_s * 1000)
    settings = {
        "timezone": "UTC",
        "synchronous_commit": "on",
        "lock_timeout": busy_timeout_ms,
        "statement_timeout": 2 * busy_timeout_ms,
        "idle_in_transaction_session_timeout": 2 * busy_timeout_ms,  # a frozen process must not keep its locks for ever
    }
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    arguments = {"options": options, "connect_timeout": 10, "application_name": "psa-connector", **_SILENCE}
    return create_engine(url, connect_args=arguments, pool_pre_ping=True, hide_parameters=True)


def _sqlite(url: URL, busy_timeout_s: float) -> Engine:
    engine = create_engine(url, connect_args={"timeout": busy_timeout_s}, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # The driver's own BEGIN comes too late and takes no write lock: we say BEGIN ourselves.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA recursive_triggers = ON")  # else REPLACE would get past the append-only triggers


def _begin_sqlite(connection: Connection) -> None:
    """Straight to the driver: this is asked a hundred times a round."""
    writes = bool(connection.get_execution_options().get(WRITES))
    driver = cast(sqlite3.Connection, connection.connection.driver_connection)
    if connection.info.get(WRITES) is not writes:
        driver.execute(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
        connection.info[WRITES] = writes
    driver.execute("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """Database failures as ours: RetryLater when waiting helps, ConfigError when a person must look. No parameters shown."""
    try:
        yield
    except PoolTimeout as error:
        raise RetryLater(f"all connections to the database {shown(url)} are in use", after_s=BUSY_AGAIN_S) from error
    except sqlite3.Error as error:  # from the beginning of a transaction
        raise _sqlite_failure(url, error, str(error)) from error
    except (OperationalError, InterfaceError) as error:
        raise _operational(url, error) from error
    except DatabaseError as error:
        if isinstance(error.orig, sqlite3.DatabaseError) and _is_damage(error.orig):
            raise _damaged(url, str(error.orig)) from error
        raise


def shown(url: URL) -> str:
    return url.render_as_string(hide_password=True)


def _operational(url: URL, error: DatabaseError | InterfaceError) -> ConfigError | RetryLater:
    reason = str(error.orig).strip()
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_failure(url, error.orig, reason)
    return RetryLater(f"the database {shown(url)} does not answer: {reason}", after_s=BUSY_AGAIN_S)


def _sqlite_failure(url: URL, error: sqlite3.Error, reason: str) -> ConfigError | RetryLater:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return RetryLater(f"the database {shown(url)} is busy: another process is writing", after_s=BUSY_AGAIN_S)
    if name.startswith("SQLITE_FULL"):
        return RetryLater(f"the disk of the database {shown(url)} is full: make room; nothing was written", after_s=60.0)
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
        return ConfigError(f"the database {shown(url)} cannot be opened for writing ({reason}): check directory and rights")
    if _is_damage(error):
        return _damaged(url, reason)
    return RetryLater(f"the database {shown(url)} failed: {reason}", after_s=BUSY_AGAIN_S)


def _is_damage(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def _damaged(url: URL, reason: str) -> ConfigError:
    return ConfigError(
        f"the database {shown(url)} is damaged ({reason}). Nothing is written to it or to a partner."
        " Restore the latest backup, then run `connector recover`."
    )
