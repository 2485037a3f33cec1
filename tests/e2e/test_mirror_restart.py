"""Killed between any two steps of the mirror, the agent goes on: each change once at the gateway, and once in the audit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import count
from pathlib import Path

from adapters.sandbox.world import World
from connector.agent import opened
from connector.config.load import load_config
from connector.store import audit, links
from connector.testing.doubles import WorldClock
from tests.e2e.charging import only, subscriptions
from tests.e2e.msp import Msp, msp
from tests.e2e.test_deliver_restart import DyingClock, Killed


def trail(m: Msp, words: str) -> list[str]:
    with m.agent.store.read() as tx:
        return [row.what for row in audit.every(tx, limit=1000) if row.what.startswith(words)]


class DyingAfterWrite(DyingClock):
    """Counts from the first write to the gateway on."""

    def __init__(self, world: World, after: int) -> None:
        super().__init__(world, after)
        self._begin = len(world.requests)

    def now(self) -> datetime:
        new = list(self._world.requests)[self._begin :]
        written = any(row["partner"] == "stripe" and row["method"] == "POST" for row in new)
        return super().now() if written else WorldClock.now(self)


def killed_at(m: Msp, clock: DyingClock, *flows: str) -> bool:
    """Start the agent anew and run these flows until its death; True if it died."""
    m.stack.close()
    m.agent = m.stack.enter_context(opened(load_config(m.folder / "connector.yaml"), clock=clock))
    try:
        m.run(*flows)
    except Killed:
        return True
    return False


def at_every_step(m: Msp, change: Callable[[int], object], flow: str, dying: type[DyingClock] = DyingAfterWrite) -> int:
    """Change something, die at the first step of it; change something, die at the second one; and so on. How many deaths."""
    for step in count():
        change(step)
        died = killed_at(m, dying(m.world, step), flow)
        m.restart()
        m.cycle(1)
        if not died:
            return step
    raise AssertionError


def test_every_update_is_in_the_audit_once(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        id = m.sign_up()
        line = m.act("office.add_addition", agreement=id, product="Managed workstation", quantity="1", unitPrice="45.00")
        m.cycle()
        before = len(trail(m, "update"))
        deaths = at_every_step(m, lambda step: m.act("office.change_quantity", addition=line, quantity=str(2 + step)), "mirror")

        assert deaths > 1
        assert len(trail(m, "update")) - before == deaths + 1


def test_every_creation_is_in_the_audit_once(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up("Adatum")
        company = only([row for row in m.world.partners["connectwise"].state()["companies"] if row["name"] == "Adatum"])["id"]

        def one_more(step: int) -> None:
            m.world.advance_days(0.01)  # what was cut off before may be looked up
            m.act("office.add_agreement", company=company, name=f"Backup {step}", starts="2026-02-01", amount="50.00")

        deaths = at_every_step(m, one_more, "mirror")
        m.world.advance_days(1)
        m.cycle()

        assert deaths > 1
        assert len(trail(m, "create")) == len(subscriptions(m)) == deaths + 2


def test_every_end_is_in_the_audit_once_and_known_as_ours(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        names = [f"Payer {letter}" for letter in "ABCDEFGHIJ"]
        agreements = [m.sign_up(name) for name in names]
        today, before = f"{m.world.now:%Y-%m-%d}", len(trail(m, "update"))
        deaths = at_every_step(m, lambda n: m.act("office.cancel_agreement", agreement=agreements[n], on=today), "mirror")
        with m.agent.store.read() as tx:
            ended = [link for link in links.every(tx, "subscription", "stripe").values() if link.detail.get("ends")]

        assert deaths > 1
        assert len(trail(m, "update")) - before == len(ended) == deaths + 1


def test_every_method_is_in_the_audit_once(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        customer = only(m.stripe("customer"))["id"]
        before = len(trail(m, "method of"))

        def another(step: int) -> None:
            m.act("stripe.portal_change_method", customer=customer, method="us_bank_account" if step % 2 else "card")

        another(1)
        m.cycle()
        deaths = at_every_step(m, another, "collect", DyingClock)

        assert deaths > 1
        assert len(trail(m, "method of")) - before == deaths + 2
