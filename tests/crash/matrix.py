"""Kill the agent at each point of a stage, start it again, and compare what is left everywhere with a life unharmed.

A stage begins from a world and a store that were left by the stage before. Forking is the snapshot: a case runs in a
process of its own, which owns a copy of the world and serves it; the agent is a fork of that, really killed.
"""

from __future__ import annotations

import gc
import json
import re
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import requests

from adapters.sandbox.seed import build_world
from adapters.sandbox.server import Sandbox
from adapters.sandbox.world import World
from connector.agent import Agent, opened, sync_once, writing
from connector.config.load import load_config
from connector.errors import ConnectorError
from tests.crash.left import differences, left, stored
from tests.crash.points import Point, Points, watch
from tests.crash.processes import Failed, fork, wait
from tests.e2e.msp import write_config

ROUNDS = 2  # what a round leaves to the next is done in the second
RESTART = timedelta(minutes=1)  # until the process runs again, by when a gateway shows what it did; or until the next look
LATER_H = (2, 2, 2)  # whatever had an unknown outcome may be looked up again by then, and what was made then is carried on


@dataclass(kw_only=True)
class People:
    """Everybody but the agent, and what they look at."""

    world: World
    folder: Path

    def act(self, action: str, **arguments: Any) -> Any:
        partner, _, name = action.partition(".")
        with self.world.lock:
            return self.world.partners[partner].actions[name](**arguments)  # type: ignore[attr-defined]

    def enrol(self, name: str, *, method: str = "card", behaviour: str = "ok") -> None:
        """The payer opens the link."""
        (row,) = [row for row in self.stored("payer") if row["name"] == name]
        session = re.search(r"cs_test_\w+", row["link"])
        assert session, f"{name} has no link"
        self.act("stripe.complete_checkout", session=session.group(), method=method, behaviour=behaviour)

    def stored(self, table: str) -> list[dict[str, Any]]:
        return stored(self.folder).get(table, [])

    def rows(self, partner: str, table: str) -> list[dict[str, Any]]:
        found = self.world.partners[partner].state()[table]
        return list(found.values()) if isinstance(found, dict) else list(found)


def nothing(_: object) -> None:
    """No part of its own in a stage."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """`people` act first; then the agent does its part, over and over after each kill, and goes round."""

    name: str
    people: Callable[[People], object] = nothing
    agent: Callable[[Agent], object] = nothing


@dataclass(frozen=True, kw_only=True)
class Story:
    name: str
    stages: Sequence[Stage]
    kind: str = "connectwise"
    config: Mapping[str, Any] = field(default_factory=dict)
    within_migrations: bool = False  # each statement of a migration is a point too
    replaces_store: bool = False  # people do so: no agent runs while they act


@dataclass(frozen=True, kw_only=True)
class Found:
    """What one case left. `killed` where it was asked to."""

    points: list[Point]
    killed: bool
    left: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Case:
    """`kinds`: of the writes before and after this point."""

    stage: str
    number: int
    point: str
    kinds: tuple[str, ...]
    wrong: str  # "" when all is as without the kill


Wanted = Callable[[int, int | None], bool]  # a point of a stage, both numbered from 0; None: whether any of it at all


class Walk:
    """All stages of one story, one after the other, in `folder`."""

    def __init__(self, folder: Path, story: Story, *, wanted: Wanted, workers: int = 2, both_sides: bool = False) -> None:
        self.folder = folder
        self.story = story
        self.world = build_world(agreements=0, psa=story.kind)
        self.here = folder / "life"
        self.found: list[Point] = []
        self._wanted, self._workers, self._both_sides = wanted, workers, both_sides

    def cases(self) -> Iterator[Case]:
        self.here.mkdir(parents=True)
        _warm(self.folder / "warm", self.story)
        for number, stage in enumerate(self.story.stages):
            stage.people(People(world=self.world, folder=self.here))
            if self._wanted(number, None):
                yield from self._stage(number, stage)
            self.found.extend(self._play(self.here, stage, None, to_the_end=False).points)

    def _stage(self, number: int, stage: Stage) -> Iterator[Case]:
        unharmed = self._forked(self.folder / "unharmed", stage, None)()
        if isinstance(unharmed, str):
            raise AssertionError(f"{self.story.name}, {stage.name}, without a kill: {unharmed}")
        chosen = [n for place, n in enumerate(self._moments(unharmed.points)) if self._wanted(number, place)]
        waiting: list[tuple[int, Callable[[], Found | str]]] = []
        for place, n in enumerate(chosen):
            waiting.append((n, self._forked(self.folder / f"case{place % self._workers}", stage, n)))
            if len(waiting) == self._workers:
                yield _judged(stage, unharmed, *waiting.pop(0))
        for case in waiting:
            yield _judged(stage, unharmed, *case)

    def _moments(self, points: list[Point]) -> list[int]:
        """After one write and before the next is the same moment for everybody but the agent: one kill does for both."""
        return [n for n, point in enumerate(points, start=1) if self._both_sides or point.after or n == 1]

    def _forked(self, folder: Path, stage: Stage, kill_at: int | None) -> Callable[[], Found | str]:
        """Play it in a process of its own, on copies. What is returned waits for the end: what was found, or what went wrong."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.here, folder)
        pid = fork(lambda: _keep(folder, self._play(folder, stage, kill_at)), folder / "case.log")

        def end() -> Found | str:
            try:
                status = wait(pid)
            except Failed as error:
                return f"{error}\n{_logs(folder)}"
            return _kept(folder) if status == 0 else _logs(folder)

        return end

    def _play(self, folder: Path, stage: Stage, kill_at: int | None, *, to_the_end: bool = True) -> Found:
        """One stage on this world: the agent does its part, perhaps dies on the way, and goes on when it was started again."""
        with Sandbox(self.world) as sandbox:
            config = write_config(folder, sandbox.url, kind=self.story.kind, **self.story.config)
            killed = (
                _agent(folder, config, stage, Points(kill_at=kill_at, within_migrations=self.story.within_migrations))
                == -signal.SIGKILL
            )
            points = [] if killed else [Point(**row) for row in json.loads((folder / "points.json").read_text())]
            with self.world.lock:
                self.world.advance(self.world.now + RESTART)
            if killed:
                _agent(folder, config, stage, Points(), rounds=1, again=True)
            if to_the_end:
                _agent(folder, config, Stage(name="afterwards", agent=_goes_on(sandbox.url)), Points(), rounds=0)
        return Found(points=points, killed=killed, left=left(folder, self.world) if to_the_end else {})


def _goes_on(url: str) -> Callable[[Agent], None]:
    def rounds(agent: Agent) -> None:
        for hours in LATER_H:
            requests.post(f"{url}/_sandbox/advance", json={"hours": hours}, timeout=10).raise_for_status()
            _round(agent, may_wait=False)

    return rounds


def _agent(folder: Path, config: Path, stage: Stage, points: Points, *, rounds: int = ROUNDS, again: bool = False) -> int:
    """Its exit code. Failed when it ended otherwise than well or by the kill."""

    def child() -> None:
        watch(points)
        with opened(load_config(config)) as agent, writing(agent, who="crash"):
            _ask(agent, stage, again=again)
            for _ in range(rounds):
                _round(agent, may_wait=again)
        (folder / "points.json").write_text(json.dumps([asdict(point) for point in points.passed]))

    status = wait(fork(child, folder / "agent.log"))
    if status != 0 and (points.kill_at is None or status != -signal.SIGKILL):
        raise Failed(f"the agent ended with {status}")
    return status


def _ask(agent: Agent, stage: Stage, *, again: bool) -> None:
    try:
        stage.agent(agent)
    except ConnectorError:  # a person's command that was carried out before the kill
        if not again:
            raise


def _round(agent: Agent, *, may_wait: bool) -> None:
    """`may_wait`: a write that was cut off may have to wait until it can be looked up."""
    for name, part in sync_once(agent).items():
        if isinstance(part, dict) and part.get("error") and not may_wait:
            raise AssertionError(f"{name}: {part['error']}")


def _warm(folder: Path, story: Story) -> None:
    """What every process would load and compile is loaded once, before they are forked."""
    folder.mkdir()
    with Sandbox(build_world(agreements=2, psa=story.kind)) as sandbox:
        config = write_config(folder, sandbox.url, kind=story.kind, **story.config)
        with opened(load_config(config)) as agent, writing(agent, who="warm"):
            sync_once(agent)
    gc.collect()
    gc.freeze()


def _judged(stage: Stage, unharmed: Found, n: int, end: Callable[[], Found | str]) -> Case:
    found, point = end(), unharmed.points[n - 1]
    after = unharmed.points[n : n + 1] if point.after else []
    wrong = found if isinstance(found, str) else _compared(unharmed, found)
    kinds = (*point.kinds, *(kind for one in after for kind in one.kinds))
    return Case(stage=stage.name, number=n, point=str(point), kinds=kinds, wrong=wrong)


def _compared(unharmed: Found, found: Found) -> str:
    if not found.killed:
        return "it was not killed: the points are not the same in each run"
    return "\n".join(differences(unharmed.left, found.left)[:12])


def _keep(folder: Path, found: Found) -> None:
    (folder / "found.json").write_text(json.dumps(asdict(found)))


def _kept(folder: Path) -> Found:
    row = json.loads((folder / "found.json").read_text())
    return Found(**{**row, "points": [Point(**point) for point in row["points"]]})


def _logs(folder: Path) -> str:
    return "\n".join(path.read_text()[-4000:] for path in sorted(folder.glob("*.log")))
