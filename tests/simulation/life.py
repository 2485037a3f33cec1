"""One seeded life: which step comes next, the agent's rounds between, and what is checked after each."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from requests.adapters import BaseAdapter

from adapters.sandbox.faults import Fault
from adapters.sandbox.seed import build_world
from adapters.sandbox.transport import NOWHERE, InProcess
from adapters.sandbox.world import World
from connector.agent import Agent, flows_of, opened, run_flow, sync_once
from connector.config.load import load_config
from connector.errors import ConnectorError
from tests.e2e.msp import Msp, write_config
from tests.simulation import at_the_bank
from tests.simulation.broken import Broken
from tests.simulation.mortal import Crash, Mortal
from tests.simulation.record import Record
from tests.simulation.setting import Setting, drawn

T = TypeVar("T")
QUIET_DAYS = (1, 1, 1, 3, 3, 6, 1)  # a debit takes four days, a retry three
TAIL = 14
NEVER = 10**9
WHOLE_ROUNDS = 0.4  # of all; in the others some flows are due and some are not, as on a timetable


@dataclass(frozen=True, kw_only=True)
class Bent:
    """What a test bends to see that it is found: the way to the partners, or the agent once it is opened."""

    transport: Callable[[World], BaseAdapter] = InProcess
    agent: Callable[[Agent], None] = lambda _: None


@dataclass(kw_only=True)
class Life:
    """`trace` has a line for each step; its digest is equal for equal seeds."""

    seed: int
    msp: Msp
    mortal: Mortal
    chance: random.Random
    setting: Setting
    bent: Bent = field(default_factory=Bent)
    record: Record = field(default_factory=Record)
    trace: list[str] = field(default_factory=list)
    outages: list[tuple[datetime, Fault]] = field(default_factory=list)
    crashes: int = 0
    restarts: int = 0
    rounds: int = 0
    events: int = 0
    in_the_bank: int = 0  # cents, before anything was collected
    seen: Counter[str] = field(default_factory=Counter)  # what there was in the end, by kind

    @property
    def now(self) -> datetime:
        return self.msp.world.now

    @property
    def steps(self) -> int:
        """Events of life and cycles of the agent."""
        return self.events + self.rounds

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

    def round(self, *, whole: bool = False) -> dict[str, Any]:
        """What is due, once. Should the agent die on the way, it is started again on the same store."""
        self.rounds += 1
        self.record.look(self.msp)
        try:
            report = self._cycle(whole or self.chance.random() < WHOLE_ROUNDS)
        except Crash:
            self.died()
            report = {}
        self.record.check_round(self.msp, report)
        return report

    def _cycle(self, whole: bool) -> dict[str, Any]:
        agent = self.msp.agent
        if whole:
            return sync_once(agent)
        due = [name for name in flows_of(agent.config) if self.chance.random() < DUE[name]]
        report = {name: run_flow(agent, name) for name in due}
        agent.pulse.flush(agent.store)
        return report

    def died(self) -> None:
        self.crashes += 1
        self.note("agent died")
        self.restart()

    def restart(self) -> None:
        """Nothing of the old process is left but its store."""
        self.restarts += 1
        self.mortal.spare()
        self.msp.stack.close()
        self.msp.stack = ExitStack()
        self.msp.agent = self.msp.stack.enter_context(start(self.msp.folder, self.msp.world, self.mortal, self.bent))
        self.bent.agent(self.msp.agent)

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
            self.round(whole=True)
        self.round(whole=True)
        written = len(self.msp.requests(writes=True))
        self.round(whole=True)
        self.record.check_quiet(self.msp, writes=self.msp.requests(writes=True)[written:])
        if self.setting.books_payouts:
            at_the_bank.check(self.msp, opened_with=self.in_the_bank)


# How often a flow is due in a round that is not whole.
DUE = {
    "collect": 0.7,
    "mirror": 0.4,
    "enrol": 0.3,
    "release": 0.6,
    "deliver": 0.7,
    "payouts": 0.3,
    "books_changes": 0.2,
    "reconcile": 0.1,
}


def pick(life: Life, among: Sequence[T]) -> T | None:
    return life.chance.choice(among) if among else None


Step = Callable[[Life], str | None]
Table = Callable[[str], list[tuple[int, Step]]]


def start(folder: Path, world: World, mortal: Mortal, bent: Bent) -> AbstractContextManager[Agent]:
    config = load_config(folder / "connector.yaml")
    return opened(config, clock=mortal, sleep=mortal.sleep, transport=bent.transport(world))


def live(
    folder: Path,
    seed: int,
    *,
    steps: int,
    table: Table,
    bent: Bent | None = None,
    then: Callable[[Life], None] = lambda _: None,
    **changes: Any,
) -> Life:
    """Broken (with the steps before it) when an invariant does not hold; anything else the agent raised, as it is.

    `steps`: events of life, without the cycles of the agent. `then`: what is to hold at the end beyond what always does.
    `changes`: of the configuration that the seed draws.
    """
    chance, bent = random.Random(f"life {seed}"), bent or Bent()
    setting = drawn(chance, seed)
    world = build_world(seed=seed, agreements=0, lines=4, psa=setting.psa)
    write_config(folder, NOWHERE, kind=setting.psa, **{**setting.config, **changes})
    mortal = Mortal(world)
    with ExitStack() as last:
        stack = ExitStack()
        agent = stack.enter_context(start(folder, world, mortal, bent))
        m = Msp(world=world, agent=agent, folder=folder, url=NOWHERE, stack=stack, kind=setting.psa)
        last.callback(lambda: m.stack.close())
        life = Life(seed=seed, msp=m, mortal=mortal, chance=chance, setting=setting, bent=bent)
        last.enter_context(life.record.listening())
        bent.agent(agent)
        try:
            _steps(life, steps, table(setting.psa))
            life.quiet()
            then(life)
        except Exception as error:
            raise Broken(_told(life, steps, error)) from error
        life.seen = life.record.counted(m)
        return life


def _steps(life: Life, steps: int, table: list[tuple[int, Step]]) -> None:
    weights, functions = [weight for weight, _ in table], [step for _, step in table]
    for begin in functions[:1] * life.setting.customers:
        life.note(f"{begin.__name__}: {begin(life)}")
    life.round(whole=True)
    life.msp.enrol()
    life.round(whole=True)
    life.record.begin(life.msp)
    life.in_the_bank = at_the_bank.balance(life.msp)
    for _ in range(steps):
        life.events += 1
        said = _lived(life, life.chance.choices(functions, weights)[0])
        if said and life.chance.random() < 0.35:
            life.round()


def _lived(life: Life, step: Step) -> bool:
    """Whether it did anything."""
    try:
        said = step(life)
    except (ValueError, KeyError, ConnectorError) as refused:  # a person may not do that just now, or has to try again
        said = f"refused: {str(refused)[:70]}"
    except Crash:  # within what a person told it to do
        life.died()
        said = "not to its end"
    if said is not None:
        life.note(f"{step.__name__}: {said}")
    return said is not None


def _told(life: Life, steps: int, error: Exception) -> str:
    tail = "\n  ".join(life.trace[-TAIL:])
    said = f"{type(error).__name__}: {error}" if not isinstance(error, Broken) else str(error)
    return (
        f"seed {life.seed} ({life.setting}), event {life.events} of {steps}, {life.now:%Y-%m-%d %H:%M}: {said}\n"
        f"  {tail}\nAgain: make simulate SEED={life.seed} STEPS={steps}"
    )
