"""What all processes share: leases, tokens, the budget, snapshots and freshness."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from connector.errors import ConfigError, RetryLater
from connector.ports import Budget, TokenStore
from connector.store import Store, freshness, leases, schema, snapshots
from connector.store.budget import Rate, StoredBudget, spend
from connector.store.leases import Lease
from connector.store.tokens import LEASE_S, StoredTokens
from connector.testing.doubles import FixedClock
from tests.unit.store_databases import NOW, later, processes

pytest_plugins = ("tests.unit.store_fixtures",)

KEY, OTHER = "A" * 43 + "=", "B" * 42 + "A="


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


def _acquire(store: Store, holder: str, minutes: float = 0) -> int | None:
    with store.begin() as tx:
        return leases.acquire(tx, "leader", holder, now=later(minutes), ttl_s=60)


def test_one_holds_a_lease_until_it_expires(store: Store) -> None:
    assert _acquire(store, "a") == 1
    assert _acquire(store, "b", minutes=0.9) is None
    assert _acquire(store, "b", minutes=1) == 2

    with store.read() as tx:
        assert leases.holder(tx, "leader") == Lease(name="leader", holder="b", fence=2, expires=later(2))
        assert leases.holder(tx, "never held") is None


def test_a_renewed_lease_lasts_longer_and_a_lost_one_cannot_be_renewed(store: Store) -> None:
    _acquire(store, "a")
    with store.begin() as tx:
        assert leases.renew(tx, "leader", "a", 1, now=later(0.5), ttl_s=60)
    assert _acquire(store, "b", minutes=1.4) is None
    _acquire(store, "b", minutes=2)

    with store.begin() as tx:
        assert not leases.renew(tx, "leader", "a", 1, now=later(2), ttl_s=60)
        assert not leases.release(tx, "leader", "a", 1, now=later(2))


def test_a_released_lease_is_free_at_once_and_its_fence_still_grows(store: Store) -> None:
    _acquire(store, "a")
    with store.begin() as tx:
        assert leases.release(tx, "leader", "a", 1, now=NOW)
        assert leases.holder(tx, "leader") is None

    assert _acquire(store, "b") == 2


def test_the_same_name_started_again_waits_too(store: Store) -> None:
    _acquire(store, "a")

    assert _acquire(store, "a", minutes=0.5) is None
    assert _acquire(store, "a", minutes=1) == 2


def test_a_holder_that_was_frozen_cannot_renew_or_release_what_its_namesake_holds(store: Store) -> None:
    _acquire(store, "a")
    _acquire(store, "a", minutes=1)

    with store.begin() as tx:
        assert not leases.renew(tx, "leader", "a", 1, now=later(1), ttl_s=60)
        assert not leases.release(tx, "leader", "a", 1, now=later(1))
        assert leases.renew(tx, "leader", "a", 2, now=later(1), ttl_s=60)


def test_of_many_processes_one_gets_the_lease(address: str) -> None:
    outputs = processes(4, _LEAD, address)

    assert sorted(outputs) == ["1\n", "None\n", "None\n", "None\n"]


_LEAD = """
    import sys
    from connector.store import Store, leases
    from tests.unit.store_databases import NOW
    with Store(sys.argv[1]).begin() as tx:
        print(leases.acquire(tx, "leader", sys.argv[2], now=NOW, ttl_s=60))
"""


def _tokens(store: Store, clock: FixedClock, keys: str = KEY, sleep: Callable[[float], None] | None = None) -> StoredTokens:
    return StoredTokens(store, keys, clock=clock, sleep=sleep or (lambda _: None))


def test_tokens_are_kept_encrypted(store: Store, clock: FixedClock) -> None:
    tokens: TokenStore = _tokens(store, clock)
    assert tokens.load("quickbooks") == {}

    with tokens.locked("quickbooks") as cell:
        cell.save({"refresh": "sandbox-refresh-1"})
        assert cell.value == {"refresh": "sandbox-refresh-1"}

    assert tokens.load("quickbooks") == {"refresh": "sandbox-refresh-1"}
    with store.read() as tx:
        assert "sandbox-refresh-1" not in tx.execute(select(schema.token.c.value)).scalar_one()


class Killed(BaseException):
    pass


def test_saved_tokens_outlive_a_crash_right_after(store: Store, clock: FixedClock) -> None:
    with pytest.raises(Killed), _tokens(store, clock).locked("quickbooks") as cell:  # noqa: PT012 - it is killed inside
        cell.save({"refresh": "2"})
        raise Killed

    assert _tokens(store, clock).load("quickbooks") == {"refresh": "2"}


def test_saved_tokens_outlive_a_killed_process_and_nobody_waits_for_its_lock(
    store: Store, address: str, clock: FixedClock
) -> None:
    outputs = processes(1, _DIE, address, KEY)
    assert outputs == ["saved\n"]
    waits: list[float] = []

    with _tokens(store, clock, sleep=waits.append).locked("quickbooks") as cell:
        assert cell.value == {"refresh": "2"}
        assert waits == []


def test_the_lock_of_a_process_elsewhere_that_died_expires(store: Store, clock: FixedClock) -> None:
    with store.begin() as tx:
        leases.acquire(tx, "token:quickbooks", "another-host:1 abc", now=clock.now(), ttl_s=LEASE_S)
    tokens = _tokens(store, clock, sleep=lambda _: clock.advance(timedelta(seconds=10)))

    with tokens.locked("quickbooks") as cell:
        assert cell.value == {}


_DIE = """
    import os, sys
    from connector.store import Store
    from connector.store.tokens import StoredTokens
    from connector.testing.doubles import FixedClock
    from tests.unit.store_databases import NOW
    tokens = StoredTokens(Store(sys.argv[1]), sys.argv[2], clock=FixedClock(NOW))
    with tokens.locked("quickbooks") as cell:
        cell.save({"refresh": "2"})
        print("saved", flush=True)
        os._exit(0)
"""


def test_nobody_else_renews_tokens_while_they_are_locked(store: Store, clock: FixedClock) -> None:
    waits: list[float] = []
    with _tokens(store, clock).locked("quickbooks"):
        other = _tokens(store, clock, sleep=waits.append)
        with pytest.raises(RetryLater, match="renewing the tokens of quickbooks"), other.locked("quickbooks"):
            pass
        with other.locked("connectwise"):
            pass

    assert sum(waits) == pytest.approx(30)


def test_tokens_of_a_process_that_was_frozen_do_not_replace_newer_ones(store: Store, clock: FixedClock) -> None:
    frozen = _tokens(store, clock)
    with pytest.raises(RetryLater, match="renewed the tokens of quickbooks meanwhile"), frozen.locked("quickbooks") as cell:  # noqa: PT012 - and wakes up
        _renew_after_the_lock_expired(store, clock)
        cell.save({"refresh": "old"})

    assert frozen.load("quickbooks") == {"refresh": "new"}


def _renew_after_the_lock_expired(store: Store, clock: FixedClock) -> None:
    clock.advance(timedelta(minutes=10))
    with _tokens(store, clock).locked("quickbooks") as cell:
        cell.save({"refresh": "new"})


def test_several_processes_never_renew_with_the_same_token(store: Store, address: str, clock: FixedClock) -> None:
    with _tokens(store, clock).locked("quickbooks") as cell:
        cell.save({"refresh": "0"})

    processes(4, _RENEW, address, KEY)

    assert _tokens(store, clock).load("quickbooks") == {"refresh": "20"}


_RENEW = """
    import sys
    from connector.store import Store
    from connector.store.tokens import StoredTokens
    from connector.testing.doubles import FixedClock
    from tests.unit.store_databases import NOW
    tokens = StoredTokens(Store(sys.argv[1]), sys.argv[2], clock=FixedClock(NOW))
    for _ in range(5):
        with tokens.locked("quickbooks") as cell:
            cell.save({"refresh": str(int(cell.value["refresh"]) + 1)})
"""


def test_keys_can_be_changed_without_connecting_again(store: Store, clock: FixedClock) -> None:
    with _tokens(store, clock).locked("quickbooks") as cell:
        cell.save({"refresh": "1"})

    assert _tokens(store, clock, f"{OTHER}, {KEY}").rotate() == 1
    assert _tokens(store, clock, OTHER).load("quickbooks") == {"refresh": "1"}
    with pytest.raises(ConfigError, match="the stored tokens of quickbooks cannot be opened"):
        _tokens(store, clock, KEY).load("quickbooks")


@pytest.mark.parametrize("keys", ["", "short", KEY + ",", "ä" * 44])
def test_a_key_that_is_not_one_is_refused_and_not_shown(store: Store, clock: FixedClock, keys: str) -> None:
    with pytest.raises(ConfigError, match="44 characters") as refused:
        _tokens(store, clock, keys)

    assert not keys or keys not in str(refused.value)


def test_a_generated_key_is_accepted(store: Store, clock: FixedClock) -> None:
    assert _tokens(store, clock, Fernet.generate_key().decode()).load("quickbooks") == {}


def test_the_budget_lets_a_burst_through_and_then_the_rate(store: Store, clock: FixedClock) -> None:
    budget: Budget = StoredBudget(store, {"stripe": Rate(per_s=10, burst=3)}, clock=clock)

    assert [budget.take("stripe") for _ in range(4)] == [0, 0, 0, pytest.approx(0.1)]
    clock.advance(timedelta(seconds=0.1))
    assert [budget.take("stripe"), budget.take("stripe")] == [0, pytest.approx(0.1)]


def test_an_idle_hour_saves_up_no_more_than_a_burst(store: Store, clock: FixedClock) -> None:
    budget = StoredBudget(store, {"stripe": Rate(per_s=10, burst=3)}, clock=clock)
    budget.take("stripe")
    clock.advance(timedelta(hours=1))

    assert [budget.take("stripe") == 0 for _ in range(5)] == [True, True, True, False, False]


def test_a_partner_without_a_rate_is_not_limited(store: Store, clock: FixedClock) -> None:
    budget = StoredBudget(store, {}, clock=clock)

    assert [budget.take("stripe") for _ in range(100)] == [0] * 100


def test_all_processes_together_keep_to_one_budget(address: str) -> None:
    outputs = processes(4, _SPEND, address)

    assert sum(int(output) for output in outputs) == 30


_SPEND = """
    import sys
    from connector.store import Store
    from connector.store.budget import Rate, StoredBudget
    from connector.testing.doubles import FixedClock
    from tests.unit.store_databases import NOW
    budget = StoredBudget(Store(sys.argv[1]), {"stripe": Rate(per_s=1, burst=30)}, clock=FixedClock(NOW))
    print(sum(budget.take("stripe") == 0 for _ in range(20)))
"""


def test_a_clock_that_was_put_back_does_not_stop_us_for_longer_than_a_full_bucket(store: Store) -> None:
    tomorrow = StoredBudget(store, {"stripe": Rate(per_s=1, burst=5)}, clock=FixedClock(NOW + timedelta(days=1)))
    tomorrow.take("stripe")
    today = StoredBudget(store, {"stripe": Rate(per_s=1, burst=5)}, clock=FixedClock(NOW))

    assert today.take("stripe") == 1


@given(
    per_s=st.floats(min_value=0.1, max_value=100),
    burst=st.integers(min_value=1, max_value=50),
    gaps=st.lists(st.floats(min_value=0, max_value=30), max_size=60),
)
def test_no_window_ever_has_more_than_its_burst_and_its_rate(per_s: float, burst: int, gaps: list[float]) -> None:
    rate, now, free_at, taken = Rate(per_s=per_s, burst=burst), NOW, NOW, []
    for gap in gaps:
        now += timedelta(seconds=gap)
        wait, free_at = spend(free_at, now, rate)
        taken += [] if wait else [now]

    for index, start in enumerate(taken):
        for later_index in range(index, len(taken)):
            window = (taken[later_index] - start).total_seconds()
            assert later_index - index + 1 <= burst + window * per_s + 1e-3 * len(taken)


@pytest.mark.parametrize(("per_s", "burst"), [(0, 1), (1, 0)])
def test_a_rate_that_never_lets_anything_through_is_refused(per_s: float, burst: int) -> None:
    with pytest.raises(ValueError, match="burst of at least 1"):
        Rate(per_s=per_s, burst=burst)


def _save(store: Store, id: str, hash: str, next_change: date | None = None, psa: str = "cw") -> None:
    with store.begin() as tx:
        snapshots.save(tx, psa, id, hash=hash, content={"name": hash}, next_change=next_change, now=NOW)


def test_snapshots_are_known_loaded_and_forgotten_for_each_psa(store: Store) -> None:
    _save(store, "17", "h1")
    _save(store, "17", "h2")
    _save(store, "18", "h3")
    _save(store, "17", "other", psa="autotask")

    with store.begin() as tx:
        assert snapshots.known(tx, "cw") == {"17": "h2", "18": "h3"}
        assert snapshots.load(tx, "cw") == {"17": {"name": "h2"}, "18": {"name": "h3"}}
        snapshots.forget(tx, "cw", ["17", *(str(number) for number in range(1000, 2500))])
        assert snapshots.known(tx, "cw") == {"18": "h3"}
        assert snapshots.known(tx, "autotask") == {"17": "other"}


def test_a_snapshot_says_when_its_agreement_changes_without_an_edit(store: Store) -> None:
    _save(store, "17", "h1", date(2026, 4, 1))
    _save(store, "18", "h2", date(2026, 4, 2))
    _save(store, "19", "h3")

    with store.read() as tx:
        assert snapshots.due(tx, "cw", on=date(2026, 4, 1)) == ["17"]


def test_freshness_keeps_the_last_success_and_the_last_failure(store: Store) -> None:
    with store.begin() as tx:
        freshness.succeeded(tx, "stripe.events", now=NOW)
        freshness.failed(tx, "stripe.events", now=later(1), error="stripe does not answer")
        freshness.failed(tx, "mirror", now=NOW, error="ConnectWise refuses our keys")
        freshness.succeeded(tx, "mirror", now=later(2))

        mirror, events = freshness.every(tx)
    assert (mirror.name, mirror.last_success, mirror.last_failure, mirror.error) == ("mirror", later(2), NOW, "")
    assert (events.last_success, events.last_failure, events.error) == (NOW, later(1), "stripe does not answer")
