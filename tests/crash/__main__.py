"""`python -m tests.crash`: kill the agent at every point of the story, or at each EVERY-th from OFFSET on."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from adapters.sandbox.seed import build_world
from tests.crash.matrix import walk
from tests.crash.story import STORY


def main() -> int:
    asked = _asked()
    started, cases, wrong = time.monotonic(), 0, 0
    memory = Path("/dev/shm")  # noqa: S108 - a disk that waits for nothing, where there is one
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        world = build_world(agreements=0)
        for case in walk(Path(folder), world, STORY, lambda n: n % asked.every == asked.offset, asked.workers):
            cases += 1
            if case.wrong or asked.verbose:
                print(f"{case.stage}, point {case.number}, {case.point}: {case.wrong or 'ok'}", flush=True)
            wrong += bool(case.wrong)
    print(f"killed at {cases} points in {time.monotonic() - started:.0f} s; {wrong} of them left something else than without")
    return 1 if wrong else 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--offset", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
