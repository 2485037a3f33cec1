"""`python -m tests.simulation`: many seeds, one after the other."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.simulation.life import Broken, Life, live
from tests.simulation.steps import table

STEPS = 120


def told(life: Life) -> str:
    """How much happened: a life in which nothing does proves nothing."""
    seen = " ".join(f"{count} {what}" for what, count in sorted(life.seen.items()))
    return f"{life.steps} steps, {life.rounds} rounds, {life.crashes} crashes; {seen}; trace {life.digest()[:16]}"


def main() -> int:
    asked = _asked()
    seeds = [asked.seed] if asked.seed is not None else range(asked.first, asked.first + asked.seeds)
    started, failed, steps = time.monotonic(), [], 0
    for seed in seeds:
        try:
            life = one(seed, asked.steps)
        except Broken as broken:
            failed.append(seed)
            print(broken, flush=True)
            continue
        steps += life.steps
        if asked.seed is not None:
            print("\n".join(life.trace) if asked.trace else "")
            print(f"seed {seed}: {told(life)}")
    took = time.monotonic() - started
    print(
        f"{len(seeds)} seeds in {took:.0f} s ({steps / took:.0f} steps a second in those that passed); failed: {failed or 'none'}"
    )
    return 1 if failed else 0


def one(seed: int, steps: int) -> Life:
    memory = Path("/dev/shm")  # noqa: S108 - a disk that waits for nothing, where there is one
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        return live(Path(folder), seed, steps=steps, table=table)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", type=int, default=20, help="how many")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--trace", action="store_true", help="print every step of --seed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
