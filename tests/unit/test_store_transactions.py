"""What a write and a read transaction promise on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, StatementError

from connector.errors import ConnectorError, RetryLater
from connector.store import Store, cursors, settings
from tests.unit.store_databases import NOW, processes

pytest_plugins = ("tests.unit.store_fixtures",)


def test_what_a_transaction_wrote_is_gone_when_it_fails(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.begin() as tx:  # noqa: PT012 - the failure comes after the write
        cursors.set(tx, "stripe.events", "evt_1", now=NOW)
        _fail()

    with store.read() as tx:
        assert cursors.get(tx, "stripe.events") == ""


def _fail() -> None:
    raise ZeroDivisionError


def test_a_read_transaction_cannot_write(store: Store) -> None:
    with pytest.raises((DBAPIError, ConnectorError)), store.read() as tx:
        cursors.set(tx, "stripe.events", "evt_1", now=NOW)

    with store.begin() as tx:
        cursors.set(tx, "stripe.events", "evt_2", now=NOW)
    with store.read() as tx:
        assert cursors.get(tx, "stripe.events") == "evt_2"


def test_a_read_transaction_sees_one_moment(store: Store) -> None:
    with store.read() as early:
        assert cursors.get(early, "stripe.events") == ""
        with store.begin() as tx:
            cursors.set(tx, "stripe.events", "evt_1", now=NOW)

        assert cursors.get(early, "stripe.events") == ""


def test_read_decide_write_is_one_step_even_for_several_processes(store: Store, address: str) -> None:
    with store.begin() as tx:
        settings.set(tx, "counter", 0, now=NOW)

    processes(4, _COUNT, address)

    with store.read() as tx:
        assert settings.get(tx, "counter") == 100


_COUNT = """
    import sys
    from datetime import UTC, datetime
    from connector.store import Store, settings
    store = Store(sys.argv[1])
    for _ in range(25):
        with store.begin() as tx:
            number = settings.get(tx, "counter")
            settings.set(tx, "counter", number + 1, now=datetime(2026, 3, 1, tzinfo=UTC))
"""


def test_a_setting_keeps_any_json(store: Store) -> None:
    with store.begin() as tx:
        settings.set(tx, "pause", {"by": "Zoë", "since": None, "units": [1, True]}, now=NOW)

    with store.read() as tx:
        assert settings.get(tx, "pause") == {"by": "Zoë", "since": None, "units": [1, True]}
        assert settings.get(tx, "never set", default=False) is False


def test_a_cursor_is_empty_before_the_first(store: Store) -> None:
    with store.begin() as tx:
        assert cursors.get(tx, "stripe.events") == ""


def test_a_naive_time_is_refused(store: Store) -> None:
    with pytest.raises(StatementError, match="aware datetimes only"), store.begin() as tx:
        cursors.set(tx, "stripe.events", "evt_1", now=datetime(2026, 3, 1))  # noqa: DTZ001


def test_an_error_never_shows_what_was_to_be_written(store: Store) -> None:
    with pytest.raises((DBAPIError, ConnectorError)) as refused, store.read() as tx:
        cursors.set(tx, "stripe.events", "a secret", now=NOW)

    assert "a secret" not in str(refused.value)


def test_a_closed_store_opens_again_by_itself(store: Store) -> None:
    store.close()

    with store.begin() as tx:
        cursors.set(tx, "stripe.events", "evt_1", now=NOW.astimezone(timezone(timedelta(hours=-5))))


def test_a_database_that_is_busy_for_too_long_is_tried_again_later(store: Store, address: str) -> None:
    impatient = Store(address, busy_timeout_s=0.05)
    with store.begin() as tx:
        settings.set(tx, "pause", True, now=NOW)
        with pytest.raises(RetryLater), impatient.begin() as other:
            settings.set(other, "pause", False, now=NOW)

    with impatient.read() as tx:
        assert settings.get(tx, "pause") is True
    impatient.close()


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)  # PostgreSQL's disk is its server's
def test_a_full_disk_is_tried_again_later_and_nothing_is_half_written(store: Store) -> None:
    with pytest.raises(RetryLater, match="is full: make room"), store.begin() as tx:  # noqa: PT012
        tx.execute(text("PRAGMA max_page_count = 1"))  # as many as there are: none more
        for number in range(1000):
            cursors.set(tx, f"cursor {number}", "x" * 1000, now=NOW)

    with store.read() as tx:
        assert cursors.get(tx, "cursor 0") == ""


@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)  # SQLite has no connection to lose
def test_a_lost_connection_is_tried_again_later_and_the_next_transaction_has_a_new_one(store: Store, address: str) -> None:
    other = Store(address)
    with pytest.raises(RetryLater, match="does not answer"), store.begin() as tx:  # noqa: PT012 - it is lost inside
        cursors.set(tx, "stripe.events", "evt_1", now=NOW)
        with other.begin() as killer:
            killer.execute(text(_LOSE))
        cursors.set(tx, "stripe.events", "evt_2", now=NOW)

    with store.begin() as tx:
        assert cursors.get(tx, "stripe.events") == ""
    other.close()


_LOSE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
