"""One seeded life: which step comes next, the agent's rounds between, and what is checked after each."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from adapters.sandbox.faults import Fault
from connector.agent import opened, sync_once
from connector.config.load import load_config
from tests.e2e.msp import Msp, msp, write_config
from tests.simulation.mortal import Crash, Mortal
from tests.simulation.record import Record

T = TypeVar("T")
QUIET_DAYS = (1, 1, 1, 3, 3, 6, 1)  # a debit takes four days, a retry three
TAIL = 14
NEVER = 10**9


class Broken(AssertionError):
    """An invariant does not hold."""


@dataclass(kw_only=True)
class Life:
    """`trace` has a line for each step; its digest is equal for equal seeds."""

    seed: int
    msp: Msp
    mortal: Mortal
    chance: random.Random
    record: Record = field(default_factory=Record)
    trace: list[str] = field(default_factory=list)
    outages: list[tuple[datetime, Fault]] = field(default_factory=list)
    crashes: int = 0
    rounds: int = 0
    steps: int = 0
    seen: Counter[str] = field(default_factory=Counter)  # what there was in the end, by kind

    @property
    def now(self) -> datetime:
        return self.msp.world.now

    def note(self, what: str) -> None:
        self.trace.append(f"{self.now:%m-%d %H:%M} {what}")

    def digest(self) -> str:
        rows = "\n".join(f"{r['at']} {r['partner']} {r['method']} {r['path']} {r['status']}" for r in self.msp.world.requests)
        return hashlib.sha256(("\n".join(self.trace) + rows).encode()).hexdigest()

    # Time and faults

    def later(self, hours: float) -> None:
        """Outages that are over by then are over; single faults wait for a request that they fit."""
        self.msp.at(self.now + timedelta(hours=hours))
        for until, fault in self.outages:
            if until <= self.now:
                fault.skip = NEVER
        self.outages = [(until, fault) for until, fault in self.outages if until > self.now]

    def outage(self, hours: float, **fault: Any) -> None:
        self.outages.append((self.now + timedelta(hours=hours), Fault(count=NEVER, **fault)))
        self.msp.world.faults.add(self.outages[-1][1])

    # The agent

    def round(self) -> dict[str, Any]:
        """Every flow once. Should it die on the way, it is started again on the same store."""
        self.rounds += 1
        self.record.look(self.msp)
        try:
            report = sync_once(self.msp.agent)
        except Crash:
            self.crashes += 1
            self.note("agent died")
            self.restart()
            report = {}
        self.record.check_round(self.msp, report)
        return report

    def restart(self) -> None:
        """Nothing of the old process is left but its store."""
        self.mortal.spare()
        self.msp.stack.close()
        self.msp.stack = ExitStack()
        config = write_config(self.msp.folder, self.msp.url, kind=self.msp.kind)
        self.msp.agent = self.msp.stack.enter_context(opened(load_config(config), clock=self.mortal, sleep=self.mortal.sleep))

    def reconnect_books(self) -> None:
        """A person connects the app to QuickBooks again and enters the new refresh token."""
        fresh = self.msp.act("quickbooks.reconnect")
        (self.msp.folder / "secrets" / "quickbooks_refresh").write_text(fresh)
        self.restart()

    # The end

    def quiet(self) -> None:
        """Everything works again, people leave it alone, days pass: now it has to be right."""
        self.note("quiet")
        self.outages.clear()
        self.msp.world.faults.clear()
        self.mortal.spare()
        self.mortal.off = timedelta(0)
        self.reconnect_books()  # a rotation may have been lost for good
        for days in QUIET_DAYS:
            self.later(24 * days)
            self.round()
        self.round()
        written = len(self.msp.requests(writes=True))
        self.round()
        self.record.check_quiet(self.msp, writes=self.msp.requests(writes=True)[written:])


def pick(life: Life, among: Sequence[T]) -> T | None:
    return life.chance.choice(among) if among else None


Step = Callable[[Life], str | None]


def live(folder: Path, seed: int, *, steps: int, table: Callable[[str], list[tuple[int, Step]]]) -> Life:
    """Broken (with the steps before it) when an invariant does not hold; anything else the agent raised, as it is."""
    chance = random.Random(f"life {seed}")
    kind = "autotask" if seed % 3 == 0 else "connectwise"
    with msp(folder, agreements=0, seed=seed, psa=kind) as m:
        life = Life(seed=seed, msp=m, mortal=Mortal(m.world), chance=chance)
        life.record.watch_logs()
        life.restart()
        try:
            _steps(life, steps, table(kind))
            life.quiet()
            life.seen = life.record.counted(m)
        except Exception as error:
            raise Broken(_told(life, steps, error)) from error
        finally:
            life.record.forget_logs()
        return life


def _steps(life: Life, steps: int, table: list[tuple[int, Step]]) -> None:
    weights, functions = [weight for weight, _ in table], [step for _, step in table]
    for begin in functions[:1] * 3:
        begin(life)
    life.round()
    life.msp.enrol()
    life.round()
    life.record.begin(life.msp)
    for _ in range(steps):
        life.steps += 1
        step = life.chance.choices(functions, weights)[0]
        try:
            said = step(life)
        except (ValueError, KeyError) as refused:  # a person may not do that just now
            said = f"refused: {str(refused)[:70]}"
        if said is not None:
            life.note(f"{step.__name__}: {said}")
        if said is not None and life.chance.random() < 0.35:
            life.round()


def _told(life: Life, steps: int, error: Exception) -> str:
    tail = "\n  ".join(life.trace[-TAIL:])
    said = f"{type(error).__name__}: {error}" if not isinstance(error, Broken) else str(error)
    return (
        f"seed {life.seed} ({life.msp.kind}), step {life.steps} of {steps}, {life.now:%Y-%m-%d %H:%M}: {said}\n"
        f"  {tail}\nAgain: make simulate SEED={life.seed} STEPS={steps}"
    )
