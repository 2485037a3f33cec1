"""How long a payment that fails is tried."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from connector.model.dunning import FAILED, OVER, Dunning, over, tried_again
from connector.model.invoice import GatewayInvoice, GatewayInvoiceState, MethodKind
from connector.model.money import Money

RELEASED, TODAY = date(2026, 2, 1), date(2026, 2, 3)
USD = Money(500_00, "USD")
FAILING = GatewayInvoice(
    id="in_1",
    number="A-1",
    subscription="sub_1",
    unit="connectwise:1",
    customer="cus_1",
    state=GatewayInvoiceState.OPEN,
    bills_on=RELEASED,
    total=USD,
    amount_due=USD,
    amount_paid=Money.zero("USD"),
    amount_remaining=USD,
    lines=(),
    attempts=2,
    failure="insufficient funds",
    failure_code="insufficient_funds",
    failed_kind=MethodKind.CARD,
)


@pytest.mark.parametrize(
    ("changes", "policy", "today", "ends"),
    [
        ({}, Dunning(), TODAY, False),
        ({}, Dunning(card_attempts=3), TODAY, False),
        ({}, Dunning(card_attempts=2), TODAY, True),
        ({}, Dunning(days=2), TODAY, False),
        ({}, Dunning(days=1), TODAY, True),
        ({"failed_kind": MethodKind.BANK_DEBIT}, Dunning(), TODAY, False),
        ({"failed_kind": MethodKind.BANK_DEBIT, "failure_code": "uncollected_funds"}, Dunning(), TODAY, False),
        ({"failed_kind": MethodKind.BANK_DEBIT, "attempts": 3}, Dunning(), TODAY, True),
        ({"failed_kind": MethodKind.BANK_DEBIT, "attempts": 1, "failure_code": "account_closed"}, Dunning(), TODAY, True),
        ({"in_flight": True}, Dunning(card_attempts=1), TODAY, False),
        ({"attempts": 0}, Dunning(days=1), TODAY, False),
        ({"failure": ""}, Dunning(card_attempts=1), TODAY, False),
    ],
)
def test_attempts_days_and_the_banks_answer_end_it(changes: dict[str, Any], policy: Dunning, today: date, ends: bool) -> None:
    reason = over(replace(FAILING, **changes), policy, released_on=RELEASED, today=today)

    assert (reason is not None and reason.name == OVER) is ends


def test_while_it_goes_on_the_day_of_the_next_attempt_is_told() -> None:
    going_on = replace(FAILING, next_attempt=datetime(2026, 2, 5, 12, tzinfo=UTC))
    reason = tried_again(going_on)

    assert reason is not None
    assert reason.name == FAILED
    assert "2 attempts failed (insufficient funds); the gateway tries again on 2026-02-05" in reason.message
    assert tried_again(FAILING) is None
    assert tried_again(replace(going_on, in_flight=True)) is None
