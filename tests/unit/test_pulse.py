"""What an adapter does not understand ends here, in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.errors import OutcomeUnknown, Rejected, RetryLater
from connector.pulse import Pulse, watched
from connector.testing.doubles import FixedClock


class Odd:
    """An adapter whose partner says what no document mentions."""

    name = "stripe"

    def invoice(self, id: str) -> str:
        raise KeyError(f"secret_of_somebody {id}")

    def drafts(self) -> Iterator[str]:
        yield "in_1"
        raise AttributeError("'str' object has no attribute 'get'")

    def release(self, draft: str) -> str:
        raise TypeError(f"int() argument must be a string, not {draft!r}")

    def customers(self, ids: list[str]) -> dict[str, str]:
        raise Rejected(f"no such customer: {ids}")


@pytest.fixture
def odd() -> Any:
    return watched(Odd(), Pulse(FixedClock(datetime(2026, 1, 5, tzinfo=UTC))))  # type: ignore[type-var]


def test_a_read_that_is_not_understood_is_tried_later(odd: Any) -> None:
    with pytest.raises(RetryLater, match="its answer to 'invoice' was not understood") as caught:
        odd.invoice("in_1")

    assert "secret_of_somebody" not in str(caught.value)


def test_a_list_that_is_not_understood_half_way_is_not_taken_for_whole(odd: Any) -> None:
    with pytest.raises(RetryLater, match="drafts"):
        list(odd.drafts())


def test_after_a_write_that_is_not_understood_the_outcome_is_unknown(odd: Any) -> None:
    with pytest.raises(OutcomeUnknown, match="looked up before it is sent again"):
        odd.release("in_1")


def test_an_expected_failure_stays_what_it_is(odd: Any) -> None:
    with pytest.raises(Rejected, match="no such customer"):
        odd.customers(["cus_1"])
