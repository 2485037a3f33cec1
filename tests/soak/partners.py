"""The partners as a process of their own, so that what is measured of the other one is the agent's alone."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import requests

from adapters.sandbox.faults import Fault
from adapters.sandbox.seed import build_world
from adapters.sandbox.server import Sandbox
from adapters.sandbox.wire import Request, Response, json_response
from adapters.sandbox.world import World
from connector.testing.doubles import FixedClock

NAMES = ("connectwise", "stripe", "quickbooks")
KINDS = ("429", "500", "500_after_effect", "reset", "reply_lost", "half_reply")


class Steered(Sandbox):
    """The sandbox with two more controls: one for a day of people's life, one for what was asked since."""

    def __init__(self, world: World, *, seed: int) -> None:
        super().__init__(world)
        self._chance = random.Random(seed)

    def control(self, method: str, action: str, request: Request) -> Response:
        if action == "people":
            with self.world.lock:
                _a_day_of_people(self.world, self._chance, **(request.json() or {}))
            return json_response({})
        if action == "asked":
            with self.world.lock:
                asked = Counter(row["partner"] for row in self.world.requests)
                self.world.requests.clear()
            return json_response(asked)
        return super().control(method, action, request)


def _a_day_of_people(world: Any, chance: random.Random, *, edits: int, faults: int) -> None:
    """Quantities change, payers open their links, and partners fail at times."""
    world.faults.clear()
    for _ in range(chance.randrange(faults + 1)):
        world.faults.add(Fault(kind=chance.choice(KINDS), partner=chance.choice(NAMES), skip=chance.randrange(60)))
    psa, office = world.partners["connectwise"], world.partners["office"]
    billed = [row for row in psa.records.additions.rows.values() if row["billCustomer"] == "Billable" and row["quantity"] >= 1]
    for row in chance.choices(billed, k=edits):
        office.actions["change_quantity"](addition=row["id"], quantity=max(1, int(row["quantity"]) + chance.choice((-1, 1, 1))))


@dataclass(frozen=True, kw_only=True)
class Partners:
    """The other process, steered from this one. `clock` is the agent's, and moves with the partners'."""

    url: str
    clock: FixedClock

    def advance(self, by: timedelta) -> None:
        now = self.post("advance", hours=by.total_seconds() / 3600)["now"]
        self.clock.advance(datetime.fromisoformat(now) - self.clock.now())

    def post(self, control: str, **body: Any) -> Any:
        answer = requests.post(f"{self.url}/_sandbox/{control}", data=json.dumps(body), timeout=600)
        answer.raise_for_status()
        return answer.json()


@contextmanager
def partners(*, agreements: int, lines: int, seed: int) -> Iterator[Partners]:
    command = [sys.executable, "-m", "tests.soak.partners", *map(str, (agreements, lines, seed))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        begun = json.loads(process.stdout.readline())
        try:
            yield Partners(url=begun["url"], clock=FixedClock(datetime.fromisoformat(begun["now"])))
        finally:
            process.stdin.close()  # it ends when nobody holds the other end any more


def main(agreements: int, lines: int, seed: int) -> None:
    world = build_world(seed=seed, agreements=agreements, lines=lines)
    with Steered(world, seed=seed) as sandbox:
        print(json.dumps({"url": sandbox.url, "now": world.now.isoformat()}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
