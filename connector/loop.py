"""The loop of `connector run`: `schedule` says when a flow is due; what is due is run, one flow after the other."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass

import schedule
import structlog

from connector.agent import Agent, Stopping, flows_of, leading, run_flow
from connector.config.model import Config
from connector.errors import Busy, RetryLater
from connector.lease import LeaseLost

AGAIN_S = 2.0
log = structlog.get_logger(__name__)


def run(agent: Agent) -> None:
    """Until `agent.stop` is set. Holds the lease; a second `run` on a shared store delivers while it waits for it.

    Busy on a SQLite file that another process does not give up.
    """
    every = agent.config.schedule
    wait_s = float("inf") if agent.store.is_shared else every.lease_s + 1
    while not agent.stop.is_set():
        try:
            with leading(agent, who="run", wait_s=wait_s, meanwhile=_Standby(agent)):
                loop(agent)
        except LeaseLost:
            log.warning("another replica leads now; this one stands by")
        except Busy:
            if not agent.stop.is_set():
                raise _taken() from None
        except RetryLater as error:
            log.warning("the database does not answer; it is tried again", error=str(error))
            agent.stop.wait(min(error.after_s, AGAIN_S))


def _taken() -> Busy:
    return Busy(
        "another `connector run` works on this SQLite file, and one is what it can take. Stop the other one first; for two that"
        " share the work, keep the store in PostgreSQL: connector migrate-store"
    )


@dataclass(kw_only=False)
class _Standby:
    """What a replica does that does not lead: it delivers what is ready, beside the leader."""

    agent: Agent
    next_at: float = 0.0

    def __call__(self) -> None:
        self.agent.beat = time.monotonic()
        if not self.agent.store.is_shared or self.agent.config.mode == "shadow" or time.monotonic() < self.next_at:
            return
        self.next_at = time.monotonic() + self.agent.config.schedule.deliver_s
        with suppress(RetryLater):
            run_flow(self.agent, "deliver")
            self.agent.pulse.flush(self.agent.store)
        self.agent.cycles += 1


def loop(agent: Agent) -> None:
    due: set[str] = set(flows_of(agent.config)) - {"reconcile"}
    timetable = _timetable(agent.config, due)
    while not agent.stop.is_set():
        agent.beat = time.monotonic()
        timetable.run_pending()
        try:
            _run_due(agent, due)
        except Stopping:
            break
        agent.stop.wait(min(max(timetable.idle_seconds or 0.2, 0.05), 1.0))
    log.info("stopped")


def _timetable(config: Config, due: set[str]) -> schedule.Scheduler:
    """Jobs only say what is due: an exception in one would end the scheduler, a slow one would block it."""
    timetable = schedule.Scheduler()
    every = config.schedule
    intervals = {
        "mirror": every.mirror_s,
        "enrol": every.mirror_s,
        "collect": every.collect_s,
        "release": every.release_s,
        "deliver": every.deliver_s,
        "payouts": every.payouts_s,
        "books_changes": every.payouts_s,  # it asks once an hour at most
        "reconcile": every.reconcile_s,
        "shadow": every.reconcile_s,  # it reads as much as the three-way check
    }
    for name in flows_of(config):
        seconds = intervals[name]
        timetable.every(seconds).seconds.do(due.add, name)
    return timetable


def _run_due(agent: Agent, due: set[str]) -> None:
    now_due = [name for name in flows_of(agent.config) if name in due]
    for name in now_due:
        due.discard(name)
        run_flow(agent, name)
        if agent.stop.is_set():
            raise Stopping
    if now_due:
        agent.pulse.flush(agent.store)
    if "deliver" in now_due or "shadow" in now_due:
        agent.cycles += 1
