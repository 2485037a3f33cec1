"""A replica that does not lead writes back what is ready, beside the leader; each payment once."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from connector import lease
from connector.agent import opened
from connector.config.load import load_config
from connector.flows import deliver
from connector.loop import _Standby
from connector.testing.doubles import WorldClock
from tests.e2e.msp import Msp, msp
from tests.unit.store_databases import Databases

pytest_plugins = ("tests.unit.store_fixtures",)
SHARED = pytest.mark.parametrize("databases", ["postgresql"], indirect=True)


def _collected(life: Msp, payers: int) -> None:
    life.to("2026-01-15")
    for number in range(payers):
        life.sign_up(f"Payer {number}")
    life.to("2026-02-02")
    life.cycle(1)
    life.to("2026-02-02", 20)
    life.run("collect")


@SHARED
def test_who_stands_by_delivers_while_another_one_leads(tmp_path: Path, databases: Databases) -> None:
    with msp(tmp_path, agreements=0, database=databases.empty()) as life:
        _collected(life, 1)
        with lease.held(life.agent.store, threading.Event(), who="run"):
            _Standby(life.agent)()

        assert life.undelivered() == []
        assert len(life.books("Payment")) == len(life.psa_payments()) == 1


@SHARED
def test_several_replicas_deliver_at_once_and_nothing_twice(tmp_path: Path, databases: Databases) -> None:
    with msp(tmp_path, agreements=0, database=databases.empty()) as life, ExitStack() as stack:
        _collected(life, 6)
        config = load_config(tmp_path / "connector.yaml")
        agents = [stack.enter_context(opened(config, clock=WorldClock(life.world))) for _ in range(3)]
        threads = [threading.Thread(target=deliver.deliver, args=(agent.desk,)) for agent in agents]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        life.to("2026-02-03")
        life.cycle()

        assert life.undelivered() == []
        assert len(life.books("Payment")) == len(life.psa_payments()) == 6
        assert life.reconcile().ties
