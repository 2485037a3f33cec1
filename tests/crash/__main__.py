"""`python -m tests.crash`: kill the agent at every point of the stories, or at a sample of them, and say what was covered.

`make crash-matrix` does all of it. `--story autotask --stage "it is paid"` does one stage, `--sample 7 --offset 3` each
seventh point of each seventh stage, `--both-sides` kills before each write too, although nothing happens between the end
of one and the beginning of the next. A case is wrong when partners or store differ from a life without the kill, when the
agent does not end, and when a flow still fails hours later. What is compared, and what is not, is in `left.py`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.crash.matrix import Case, Story, Walk, Wanted
from tests.crash.points import Point
from tests.crash.stories import STORIES


def main() -> int:
    asked = _asked()
    started, cases, found = time.monotonic(), list[Case](), list[Point]()
    memory = Path("/dev/shm")  # noqa: S108 - a disk that waits for nothing, where there is one
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        for number, story in enumerate(STORIES):
            if asked.story in (None, story.name):
                walk = Walk(Path(folder) / str(number), story, **_how(asked, story))
                cases.extend(_told(story, walk.cases(), verbose=asked.verbose))
                found.extend(walk.found)
    if not asked.sample:
        print(table(found, cases))
    wrong = sum(bool(case.wrong) for case in cases)
    writes = sum(point.after for point in found)
    print(f"{writes} writes; killed at {len(cases)} moments between them in {time.monotonic() - started:.0f} s;", end=" ")
    print(f"{wrong} of them left something else than a life without")
    return 1 if wrong or not cases else 0


def _told(story: Story, cases: Iterable[Case], *, verbose: bool) -> list[Case]:
    kept = []
    for case in cases:
        kept.append(case)
        if case.wrong or verbose:
            print(f"{story.name}, {case.stage}, point {case.number}, {case.point}: {case.wrong or 'ok'}", flush=True)
    return kept


def table(found: Iterable[Point], cases: Iterable[Case]) -> str:
    """A line for each kind of write: how many there are, how many kills stood beside one, and how many of those did harm."""
    writes = Counter(kind for point in found if point.after for kind in point.kinds)
    killed, wrong = Counter[str](), Counter[str]()
    for case in cases:
        killed.update(set(case.kinds))
        wrong.update(set(case.kinds) if case.wrong else ())
    lines = [f"{kind:<75} {writes[kind]:>6} {killed[kind]:>6} {wrong[kind]:>6}" for kind in sorted(writes)]
    return "\n".join([f"{'kind of write':<75} {'writes':>6} {'kills':>6} {'wrong':>6}", *lines])


def _how(asked: argparse.Namespace, story: Story) -> dict[str, object]:
    sample: int = asked.sample

    def all_of_it(stage: int, _: int | None) -> bool:
        return asked.stage in (None, story.stages[stage].name)

    def some(stage: int, place: int | None) -> bool:
        """A few points of a few stages: a stage without any costs next to nothing."""
        here = stage % sample == asked.offset % sample
        return here and (place is None or place % sample == (asked.offset // sample) % sample)

    wanted: Wanted = some if sample else all_of_it
    return {"wanted": wanted, "workers": asked.workers, "both_sides": asked.both_sides}


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash")
    parser.add_argument("--story", choices=[story.name for story in STORIES], help="only this one")
    parser.add_argument("--stage", help="only the stages of this name")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="each N-th point of each N-th stage")
    parser.add_argument("--offset", type=int, default=0, help="another sample")
    parser.add_argument("--both-sides", action="store_true", help="after one write and before the next are two kills")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
