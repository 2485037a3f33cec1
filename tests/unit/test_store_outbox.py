"""Deliveries: claimed by one worker at a time, in order within a charge."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection

from connector.store import Store, ledger, outbox
from connector.store.outbox import Delivery, DeliveryState, StaleLease
from tests.unit.store_databases import NOW, charge, entry, later, processes, with_charge

pytest_plugins = ("tests.unit.store_fixtures",)

PSA, BOOKS = "psa:connectwise", "books:quickbooks"


def _append(store: Store, key: str, *targets: str, unit: str = "cw:1", minutes: float = 0) -> None:
    with_charge(store, unit)
    with store.begin() as tx:
        ledger.append(tx, entry(key, of=charge(unit)), targets=targets or (PSA,), now=later(minutes))


def _claim(store: Store, *, minutes: float = 0, limit: int = 10, target: str | None = None, worker: str = "w") -> list[Delivery]:
    with store.begin() as tx:
        return outbox.claim(tx, now=later(minutes), lease_s=60, limit=limit, worker=worker, target=target)


def _done(store: Store, delivery: Delivery) -> None:
    with store.begin() as tx:
        outbox.done(tx, delivery, external_id="900", note="as found", now=later(1))


def test_a_claim_takes_what_is_ready_under_a_lease(store: Store) -> None:
    _append(store, "payment:1")

    (taken,) = _claim(store)

    assert (taken.entry, taken.target, taken.state, taken.attempts) == ("payment:1", PSA, DeliveryState.RUNNING, 1)
    assert (taken.lease_expires, taken.lease_token != "") == (later(1), True)
    assert _claim(store) == []


def test_a_claim_takes_the_oldest_up_to_its_limit_and_of_its_target(store: Store) -> None:
    for number in range(3):
        _append(store, f"payment:{number}", PSA, BOOKS, unit=f"cw:{number}", minutes=-number)

    assert [d.entry for d in _claim(store, limit=2, target=BOOKS)] == ["payment:1", "payment:2"]
    assert [d.entry for d in _claim(store, target=BOOKS)] == ["payment:0"]
    assert len(_claim(store, target=PSA)) == 3


def test_two_deliveries_of_one_charge_to_one_target_are_never_out_at_once(store: Store) -> None:
    _append(store, "payment:1", PSA, BOOKS)
    _append(store, "reversal:1", PSA, BOOKS)

    first = _claim(store)
    assert [(d.entry, d.target) for d in first] == [("payment:1", PSA), ("payment:1", BOOKS)]
    assert _claim(store) == []

    _done(store, first[0])
    assert [(d.entry, d.target) for d in _claim(store)] == [("reversal:1", PSA)]


def test_a_delivery_that_waits_or_is_parked_holds_up_the_later_ones_of_its_charge_only(store: Store) -> None:
    _append(store, "payment:1")
    _append(store, "reversal:1")
    _append(store, "payment:2", unit="cw:2")
    first, _ = _claim(store)
    with store.begin() as tx:
        outbox.later(tx, first, run_at=later(60), note="busy", now=NOW)
    assert _claim(store, minutes=59) == []

    (again,) = _claim(store, minutes=60)
    with store.begin() as tx:
        outbox.park(tx, again, why="invoice 900 is closed", now=later(60))
    assert _claim(store, minutes=99) == []

    with store.begin() as tx:
        assert outbox.dismiss(tx, again.id, why="entered by hand", now=later(99))
    assert [d.entry for d in _claim(store, minutes=99)] == ["reversal:1"]


def test_what_is_done_stays_done(store: Store) -> None:
    _append(store, "payment:1")
    (taken,) = _claim(store)
    _done(store, taken)

    with store.read() as tx:
        (delivery,) = outbox.of_entry(tx, "payment:1")
        assert (delivery.state, delivery.external_id, delivery.note, delivery.done_at, delivery.lease_token) == (
            DeliveryState.DONE,
            "900",
            "as found",
            later(1),
            "",
        )
        assert outbox.undelivered(tx) == []
        assert outbox.oldest_undelivered(tx) is None
    assert _claim(store, minutes=99) == []


def test_a_parked_delivery_waits_for_a_person_and_then_starts_from_the_first_attempt(store: Store) -> None:
    _append(store, "payment:1")
    (taken,) = _claim(store)
    with store.begin() as tx:
        outbox.park(tx, taken, why="invoice 900 is closed", now=NOW)
    assert _claim(store, minutes=9999) == []

    with store.begin() as tx:
        assert outbox.counts(tx) == {"ready": 0, "running": 0, "done": 0, "parked": 1}
        assert outbox.retry_parked(tx, taken.id, now=later(5))
        assert not outbox.retry_parked(tx, taken.id, now=later(5))
    (again,) = _claim(store, minutes=5)
    assert (again.attempts, again.note) == (1, "invoice 900 is closed")


def test_only_what_expired_is_reaped_and_a_claim_never_looks_for_it(store: Store) -> None:
    _append(store, "payment:1")
    _append(store, "payment:2", unit="cw:2")
    _claim(store, limit=1)
    _claim(store, minutes=0.5)
    assert _claim(store, minutes=99) == []

    with store.begin() as tx:
        assert outbox.reap(tx, now=later(1.25)) == 1
    (again,) = _claim(store, minutes=1.25)
    assert (again.entry, again.attempts) == ("payment:1", 2)


ENDINGS: dict[str, Callable[[Connection, Delivery], None]] = {
    "done": lambda tx, lost: outbox.done(tx, lost, external_id="1", now=later(3)),
    "later": lambda tx, lost: outbox.later(tx, lost, run_at=later(9), note="", now=later(3)),
    "park": lambda tx, lost: outbox.park(tx, lost, why="", now=later(3)),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_worker_that_lost_its_lease_cannot_note_anything(store: Store, ending: str) -> None:
    _append(store, "payment:1")
    (lost,) = _claim(store)
    with store.begin() as tx:
        outbox.reap(tx, now=later(2))
    (held,) = _claim(store, minutes=2)

    with pytest.raises(StaleLease, match="payment:1"), store.begin() as tx:
        ENDINGS[ending](tx, lost)

    with store.read() as tx:
        assert outbox.get(tx, held.id) == held


def test_a_lease_token_is_never_used_twice_even_after_a_person_started_the_count_again(store: Store) -> None:
    _append(store, "payment:1")
    (lost,) = _claim(store)
    with store.begin() as tx:
        outbox.reap(tx, now=later(2))
    (second,) = _claim(store, minutes=2)
    with store.begin() as tx:
        outbox.park(tx, second, why="closed", now=later(2))
        outbox.retry_parked(tx, second.id, now=later(2))
    (third,) = _claim(store, minutes=2)

    assert third.attempts == 1
    assert len({lost.lease_token, second.lease_token, third.lease_token}) == 3


def test_the_oldest_undelivered_tells_since_when(store: Store) -> None:
    _append(store, "payment:1", minutes=5)
    _append(store, "payment:2", unit="cw:2", minutes=1)

    with store.read() as tx:
        assert outbox.oldest_undelivered(tx) == later(1)
        assert [d.entry for d in outbox.undelivered(tx)] == ["payment:1", "payment:2"]


def test_processes_share_the_work_and_none_is_given_out_twice(store: Store, address: str) -> None:
    for number in range(60):
        _append(store, f"payment:{number}", unit=f"cw:{number % 20}")

    outputs = processes(4, _WORK, address)
    worked = [line.split() for output in outputs for line in output.splitlines()]

    assert sorted(key for _, key in worked) == sorted(f"payment:{number}" for number in range(60))
    with store.read() as tx:
        assert outbox.counts(tx) == {"ready": 0, "running": 0, "done": 60, "parked": 0}


_WORK = """
    import sys
    from connector.store import Store, outbox
    from tests.unit.store_databases import later
    store = Store(sys.argv[1])
    worker = sys.argv[2]
    while True:
        with store.begin() as tx:
            taken = outbox.claim(tx, now=later(1), lease_s=60, limit=3, worker=worker)
            left = outbox.undelivered(tx)
        for delivery in taken:
            print(worker, delivery.entry)
            with store.begin() as tx:
                outbox.done(tx, delivery, external_id=worker, now=later(2))
        if not left:
            break
"""


@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_on_postgresql_a_claim_passes_over_what_another_one_is_claiming(store: Store) -> None:
    _append(store, "payment:1")
    _append(store, "payment:2", unit="cw:2")

    with store.begin() as tx:
        first = outbox.claim(tx, now=NOW, lease_s=60, limit=1, worker="a")
        second = _claim(store, worker="b")

    assert ([d.entry for d in first], [d.entry for d in second]) == (["payment:1"], ["payment:2"])
