"""A store is moved to PostgreSQL: all or nothing, and the agent goes on there without doing anything twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from connector.agent import writing
from connector.errors import Busy, ConfigError
from connector.store import Store, audit
from connector.store.move import counts, move
from tests.e2e.msp import Msp, msp
from tests.unit.store_databases import Databases

pytest_plugins = ("tests.unit.store_fixtures",)
NEW = pytest.mark.parametrize("databases", ["postgresql"], indirect=True)


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Msp]:
    with msp(tmp_path, agreements=0) as running:
        running.to("2026-01-15")
        running.sign_up()
        running.to("2026-02-02")
        running.cycle()
        running.through("2026-02-06")
        yield running


@NEW
def test_the_agent_goes_on_with_the_moved_store_and_nothing_is_charged_twice(life: Msp, databases: Databases) -> None:
    new = Store(databases.empty())
    rows = counts(life.agent.store)

    moved = {one.table: one.rows for one in move(life.agent.store, new) if one.rows}
    life.restart(database=_address(new))
    life.cycle()
    life.to("2026-03-02")
    life.cycle()
    life.through("2026-03-06")

    assert moved == rows
    assert life.agent.store.is_shared
    assert len(life.books("Payment")) == len(life.psa_payments()) == len(life.ledger()) == 2
    assert life.reconcile().ties


def _address(store: Store) -> str:
    store.close()
    return store._url.set(drivername="postgresql").render_as_string(hide_password=False)


@NEW
def test_a_target_that_is_not_empty_is_refused_and_left_as_it_is(life: Msp, databases: Databases) -> None:
    new = Store(databases.ready())
    with new.begin() as tx:
        audit.write(tx, who="Dana", what="was here", now=life.agent.desk.now())

    with pytest.raises(ConfigError, match="not empty \\(audit\\)"):
        move(life.agent.store, new)

    assert counts(new) == {"audit": 1}


@NEW
def test_an_interrupted_move_leaves_a_database_that_says_so_and_can_be_repeated(life: Msp, databases: Databases) -> None:
    address = databases.empty()
    with pytest.raises(KeyboardInterrupt):
        move(life.agent.store, Store(address), progress=_interrupted)

    with pytest.raises(ConfigError, match="`connector migrate-store` was interrupted"):
        Store(address).upgrade()
    with pytest.raises(ConfigError, match="is not complete"), Store(address).begin():
        pass
    move(life.agent.store, Store(address))

    assert counts(Store(address)) == counts(life.agent.store)


def _interrupted(_what: str, done: int, _of: int) -> None:
    if done == 8:
        raise KeyboardInterrupt


@NEW
def test_a_row_that_came_over_differently_makes_the_new_database_unusable(life: Msp, databases: Databases) -> None:
    new = Store(databases.empty())
    new.upgrade()
    with new.begin() as tx:
        tx.execute(text("CREATE FUNCTION less() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$"))
        tx.execute(text("CREATE TRIGGER less BEFORE INSERT ON payer FOR EACH ROW EXECUTE FUNCTION less()"))

    with pytest.raises(ConfigError, match="the table payer came over differently \\(0 of 1 rows\\)"):
        move(life.agent.store, new)

    with pytest.raises(ConfigError, match="is not complete"):
        new.upgrade()


@NEW
def test_nothing_is_moved_while_an_agent_works_on_the_store(life: Msp, databases: Databases) -> None:
    del databases
    with writing(life.agent, who="run"), pytest.raises(Busy), writing(life.agent, who="migrate-store"):
        pass
