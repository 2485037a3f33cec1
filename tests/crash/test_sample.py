"""Some moments of a short life, each a real kill: `make crash-matrix` does all moments of all lives."""

from __future__ import annotations

from pathlib import Path

from tests.crash.matrix import Walk
from tests.crash.story import AUTOTASK

EVERY = 10


def test_what_is_left_is_as_without_the_kill(tmp_path: Path) -> None:
    walk = Walk(tmp_path, AUTOTASK, wanted=lambda stage, place: place is None or (place + stage) % EVERY == 0)
    cases = list(walk.cases())

    assert [f"{case.stage}, point {case.number}, {case.point}: {case.wrong}" for case in cases if case.wrong] == []
    assert len(cases) >= len(AUTOTASK.stages), "moments were found"
