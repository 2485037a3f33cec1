"""The store: transactions on one database whose schema is exactly the one that this version knows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from connector.store import engine, migrate
from connector.store.sql import WRITES


class Store:
    """`url`: sqlite:///FILE or postgresql://... Opens no connection yet. `upgrade` before the first transaction.

    Everything raises RetryLater when the database is busy or away, and ConfigError when it is damaged, of another
    version or not ours; then nothing was written. A commit that met silence raises RetryLater too: whoever tries again
    reads first, as every flow does.
    """

    def __init__(self, url: str, *, busy_timeout_s: float = engine.BUSY_TIMEOUT_S) -> None:
        self._url = engine.parse(url)
        self._engine = engine.connect(self._url, busy_timeout_s)
        self._writer = self._engine.execution_options(**{WRITES: True})
        self._fence: Callable[[Connection], None] | None = None
        self._reader = self._engine
        if self._url.drivername != "sqlite":
            self._reader = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    def upgrade(self, *, unfinished_too: bool = False) -> None:
        """Bring the schema to this version's; several processes may call it at once.

        `unfinished_too`: not refused is a database to which a store is being moved.
        """
        with engine.explained(self._url):
            self._make_private()
            with self._reader.connect() as connection:
                if unfinished_too and migrate.is_moving(connection):
                    return
                migrate.refuse_unusable(connection, engine.shown(self._url))
            migrate.upgrade(self._writer, engine.shown(self._url))

    @property
    def is_shared(self) -> bool:
        """Whether processes on several machines can work on it."""
        return self._url.drivername != "sqlite"

    @property
    def shown(self) -> str:
        """Its address, without the password."""
        return engine.shown(self._url)

    def is_same(self, other: Store) -> bool:
        return self._url == other._url

    def fence(self, require: Callable[[Connection], None] | None) -> None:
        """Asked at the beginning of every write transaction from now on: it raises when another process took over."""
        self._fence = require

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A write transaction: committed at the end, rolled back on any exception. Keep it short; never call a partner in it."""
        with self.unfenced() as tx:
            if self._fence is not None:
                self._fence(tx)
            yield tx

    @contextmanager
    def unfenced(self) -> Iterator[Connection]:
        """For the lease itself."""
        with engine.explained(self._url), self._writer.begin() as tx:
            migrate.require_head(tx, engine.shown(self._url))
            yield tx

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view of everything; it cannot write."""
        with engine.explained(self._url), self._reader.begin() as tx:
            migrate.require_head(tx, engine.shown(self._url))
            yield tx

    @contextmanager
    def moving(self) -> Iterator[Connection]:
        """A write transaction on a database to which a store is being moved, for whoever moves it."""
        with engine.explained(self._url), self._writer.begin() as tx:
            if self.is_shared:
                tx.exec_driver_sql("SET LOCAL statement_timeout = 0")
            yield tx

    def close(self) -> None:
        self._engine.dispose()

    def _make_private(self) -> None:
        """A new SQLite file is its owner's alone; its journal files take over the rights."""
        if self._url.drivername == "sqlite" and self._url.database and not Path(self._url.database).exists():
            try:
                os.close(os.open(self._url.database, os.O_CREAT | os.O_RDWR, 0o600))
            except OSError:
                return  # the connection that follows says what is wrong
