"""Stripe itself gives a subscription up after failed retries: a question for a person, never made again by itself."""

from __future__ import annotations

from pathlib import Path

from connector.flows import mirror
from connector.model.subscription import Create
from tests.e2e.charging import debits, expected, only, subscriptions
from tests.e2e.msp import Msp, msp


def given_up(m: Msp) -> int:
    """An agreement whose card was declined nine times, and whose subscription Stripe then cancelled."""
    m.act("stripe.set_after_retries", outcome="cancel")
    id = m.sign_up(behaviour="decline")
    m.through("2026-03-05", every_days=3)
    return id


def test_a_subscription_that_stripe_gave_up_is_named_and_not_made_again_by_itself(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = given_up(m)
        planned = m.plan()
        m.cycle()

        ended = only(subscriptions(m, id, ended=True))
        (problem,) = planned.plan.unusable
        assert (ended["status"], ended["cancellation_details"]["reason"]) == ("canceled", "payment_failed")
        assert problem.reason == "cancelled_at_gateway"
        assert f"connector apply --recreate connectwise:{id}" in problem.message
        assert planned.plan.changes == ()
        assert subscriptions(m) == []


def test_what_stripe_gave_up_is_not_collected_twice_when_a_person_wants_it_back(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = given_up(m)
        planned = mirror.plan(m.agent.desk, recreate=frozenset({f"connectwise:{id}"}))
        mirror.apply(m.agent.desk, planned)
        m.through("2026-04-03", every_days=3)

        assert [type(step) for step in planned.plan.changes] == [Create]
        assert m.plan().plan.unusable == ()
        assert all(len(amounts) == 1 for amounts in debits(m).values())
        assert debits(m).items() <= expected(m, id).items()
