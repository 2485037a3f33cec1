"""The one lease under which partners are written to: of all processes on a store, one works at a time.

It is fenced: a holder that was frozen, or cut off from the database, for longer than the lease lasts finds out before its
next write, to a partner (`check`) and to the store (`require`), that another one may work.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Connection

from connector.clock import SystemClock
from connector.errors import Busy, ConnectorError
from connector.ports import Clock
from connector.store import Store, holders, leases

LEASE = "agent"
LEASE_TTL_S = 45.0
BEATS = 4.5  # renewals within the life of a lease
CERTAIN = 0.5  # of a lease's life: so soon after a renewal nobody else can have it, whatever the clocks say
log = structlog.get_logger(__name__)


class LeaseLost(BaseException):
    """Another process may work on this store: nothing more is written, not even what is under way."""


@dataclass(kw_only=True)
class Held:
    """A lease that we hold, on the machine's clock. `lost` is set once it is known not to be ours any more."""

    store: Store
    name: str
    me: str
    fence: int
    ttl_s: float
    clock: Clock
    renewed: float
    lost: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """LeaseLost when it is not ours, or when nobody can say: asked before each write to a partner."""
        if self.lost.is_set():
            raise LeaseLost
        if _boot_time() - self.renewed < self.ttl_s * CERTAIN:
            return
        if not self.renew():
            self.give_up()
            raise LeaseLost

    def require(self, tx: Connection) -> None:
        """The same within a transaction of the store, which then is not committed."""
        found = leases.holder(tx, self.name)
        if found is None or (found.holder, found.fence) != (self.me, self.fence):
            self.give_up()
            raise LeaseLost

    def renew(self) -> bool:
        """False when another one has it, or the database did not answer until it may be another's."""
        asked = _boot_time()
        try:
            with self.store.unfenced() as tx:
                kept = leases.renew(tx, self.name, self.me, self.fence, now=self.clock.now(), ttl_s=self.ttl_s)
        except ConnectorError as error:
            log.warning("the lease could not be renewed", error=str(error))
            return asked - self.renewed < self.ttl_s * CERTAIN
        if kept:
            self.renewed = asked
        return kept

    def give_up(self) -> None:
        if not self.lost.is_set():
            log.error("the lease is lost: another process may work on this store, so this one writes nothing more")
            self.lost.set()


@contextmanager
def held(
    store: Store,
    stop: threading.Event,
    *,
    who: str,
    wait_s: float = 0,
    name: str = LEASE,
    ttl_s: float = LEASE_TTL_S,
    meanwhile: Callable[[], None] = lambda: None,
) -> Iterator[Held]:
    """Hold the lease; Busy when another process has it after `wait_s`. A thread renews it. `meanwhile`: done while waiting."""
    ours = _acquire(store, stop, who, wait_s, name, ttl_s, meanwhile)
    done = threading.Event()
    thread = threading.Thread(target=_keep, args=(ours, done), daemon=True)
    thread.start()
    try:
        yield ours
    finally:
        done.set()
        thread.join()
        holders.forget(ours.me)
        _give_back(ours)


def _give_back(ours: Held) -> None:
    """It ends by itself where the database does not answer."""
    try:
        with ours.store.unfenced() as tx:
            leases.release(tx, ours.name, ours.me, ours.fence, now=ours.clock.now())
    except ConnectorError as error:
        log.warning("the lease could not be given back: it ends by itself", error=str(error))


def _acquire(
    store: Store, stop: threading.Event, who: str, wait_s: float, name: str, ttl_s: float, meanwhile: Callable[[], None]
) -> Held:
    clock, me = SystemClock(), f"{holders.process()} ({who})"
    deadline = time.monotonic() + wait_s
    said = False
    while True:
        asked = _boot_time()
        with store.begin() as tx:
            fence = leases.acquire_from_dead(tx, name, me, now=clock.now(), ttl_s=ttl_s)
            other = leases.holder(tx, name)
        if fence is not None:
            holders.note(me)
            return Held(store=store, name=name, me=me, fence=fence, ttl_s=ttl_s, clock=clock, renewed=asked)
        if not said and wait_s:
            said = True
            log.warning("waiting: another process works on this store", holder=other.holder if other else "unknown")
        meanwhile()
        if time.monotonic() >= deadline or stop.wait(min(1.0, ttl_s / BEATS)):
            raise _busy(other.holder if other else "another process", ttl_s)


def _busy(holder: str, ttl_s: float) -> Busy:
    return Busy(
        f"{holder} is working on this store and writes to the partners; it will do this in its next cycle. "
        "Stop it first if you want to do it here.",
        after_s=ttl_s,
    )


def _boot_time() -> float:
    """Seconds that also pass while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def _keep(ours: Held, done: threading.Event) -> None:
    while not done.wait(ours.ttl_s / BEATS):
        if not ours.renew():
            ours.give_up()
            return
