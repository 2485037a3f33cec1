"""When an agreement's additions are read again."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.connectwise.snapshots import HOURS, Snapshot, recap_hash, still_holds, turn

HEADER, RECAP, LINES = "0123456789abcdef", "01234567", "fedcba9876543210"
HOUR = 491_000


def snapshot(**changes: Any) -> Snapshot:
    return Snapshot(**{"header": HEADER, "recap": RECAP, "lines": LINES, "read_hour": HOUR, **changes})


def holds(known: Snapshot | None, *, id: int = 7, hour: int = HOUR, header: str = HEADER, recap: str = RECAP) -> bool:
    return still_holds(known, header=header, recap=recap, id=id, hour=hour)


def test_a_snapshot_reads_back_and_is_short() -> None:
    text = str(snapshot())

    assert Snapshot.parse(text) == snapshot()
    assert len(text) < 64


@pytest.mark.parametrize("text", ["", "gone", "a.b.c.1", f"{HEADER}.{RECAP}.{LINES}", f"{HEADER}.{RECAP}.{LINES}.now"])
def test_what_we_did_not_write_is_read_again(text: str) -> None:
    assert Snapshot.parse(text) is None
    assert holds(Snapshot.parse(text)) is False


def test_nothing_moved_and_not_its_turn() -> None:
    assert holds(snapshot()) is True


def test_a_moved_agreement_or_recap_is_read_again() -> None:
    assert holds(snapshot(), header="f" * 16) is False
    assert holds(snapshot(), recap="f" * 8) is False


@given(id=st.integers(1, 10**7), hour=st.integers(0, 10**6))
def test_a_turn_is_at_most_a_day_ago_and_comes_once_a_day(id: int, hour: int) -> None:
    assert 0 <= hour - turn(id, hour) < HOURS
    assert len({turn(id, later) for later in range(hour, hour + HOURS)}) == 1 + (turn(id, hour) != hour)


@given(id=st.integers(1, 10**7), hour=st.integers(0, 10**6), later=st.integers(0, 48))
def test_read_within_its_last_turn_it_is_not_read_again(id: int, hour: int, later: int) -> None:
    known = snapshot(read_hour=hour)

    assert holds(known, id=id, hour=hour) is True
    assert later < HOURS or holds(known, id=id, hour=hour + later) is False


def test_turns_are_spread_evenly() -> None:
    turns = Counter(turn(id, HOUR) for id in range(1, 2401))

    assert set(turns.values()) == {100}


def test_only_the_next_amount_moves_a_recap() -> None:
    recap = {"id": 1, "nextInvoiceAmount": Decimal("370.00"), "lastInvoiceNumber": "197", "unbilledPeriods": 0}

    assert recap_hash(recap) == recap_hash({**recap, "lastInvoiceNumber": "198", "nextInvoiceAmount": Decimal("370.0")})
    assert recap_hash(recap) == recap_hash({**recap, "nextInvoiceAmount": 370})
    assert recap_hash(recap) != recap_hash({**recap, "nextInvoiceAmount": Decimal("370.01")})
    assert recap_hash(recap) != recap_hash(None)
