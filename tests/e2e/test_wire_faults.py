"""The wire to a partner is bad in every way that a wire can be: nothing is lost, nothing twice, and nothing hangs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connector.agent import FLOWS, opened
from connector.config.load import load_config
from connector.errors import ConnectorError
from connector.testing.doubles import WorldClock
from tests.e2e.msp import Msp, cents, msp, settings, write_config
from tests.fault_proxy import FAULTS, FaultProxy, fault_proxy

PARTS = {"connectwise": "psa", "autotask": "psa", "stripe": "gateway", "quickbooks": "books"}
IMPATIENT = {"connect_timeout_s": 1, "read_timeout_s": 0.4, "total_timeout_s": 0.8}
LONGEST_S = 15.0  # one flow: four attempts of a second, twice, and some slack for a slow machine


@contextmanager
def behind_a_proxy(m: Msp, partner: str) -> Iterator[FaultProxy]:
    """The same agent, started again, with this one partner reached through the proxy. It waits for nothing between attempts."""
    with fault_proxy(m.url) as proxy:
        part = settings(m.folder, proxy.url, kind=m.kind)[PARTS[partner]]
        changed = {**part, "settings": {**part["settings"], **IMPATIENT}}
        config = write_config(m.folder, m.url, kind=m.kind, **{PARTS[partner]: changed})
        m.stack.close()
        m.agent = m.stack.enter_context(opened(load_config(config), clock=WorldClock(m.world), sleep=lambda _: None))
        yield proxy


def tried(m: Msp, flow: str) -> str:
    """Its expected failure in words, "" when it went well; it does not take long either way."""
    started = time.monotonic()
    try:
        FLOWS[flow](m.agent)
    except ConnectorError as error:
        return str(error)
    finally:
        assert time.monotonic() - started < LONGEST_S
    return ""


def sign_up(m: Msp, name: str) -> None:
    m.sign_up(name) if m.kind == "connectwise" else m.sign_up_in_autotask(name)


def paid_in_gateway(m: Msp) -> list[int]:
    return [invoice["amount_paid"] for invoice in m.stripe("invoice")]


def paid_in_psa(m: Msp) -> list[int]:
    if m.kind == "autotask":
        return [cents(invoice["invoiceTotal"]) for invoice in m.psa_invoices() if invoice["paidDate"] and invoice["invoiceTotal"]]
    return [cents(payment["amount"]) for payment in m.psa_payments()]


@pytest.mark.parametrize("partner", PARTS)
def test_whatever_the_wire_does_each_payment_is_made_and_written_back_once(tmp_path: Path, partner: str) -> None:
    with msp(tmp_path, agreements=0, psa=partner if partner == "autotask" else "connectwise") as m:
        names = [f"Payer {letter}" for letter in "ABC"]
        for name in names:
            sign_up(m, name)
        m.to("2026-02-02")
        with behind_a_proxy(m, partner) as proxy:
            proxy.plan = lambda number: FAULTS[number // 2 % len(FAULTS)] if number % 2 else ""
            said = [tried(m, flow) for _ in range(3) for flow in ("mirror", "release")]
            m.to("2026-02-02", 20)
            said += [tried(m, flow) for _ in range(4) for flow in ("mirror", "release", "collect", "deliver")]
            proxy.plan = lambda _: ""
            m.through("2026-02-05")

            assert any(said)
            assert m.undelivered() == []
            assert not [text for text in said if "Traceback" in text or "Error(" in text]
            assert sum(paid_in_gateway(m)) == 50_000 * len(names)
            assert sorted(paid_in_psa(m)) == [50_000] * len(names)
            assert [cents(payment["TotalAmt"]) for payment in m.books("Payment")] == [50_000] * len(names)
            assert m.reconcile().drifts == ()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("partner", PARTS)
def test_every_fault_is_met_within_its_time_and_said_in_words(tmp_path: Path, partner: str, fault: str) -> None:
    with (
        msp(tmp_path, agreements=1, psa=partner if partner == "autotask" else "connectwise") as m,
        behind_a_proxy(m, partner) as proxy,
    ):
        proxy.always(fault)
        port: Any = {"psa": m.agent.desk.psa, "gateway": m.agent.desk.gateway, "books": m.agent.desk.books}[PARTS[partner]]
        started = time.monotonic()
        error = None
        try:
            port.ping()
        except ConnectorError as raised:
            error = raised

        assert time.monotonic() - started < LONGEST_S
        assert (error is None) == (fault == "latency")
        assert "127.0.0.1" not in str(error)


@pytest.mark.parametrize("partner", PARTS)
def test_a_partner_that_nobody_serves_is_told_apart(tmp_path: Path, partner: str) -> None:
    with (
        msp(tmp_path, agreements=0, psa=partner if partner == "autotask" else "connectwise") as m,
        behind_a_proxy(m, partner) as proxy,
    ):
        proxy.refuse()
        said = [tried(m, flow) for flow in ("mirror", "collect", "reconcile")]

        assert any(said)

        proxy.listen()
        m.cycle(1)
