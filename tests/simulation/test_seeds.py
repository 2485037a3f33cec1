"""A few lives with every test run; `make simulate` lives as many as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulation import owed
from tests.simulation.life import live
from tests.simulation.owed import live_quietly
from tests.simulation.steps import table

STEPS = 12


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_money_is_right_after_a_seeded_life(tmp_path: Path, seed: int) -> None:
    life = live(tmp_path, seed, steps=STEPS, table=table)

    assert (life.events, life.steps) == (STEPS, STEPS + life.rounds)


@pytest.mark.parametrize("seed", [1, 36])
def test_what_is_due_is_collected_or_the_agent_says_why_not(tmp_path: Path, seed: int) -> None:
    life = live_quietly(tmp_path, seed, steps=20)

    assert any(owed.bills(life.msp))


def test_a_seed_lives_the_same_life_again(tmp_path: Path) -> None:
    """To the last request, so that a failing seed can be seen again."""
    digests = []
    for name in ("once", "again"):
        (tmp_path / name).mkdir()
        digests.append(live(tmp_path / name, 5, steps=8, table=table).digest())

    assert digests[0] == digests[1]
