"""The real agent over months on the simulated clock, measured at the end of each."""

from __future__ import annotations

import ctypes
import gc
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from re import search
from typing import Any

from sqlalchemy import func, select

from connector.agent import Agent, flows_of, opened, run_flow, sync_once
from connector.config.load import load_config
from connector.store import payers
from connector.store.schema import metadata
from tests.e2e.msp import write_config
from tests.soak.partners import Partners, partners

EDITS_PER_1000 = 15  # quantities that people change in a day
FAULTS = 4  # a day, at most
DAYS = 30
CHECKS = 4  # three-way checks in a month: each reads again what was collected in three of them
CONFIG = {"limits": {"cancels_percent": 100, "changes_percent": 100}, "store": {"keep_days": 100}}


@dataclass(frozen=True, kw_only=True)
class Month:
    """What there is at its end, and what its rounds cost. `quiet_cpu_s`: of a round in which nothing is left to do."""

    number: int
    rss_mb: float
    threads: int
    files: int
    rows: dict[str, int]
    store_mb: float
    asked: dict[str, int]
    quiet_asked: int
    cpu_s: float
    quiet_cpu_s: float
    wall_s: float


def live(folder: Path, *, agreements: int, lines: int, months: int, seed: int, every_days: int = 1) -> Iterator[Month]:
    """A round a day (or seldom); faults at random, quantities that change, payers who sign up."""
    with partners(agreements=agreements, lines=lines, seed=seed) as there:
        config = load_config(write_config(folder, there.url, **CONFIG))
        with opened(config, clock=there.clock, sleep=lambda _: None) as agent:
            _begin(there, agent)
            edits = every_days * (agreements * EDITS_PER_1000 // 1000 + 1)
            for number in range(1, months + 1):
                yield _month(number, folder, there, agent, edits=edits, every_days=every_days)


def _begin(there: Partners, agent: Agent) -> None:
    """Everything is set up, and all payers have enrolled."""
    sync_once(agent)
    _enrol(there, agent)
    sync_once(agent)
    there.post("asked")


def _month(number: int, folder: Path, there: Partners, agent: Agent, *, edits: int, every_days: int) -> Month:
    cpu, wall = time.process_time(), time.perf_counter()
    rounds = DAYS // every_days
    for done in range(1, rounds + 1):
        there.post("people", edits=edits, faults=FAULTS)
        there.advance(timedelta(days=every_days))
        _round(agent)
        _enrol(there, agent)
        if done % max(rounds // CHECKS, 1) == 0:
            run_flow(agent, "reconcile")
    there.post("people", edits=0, faults=0)
    for _ in range(2):
        _round(agent)  # what a fault held up is made good
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    asked, quiet_cpu_s = there.post("asked"), _quiet_round(agent)
    quiet = sum(there.post("asked").values())
    now = _measured(folder, agent)
    return Month(number=number, asked=asked, quiet_asked=quiet, cpu_s=cpu, quiet_cpu_s=quiet_cpu_s, wall_s=wall, **now)


def _round(agent: Agent) -> None:
    """Every flow but the three-way check, which the agent makes four times a day and this life once a week."""
    for name in flows_of(agent.config):
        if name != "reconcile":
            run_flow(agent, name)
    agent.pulse.flush(agent.store)


def _quiet_round(agent: Agent) -> float:
    begun = time.process_time()
    _round(agent)
    return time.process_time() - begun


def _enrol(there: Partners, agent: Agent) -> None:
    with agent.store.read() as tx:
        waiting = [row for row in payers.every(tx) if row.link and not row.method]
    for number, row in enumerate(waiting):
        if session := search(r"cs_test_\w+", row.link):
            method = "us_bank_account" if number % 3 == 0 else "card"
            there.post("stripe.complete_checkout", session=session.group(), method=method)


def _measured(folder: Path, agent: Agent) -> dict[str, Any]:
    gc.collect()
    with agent.store.read() as tx:
        rows = {table.name: tx.execute(select(func.count()).select_from(table)).scalar_one() for table in metadata.sorted_tables}
    return {
        "rows": rows,
        "rss_mb": _rss_mb(),
        "threads": threading.active_count(),
        "files": len(os.listdir("/proc/self/fd")),
        "store_mb": sum(file.stat().st_size for file in folder.glob("connector.db*")) / 2**20,
    }


def _rss_mb() -> float:
    """What the process holds, without what the allocator keeps for the next round."""
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
