"""Sending once: the process is killed at every step, then what the partner has is counted."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from connector.errors import ConnectorError, OutcomeUnknown, Rejected, RetryLater, Unauthorized
from connector.ports import WriteKey
from connector.store import Store, links
from connector.store.links import Link, LinkState
from connector.store.write_once import write_once
from connector.testing.doubles import FixedClock
from tests.unit.store_databases import NOW

pytest_plugins = ("tests.unit.store_fixtures",)

LAG = timedelta(seconds=30)


class Killed(BaseException):
    """The process is gone: nothing of ours handles it."""


class Steps:
    """Counts the steps of one run and kills it at the chosen one."""

    def __init__(self, kill_at: int | None = None) -> None:
        self.taken = 0
        self._kill_at = kill_at

    def step(self) -> None:
        self.taken += 1
        if self.taken == self._kill_at:
            raise Killed


class DyingStore:
    """A store whose process may be killed just before and just after each commit."""

    def __init__(self, store: Store, steps: Steps) -> None:
        self._store = store
        self._steps = steps

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        with self._store.begin() as tx:
            yield tx
            self._steps.step()
        self._steps.step()


class Partner:
    """Makes whatever it is asked to, and shows it to a search only after its lag. Its idempotency keys are forgotten at once."""

    def __init__(self, clock: FixedClock) -> None:
        self.made: list[WriteKey] = []
        self._shown_from: list[object] = []
        self._clock = clock
        self.steps = Steps()
        self.refuses: ConnectorError | None = None
        self.loses_the_answer = False
        self.shows_at_once = False

    def send(self, key: WriteKey) -> str:
        self.steps.step()
        if self.refuses is not None:
            raise self.refuses
        self.made.append(key)
        self._shown_from.append(self._clock.now() if self.shows_at_once else self._clock.now() + LAG)
        self.steps.step()
        if self.loses_the_answer:
            raise OutcomeUnknown("no answer came back")
        return f"sub_{len(self.made)}"

    def find(self, key: WriteKey) -> str | None:
        self.steps.step()
        for number, (made, shown) in enumerate(zip(self.made, self._shown_from, strict=True), start=1):
            if made.value == key.value and shown <= self._clock.now():
                return f"sub_{number}"
        return None


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture
def partner(clock: FixedClock) -> Partner:
    return Partner(clock)


def _write(store: Store | DyingStore, partner: Partner, clock: FixedClock, generation: int = 1) -> Link:
    return write_once(
        store,  # type: ignore[arg-type]
        kind="subscription",
        source="cw:1",
        target_system="stripe",
        now=clock.now,
        find=partner.find,
        send=partner.send,
        find_lag=LAG,
        generation=generation,
        fingerprint="f1",
    )


def _run(store: Store, partner: Partner, clock: FixedClock, kill_at: int | None) -> int:
    """One life of the process. How many steps it took."""
    partner.steps = Steps(kill_at)
    with suppress(Killed, RetryLater):
        _write(DyingStore(store, partner.steps), partner, clock)
    return partner.steps.taken


def _stored(store: Store) -> Link | None:
    with store.read() as tx:
        return links.find(tx, "subscription", "cw:1", "stripe")


def test_what_is_written_is_linked_and_never_sent_again(store: Store, partner: Partner, clock: FixedClock) -> None:
    link = _write(store, partner, clock)
    again = _write(store, partner, clock)

    assert (link.state, link.target, link.fingerprint, link.attempt) == (LinkState.LINKED, "sub_1", "f1", 1)
    assert again == link
    assert partner.made == [WriteKey(value="subscription:cw:1:g1", since=NOW, attempt=1)]


STEPS = 8  # three commits, before and after each, and the send, before and after its effect


def test_every_step_is_known(store: Store, partner: Partner, clock: FixedClock) -> None:
    assert _run(store, partner, clock, kill_at=None) == STEPS


@pytest.mark.parametrize("seconds", [0, 10, 31])
def test_killed_at_any_two_steps_it_still_sends_once(store: Store, clock: FixedClock, seconds: int) -> None:
    for first, second in itertools.product(range(1, STEPS + 1), repeat=2):
        _retire_everything(store, clock)
        partner = Partner(clock)
        for kill_at in (first, second, None, None):
            _run(store, partner, clock, kill_at)
            clock.advance(timedelta(seconds=seconds))
        clock.advance(LAG)
        _run(store, partner, clock, None)
        link = _stored(store)

        assert len(partner.made) == 1, (first, second)
        assert link is not None
        assert (link.state, link.target) == (LinkState.LINKED, "sub_1"), (first, second)


def _retire_everything(store: Store, clock: FixedClock) -> None:
    with store.begin() as tx:
        for link in links.every(tx, "subscription", "stripe").values():
            links.retire(tx, link, now=clock.now())


def test_a_lost_answer_is_looked_up_at_once(store: Store, partner: Partner, clock: FixedClock) -> None:
    partner.loses_the_answer = True
    partner.shows_at_once = True

    assert _write(store, partner, clock).target == "sub_1"
    assert len(partner.made) == 1


def test_a_lost_answer_that_cannot_be_found_yet_waits_for_the_lag(store: Store, partner: Partner, clock: FixedClock) -> None:
    partner.loses_the_answer = True

    with pytest.raises(RetryLater, match="subscription of cw:1") as first:
        _write(store, partner, clock)
    clock.advance(timedelta(seconds=10))
    with pytest.raises(RetryLater) as second:
        _write(store, partner, clock)
    clock.advance(timedelta(seconds=20))

    assert (first.value.after_s, second.value.after_s) == (30.0, 20.0)
    assert _write(store, partner, clock).target == "sub_1"
    assert len(partner.made) == 1


def test_the_lag_counts_from_the_latest_send(store: Store, partner: Partner, clock: FixedClock) -> None:
    _run(store, partner, clock, kill_at=5)  # noted, but killed before it left
    clock.advance(timedelta(minutes=10))
    _run(store, partner, clock, kill_at=7)  # sent again, and killed before the answer was kept
    clock.advance(timedelta(seconds=29))

    with pytest.raises(RetryLater):
        _write(store, partner, clock)
    assert len(partner.made) == 1


def test_a_new_send_has_a_new_attempt_under_the_same_key(store: Store, partner: Partner, clock: FixedClock) -> None:
    _run(store, partner, clock, kill_at=5)
    clock.advance(timedelta(minutes=1))

    _write(store, partner, clock)

    assert partner.made == [WriteKey(value="subscription:cw:1:g1", since=NOW, attempt=2)]


@pytest.mark.parametrize("error", [Rejected("no"), RetryLater("busy"), Unauthorized("bad key")])
def test_a_refusal_leaves_nothing_to_look_up(store: Store, partner: Partner, clock: FixedClock, error: ConnectorError) -> None:
    partner.refuses = error
    with pytest.raises(type(error)):
        _write(store, partner, clock)
    link = _stored(store)
    partner.refuses = None

    assert link is not None
    assert (link.state, link.sent_at, link.attempt) == (LinkState.INTENDED, None, 1)
    assert _write(store, partner, clock).attempt == 2
    assert len(partner.made) == 1


def test_another_generation_is_not_made_beside_one_that_lives(store: Store, partner: Partner, clock: FixedClock) -> None:
    old = _write(store, partner, clock)

    with pytest.raises(Rejected, match="generation 1 is linked"):
        _write(store, partner, clock, generation=2)

    with store.begin() as tx:
        links.retire(tx, old, now=clock.now())
    assert _write(store, partner, clock, generation=2).target == "sub_2"


def test_a_process_that_comes_while_another_one_sends_waits(store: Store, partner: Partner, clock: FixedClock) -> None:
    class Slow(Partner):
        def send(self, key: WriteKey) -> str:
            with pytest.raises(RetryLater):
                _write(store, partner, clock)
            return super().send(key)

    slow = Slow(clock)

    assert _write(store, slow, clock).target == "sub_1"
    assert (len(slow.made), len(partner.made)) == (1, 0)
