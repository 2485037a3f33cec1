"""The agent ends at any moment - told to, or killed between any two steps - and goes on where it was."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest

from adapters.sandbox.world import World
from connector.agent import opened
from connector.config.load import load_config
from connector.store import links
from connector.testing.doubles import WorldClock
from tests.e2e.back import open_in_psa
from tests.e2e.killed import killed_at_lost_reply
from tests.e2e.msp import Msp, msp

NAMES = ("Adatum", "Contoso", "Fabrikam")
STEPS = ("collect", "deliver", "collect", "deliver")


class Killed(BaseException):
    """As kill -9: nothing is tidied up but what the database rolls back."""


class DyingClock(WorldClock):
    """The time is asked for at every step; at the n-th question the process is gone."""

    def __init__(self, world: World, after: int) -> None:
        super().__init__(world)
        self.left = after

    def now(self) -> datetime:
        self.left -= 1
        if self.left < 0:
            raise Killed
        return super().now()


def charged(m: Msp, *names: str) -> None:
    for name in names or ("Contoso",):
        m.sign_up(name)
    m.to("2026-02-02")
    m.cycle(1)
    m.to("2026-02-02", 20)


def killed_at(m: Msp, step: int, *flows: str) -> bool:
    """Start the agent anew and run these flows until its death; True if it died."""
    m.stack.close()
    clock = DyingClock(m.world, step)
    m.agent = m.stack.enter_context(opened(load_config(m.folder / "connector.yaml"), clock=clock))
    try:
        m.run(*flows)
    except Killed:
        return True
    return False


def once_everywhere(m: Msp, payers: int) -> bool:
    psa = [row["amount"] for row in m.psa_payments()]
    books = [row["TotalAmt"] for row in m.books("Payment")]
    return psa == books == [Decimal(500)] * payers and len(m.ledger()) == payers and not m.undelivered()


@pytest.mark.parametrize("step", range(1, len(STEPS) + 1))
def test_the_agent_goes_on_after_any_step(tmp_path: Path, step: int) -> None:
    with msp(tmp_path, agreements=0) as m:
        charged(m)
        for flow in STEPS[:step]:
            m.run(flow)
            m.restart()
        m.cycle(2)

        assert once_everywhere(m, 1)
        assert m.reconcile().ties


def test_a_payment_is_written_once_wherever_the_agent_is_killed(tmp_path: Path) -> None:
    """Killed at the first question of the time, then at the second, and so on until it gets through alive."""
    with msp(tmp_path, agreements=0) as m:
        charged(m, *NAMES)
        deaths = 0
        for step in count(1):
            if not killed_at(m, step, "collect", "deliver"):
                break
            deaths += 1
            m.at(m.world.now + timedelta(minutes=6))  # what the dead one had in hand is free again
        m.restart()
        m.at(m.world.now + timedelta(days=1))
        m.cycle()

        assert deaths > 20
        assert once_everywhere(m, 3)
        assert m.reconcile().ties


def test_a_refund_is_taken_back_once_wherever_the_agent_is_killed(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        charged(m, *NAMES)
        m.cycle()
        for entry in m.ledger():
            m.act("stripe.refund", payment_intent=entry.payment, intent="cancel_payment")
        for step in count(1):
            if not killed_at(m, step, "collect", "deliver"):
                break
            m.at(m.world.now + timedelta(minutes=6))
        m.restart()
        m.at(m.world.now + timedelta(days=1))
        m.cycle()

        assert len(m.ledger()) == 6
        assert m.psa_payments() == []
        assert [row["TotalAmt"] for row in m.books("Payment")] == [0, 0, 0]
        assert {drift.kind for drift in m.reconcile().drifts} == {"went_back"}
        assert m.undelivered() == []


def test_the_paid_date_of_an_agent_killed_after_writing_it_is_known_as_its_own_and_cleared_by_a_refund(tmp_path: Path) -> None:
    with msp(tmp_path, psa="autotask", agreements=0) as m:
        m.sign_up_in_autotask()
        m.to("2026-02-02")
        m.cycle(1)
        m.to("2026-02-02", 20)
        killed_at_lost_reply(m, "collect", "deliver", method="PATCH", path="/Invoices")
        paid = open_in_psa(m)
        m.to("2026-02-02", 22)
        m.cycle(1)
        with m.agent.store.read() as tx:
            (link,) = links.every(tx, "psa_payment", "autotask").values()

        assert paid == [0]
        assert (link.detail["own"], link.detail["dated"]) == (["paid:2026-02-02"], "2026-02-02")
        m.act("stripe.refund", payment_intent=m.ledger()[0].payment, amount=50000, intent="cancel_payment")
        m.cycle(2)
        assert open_in_psa(m) == [50000]
        assert not m.undelivered()
