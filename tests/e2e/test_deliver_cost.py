"""What a payment costs in requests, from its event to both write-backs. It may become less."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.e2e.msp import Msp, msp

PAYERS = 5
EACH = {"stripe": 3, "connectwise": 5, "quickbooks": 2}  # of one payment
ONCE = {"stripe": 3, "connectwise": 0, "quickbooks": 3}  # events, how far the store is; payment methods, invoices of the batch


def paid(m: Msp) -> None:
    for number in range(PAYERS):
        m.sign_up(f"Payer {number}")
    m.to("2026-02-02")
    m.cycle(1)
    m.to("2026-02-02", 20)
    m.world.requests.clear()


def asked(m: Msp) -> Counter[str]:
    return Counter(row["partner"] for row in m.requests())


def test_a_payment_costs_few_requests(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        m.run("collect", "deliver")

        assert len(m.books("Payment")) == len(m.psa_payments()) == PAYERS
        assert dict(asked(m)) == {partner: PAYERS * EACH[partner] + ONCE[partner] for partner in EACH}


def test_when_nothing_happened_the_gateways_events_are_asked_for_and_nothing_else(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        m.run("collect", "deliver")
        m.world.requests.clear()
        m.run("collect", "deliver")

        assert dict(asked(m)) == {"stripe": 1}


def test_a_check_costs_two_requests_for_each_charge_and_a_few_for_all(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        m.run("collect", "deliver")
        m.world.requests.clear()
        assert m.reconcile().ties

        assert dict(asked(m)) == {"stripe": 2 * PAYERS + 1, "connectwise": 1, "quickbooks": 2}
