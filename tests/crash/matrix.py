"""Kill the agent at each point of a stage, start it again, and compare what is left everywhere with a life unharmed.

A stage begins from a world and a store that were left by the stage before. Forking is the snapshot: a case runs in a
process of its own, which owns a copy of the world and serves it; the agent is a fork of that, really killed.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from adapters.sandbox.server import Sandbox
from adapters.sandbox.world import World
from connector.agent import Agent, opened, sync_once, writing
from connector.config.load import load_config
from connector.errors import ConnectorError
from connector.store import schema
from tests.crash.points import Points, watch
from tests.e2e.msp import write_config

CASE_S = 60.0
ROUNDS = 2  # what a round leaves to the next is done in the second
LATER = timedelta(hours=2)  # whatever had an unknown outcome may be looked up again by then
# The audit says what was done when it was seen to be done; a kill just before leaves no line, or another word (arm, not create).
_EACH_PROCESS_ITS_OWN = {"lease", "budget", "token", "freshness", "audit"}
_EACH_ATTEMPT_ITS_OWN = {"id", "attempt", "attempts", "claims", "lease_token", "lease_expires", "run_at", "who"}


@dataclass(kw_only=True)
class People:
    """Everybody but the agent, and what they look at."""

    world: World
    folder: Path

    def act(self, action: str, **arguments: Any) -> Any:
        partner, _, name = action.partition(".")
        with self.world.lock:
            return self.world.partners[partner].actions[name](**arguments)  # type: ignore[attr-defined]

    def enrol(self, *, method: str = "card", behaviour: str = "ok") -> None:
        """Every payer with a link opens it."""
        for row in sorted(self.stored("payer"), key=lambda row: str(row["name"])):
            session = re.search(r"cs_test_\w+", row["link"])
            if session and not row["method"]:
                self.act("stripe.complete_checkout", session=session.group(), method=method, behaviour=behaviour)

    def stored(self, table: str) -> list[dict[str, Any]]:
        return stored(self.folder).get(table, [])

    def later(self, *, days: float) -> None:
        self.world.advance_days(days)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """`people` act first; then the agent does its part, over and over after each kill."""

    name: str
    people: Callable[[People], object]
    agent: Callable[[Agent], object]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What one case left. `killed` where it was asked to."""

    points: list[str]
    killed: bool
    left: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Case:
    stage: str
    number: int
    point: str
    wrong: str  # "" when all is as without the kill


def walk(folder: Path, world: World, stages: Sequence[Stage], wanted: Callable[[int], bool], workers: int = 2) -> Iterator[Case]:
    """Every wanted case of every stage; `wanted` is asked with the number of the point in the whole story, from 0."""
    here, first = folder / "life", 0
    here.mkdir()
    for stage in stages:
        stage.people(People(world=world, folder=here))
        unharmed = _forked(folder / "unharmed", here, world, stage, None)()
        points = list(enumerate(unharmed.points, start=1))
        chosen = [(n, point) for n, point in points if wanted(first + n - 1)]
        yield from _cases(folder, here, world, stage, unharmed, chosen, workers)
        first += len(points)
        _play(here, world, stage, None)


def _cases(
    folder: Path, here: Path, world: World, stage: Stage, unharmed: Found, chosen: list[tuple[int, str]], workers: int
) -> Iterator[Case]:
    waiting: list[tuple[int, str, Callable[[], Found]]] = []
    for place, (n, point) in enumerate(chosen):
        waiting.append((n, point, _forked(folder / f"case{place % workers}", here, world, stage, n)))
        if len(waiting) == workers:
            yield _judged(stage, unharmed, *waiting.pop(0))
    for case in waiting:
        yield _judged(stage, unharmed, *case)


def _judged(stage: Stage, unharmed: Found, n: int, point: str, end: Callable[[], Found]) -> Case:
    found = end()
    wrong = "" if found.killed else "it was not killed: the points are not the same in each run"
    return Case(stage=stage.name, number=n, point=point, wrong=wrong or "\n".join(differences(unharmed.left, found.left)[:12]))


def _forked(folder: Path, here: Path, world: World, stage: Stage, kill_at: int | None) -> Callable[[], Found]:
    """Play it in a process of its own, on copies. What is returned waits for the end."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(here, folder)

    def child() -> None:
        (folder / "found.json").write_text(json.dumps(_play(folder, world, stage, kill_at)))

    pid = _fork(child, folder / "case.log")

    def end() -> Found:
        status = _wait(pid)
        if status != 0:
            raise AssertionError(f"{stage.name}, point {kill_at}:\n{_logs(folder)}")
        return Found(**json.loads((folder / "found.json").read_text()))

    return end


def _logs(folder: Path) -> str:
    return "\n".join(path.read_text()[-4000:] for path in sorted(folder.glob("*.log")))


def _play(folder: Path, world: World, stage: Stage, kill_at: int | None) -> dict[str, Any]:
    """One stage on this world: the agent does its part, perhaps dies on the way, and goes on when it was started again."""
    with Sandbox(world) as sandbox:
        config = write_config(folder, sandbox.url)
        killed = _agent(folder, config, stage, kill_at) == -signal.SIGKILL
        if killed:
            _must_end_well(folder, _agent(folder, config, stage, None, again=True))
        world.advance(world.now + LATER)
        _must_end_well(folder, _agent(folder, config, _AFTERWARDS, None))
    return {"points": json.loads((folder / "points.json").read_text()), "killed": killed, "left": left(folder, world)}


def _must_end_well(folder: Path, status: int) -> None:
    if status != 0:
        raise AssertionError(f"the agent ended with {status}:\n{_logs(folder)}")


def _agent(folder: Path, config: Path, stage: Stage, kill_at: int | None, *, again: bool = False) -> int:
    points = Points(kill_at=kill_at)

    def child() -> None:
        watch(points)
        with opened(load_config(config)) as agent, writing(agent, who="crash"):
            try:
                stage.agent(agent)
            except ConnectorError:  # a person's command that was carried out before the kill
                if not again:
                    raise
            for _ in range(ROUNDS):
                _round(agent, may_wait=again)
        if stage is not _AFTERWARDS and not again:
            (folder / "points.json").write_text(json.dumps(points.passed))

    if kill_at is not None:
        (folder / "points.json").write_text("[]")
    return _wait(_fork(child, folder / "agent.log"))


def _round(agent: Agent, *, may_wait: bool) -> None:
    """`may_wait`: a write that was cut off may have to wait until it can be looked up."""
    for name, part in sync_once(agent).items():
        if isinstance(part, dict) and part.get("error") and not may_wait:
            raise AssertionError(f"{name}: {part['error']}")


def nothing(_: object) -> None:
    """No part of its own in a stage."""


_AFTERWARDS = Stage(name="afterwards", people=nothing, agent=nothing)


# Processes


def _fork(child: Callable[[], None], log: Path) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        child()
        status = 0
    except BaseException:  # whatever it was belongs into the log: this process goes no further
        traceback.print_exc()
    finally:
        os._exit(status)


def _wait(pid: int) -> int:
    """Its exit code, or minus the signal that ended it."""
    ending = os.pidfd_open(pid)  # readable once it ended
    try:
        ended, _, _ = select.select([ending], [], [], CASE_S)
    finally:
        os.close(ending)
    if not ended:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if not ended:
        raise AssertionError(f"process {pid} did not end within {CASE_S:.0f} seconds")
    return os.waitstatus_to_exitcode(status)


# What is left


def left(folder: Path, world: World) -> dict[str, Any]:
    """Everything that partners and store hold, without what each process or attempt has of its own."""
    partners = {name: part for name, part in world.state().items() if name not in ("now", "seed")}
    text = json.dumps({**partners, "store": stored(folder)}, sort_keys=True, default=str)
    text = re.sub(r"127\.0\.0\.1:\d+", "sandbox", text)
    plain: dict[str, Any] = json.loads(re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[-+Z:.\d]*", "some time", text))
    return plain


def stored(folder: Path) -> dict[str, list[dict[str, Any]]]:
    engine = sa.create_engine(f"sqlite:///{folder}/connector.db")
    try:
        with engine.connect() as tx:
            names = set(sa.inspect(tx).get_table_names())
            tables = [table for table in schema.link.metadata.sorted_tables if table.name in names - _EACH_PROCESS_ITS_OWN]
            return {table.name: _rows(tx, table) for table in tables}
    finally:
        engine.dispose()


def _rows(tx: sa.Connection, table: sa.Table) -> list[dict[str, Any]]:
    columns = [column for column in table.columns if column.name not in _EACH_ATTEMPT_ITS_OWN]
    rows = [dict(row._mapping) for row in tx.execute(sa.select(*columns))]
    if "id" in table.columns and table.columns["id"].type.python_type is str:
        rows = [dict(row._mapping) for row in tx.execute(sa.select(*columns, table.columns["id"]))]
    if table.name == "link":  # nothing noted, and an empty note, mean the same
        rows = [{**row, "detail": {name: value for name, value in row["detail"].items() if value}} for row in rows]
    return sorted(rows, key=lambda row: json.dumps(row, default=str, sort_keys=True))


def differences(expected: Any, got: Any, where: str = "") -> list[str]:
    if isinstance(expected, dict) and isinstance(got, dict):
        keys = sorted({*expected, *got})
        return [d for key in keys for d in differences(expected.get(key), got.get(key), f"{where}/{key}")]
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got) and not where.startswith("/store"):
        return [d for n, (a, b) in enumerate(zip(expected, got, strict=True)) for d in differences(a, b, f"{where}/{n}")]
    if isinstance(expected, list) and isinstance(got, list):
        extra, missing = [r for r in got if r not in expected], [r for r in expected if r not in got]
        if not extra and not missing and len(expected) == len(got):
            return []
        return [f"{where}: {len(got)} instead of {len(expected)}; more: {str(extra)[:300]}; missing: {str(missing)[:300]}"]
    return [] if expected == got else [f"{where}: {str(got)[:200]} instead of {str(expected)[:200]}"]
