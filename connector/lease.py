"""The one lease under which partners are written to: of all processes on a store, one works at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from connector.clock import SystemClock
from connector.errors import Busy, ConnectorError
from connector.ports import Clock
from connector.store import Store, holders, leases

LEASE = "agent"
LEASE_TTL_S = 45.0
HEARTBEAT_S = 10.0
log = structlog.get_logger(__name__)


@contextmanager
def held(store: Store, stop: threading.Event, *, who: str, wait_s: float = 0) -> Iterator[None]:
    """Hold the lease; Busy when another process has it after `wait_s`. When it is lost, `stop` is set.

    The lease runs on the machine's clock, renewed by a thread; when it is lost, the current flow stops at its next step.
    """
    clock, me = SystemClock(), f"{holders.process()} ({who})"
    fence = _acquire(store, stop, clock, me, wait_s)
    done = threading.Event()
    thread = threading.Thread(target=_keep, args=(store, stop, clock, me, fence, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        holders.forget(me)
        with store.begin() as tx:
            leases.release(tx, LEASE, me, fence, now=clock.now())


def _acquire(store: Store, stop: threading.Event, clock: Clock, me: str, wait_s: float) -> int:
    deadline = time.monotonic() + wait_s
    said = False
    while True:
        with store.begin() as tx:
            fence = leases.acquire_from_dead(tx, LEASE, me, now=clock.now(), ttl_s=LEASE_TTL_S)
            other = leases.holder(tx, LEASE)
        if fence is not None:
            holders.note(me)
            return fence
        if not said and wait_s:
            said = True
            log.warning("waiting: another process works on this store", holder=other.holder if other else "unknown")
        if time.monotonic() >= deadline or stop.wait(1.0):
            who = other.holder if other else "another process"
            raise Busy(
                f"{who} is working on this store and writes to the partners; it will do this in its next cycle. "
                "Stop it first if you want to do it here.",
                after_s=LEASE_TTL_S,
            )


def _keep(store: Store, stop: threading.Event, clock: Clock, me: str, fence: int, done: threading.Event) -> None:
    renewed = time.monotonic()
    while not done.wait(HEARTBEAT_S):
        try:
            with store.begin() as tx:
                kept = leases.renew(tx, LEASE, me, fence, now=clock.now(), ttl_s=LEASE_TTL_S)
        except ConnectorError as error:
            log.warning("the lease could not be renewed", error=str(error))
            kept = time.monotonic() - renewed < LEASE_TTL_S - HEARTBEAT_S
        else:
            renewed = time.monotonic()
        if not kept:
            log.error("the lease is lost: another process may work on this store, so this one stops")
            stop.set()
            return
