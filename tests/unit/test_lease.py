"""The lease under which partners are written to: whoever lost it writes nothing more, here or there."""

from __future__ import annotations

import threading

import pytest

from connector import lease
from connector.errors import Busy
from connector.lease import Held, LeaseLost
from connector.store import Store, cursors, leases
from tests.unit.store_databases import NOW

pytest_plugins = ("tests.unit.store_fixtures",)


def _taken_over(store: Store, ours: Held) -> None:
    """As when we were frozen for longer than the lease lasts."""
    with store.begin() as tx:
        leases.release(tx, ours.name, ours.me, ours.fence, now=NOW)
        assert leases.acquire(tx, ours.name, "another", now=NOW, ttl_s=60) == ours.fence + 1
    ours.renewed -= 60


def test_a_leader_that_was_frozen_cannot_commit_what_it_was_about_to_write(store: Store, address: str) -> None:
    other = Store(address)
    with lease.held(store, threading.Event(), who="run") as ours:
        store.fence(ours.require)
        _taken_over(other, ours)
        with pytest.raises(LeaseLost), store.begin() as tx:
            cursors.set(tx, "stripe.events", "late", now=NOW)
        store.fence(None)

    with other.read() as tx:
        assert cursors.get(tx, "stripe.events") == ""
        assert leases.holder(tx, "agent").holder == "another"  # type: ignore[union-attr]
    other.close()


def test_a_leader_that_was_frozen_is_told_before_it_writes_to_a_partner(store: Store) -> None:
    with lease.held(store, threading.Event(), who="run") as ours:
        ours.check()
        _taken_over(store, ours)

        with pytest.raises(LeaseLost):
            ours.check()
        with pytest.raises(LeaseLost):
            ours.check()


def test_a_leader_that_cannot_ask_the_database_stops_before_another_may_begin(address: str) -> None:
    store = Store(address)
    with lease.held(store, threading.Event(), who="run", ttl_s=20) as ours:
        store.fence(None)
        gone = Store("postgresql://agent@127.0.0.1:1/books")
        ours.store = gone
        ours.check()
        ours.renewed -= 15

        with pytest.raises(LeaseLost):
            ours.check()
        ours.store = store
    store.close()


def test_a_second_process_is_told_who_works_on_the_store(store: Store) -> None:
    with (
        lease.held(store, threading.Event(), who="run"),
        pytest.raises(Busy, match="\\(run\\) is working on this store"),
        lease.held(store, threading.Event(), who="apply"),
    ):
        pass


def test_a_lease_that_was_given_back_is_free_at_once(store: Store) -> None:
    with lease.held(store, threading.Event(), who="run"):
        pass
    with lease.held(store, threading.Event(), who="apply") as ours:
        ours.check()

        assert ours.fence == 2
