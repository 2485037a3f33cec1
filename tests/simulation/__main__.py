"""`python -m tests.simulation`: many seeds, each in a process of its own, as many at once as there are processors."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.simulation.broken import Broken
from tests.simulation.life import Life, live
from tests.simulation.owed import live_quietly
from tests.simulation.steps import table

STEPS = 120
LIVES: Mapping[str, Callable[..., Life]] = {"any": partial(live, table=table), "owed": live_quietly}
MEMORY = Path("/dev/shm")  # noqa: S108 - a disk that waits for nothing, where there is one


@dataclass(frozen=True, kw_only=True)
class Told:
    """How one life went. A life in which little happened proves little, so it says how much did."""

    seed: int
    broken: str = ""
    line: str = ""
    figures: Counter[str]
    trace: tuple[str, ...] = ()


def main() -> int:
    asked = _asked()
    seeds = [asked.seed] if asked.seed is not None else list(range(asked.first, asked.first + asked.seeds))
    started, failed, sums = time.monotonic(), [], Counter[str]()
    for told in _lived(LIVES[asked.life], seeds, asked.steps, asked.jobs):
        if asked.trace:
            print("\n".join(told.trace))
        print(told.broken or told.line, flush=True)
        failed += [told.seed] if told.broken else []
        sums += told.figures
    took = time.monotonic() - started
    said = ", ".join(f"{count} {what}" for what, count in sums.items() if " " not in what)
    print(f"{len(seeds)} seeds in {took:.0f} s: {said}; {sums['steps'] / took * 60:,.0f} steps a minute")
    for group in ("met", "lived"):  # a fault that no life met proves nothing
        told_of = sorted((what.partition(" ")[2], count) for what, count in sums.items() if what.startswith(f"{group} "))
        print(f"{group}: {', '.join(f'{count} {what}' for what, count in told_of)}")
    print(f"failed: {', '.join(map(str, sorted(failed))) or 'none'}")
    return 1 if failed else 0


def _lived(kind: Callable[..., Life], seeds: Iterable[int], steps: int, jobs: int) -> Iterator[Told]:
    with ProcessPoolExecutor(max_workers=jobs, initializer=_hurry) as pool:
        yield from pool.map(partial(one, kind=kind, steps=steps), seeds)


def _hurry() -> None:
    """Collecting garbage all the time costs a tenth."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


def one(seed: int, *, kind: Callable[..., Life], steps: int) -> Told:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        try:
            life = kind(Path(folder), seed, steps=steps)
        except Broken as broken:
            return Told(seed=seed, broken=str(broken), figures=Counter())
    return Told(seed=seed, line=_line(life), figures=_figures(life), trace=tuple(life.trace))


def _figures(life: Life) -> Counter[str]:
    return Counter(
        {
            "steps": life.steps,
            "cycles": life.rounds,
            "requests": len(life.msp.world.requests),
            "payments": life.seen["ledger payments"],
            "reversals": life.seen["ledger reversals"],
            "faults": sum(1 for row in life.msp.world.requests if row["fault"]),
            "deaths": life.crashes,
            "restarts": life.restarts,
            **Counter(f"met {row['fault']}" for row in life.msp.world.requests if row["fault"]),
            **Counter(f"lived {line.split()[2].rstrip(':')}" for line in life.trace if ":" in line[12:]),
        }
    )


def _line(life: Life) -> str:
    figures = ", ".join(f"{count} {what}" for what, count in _figures(life).items() if " " not in what)
    left = ", ".join(f"{count} {what}" for what, count in sorted(life.seen.items()) if what.partition(" ")[0] != "ledger")
    return f"seed {life.seed} ({life.setting}), until {life.now:%Y-%m-%d}: {figures}; at the end {left}; {life.digest()[:12]}"


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", type=int, default=20, help="how many")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--steps", type=int, default=STEPS, help="events of each life; the agent's cycles come on top")
    parser.add_argument("--life", choices=sorted(LIVES), default="any", help="owed: nothing fails, all that is due is to come in")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many seeds at once")
    parser.add_argument("--trace", action="store_true", help="print every step")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
