"""Partners fail in every way, at every step of a write-back: late is fine, twice or lost is not."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from connector.errors import RetryLater
from connector.flows.attention import retry_all
from connector.overview import overview
from connector.store import cursors
from tests.e2e.msp import Msp, msp

PAYMENTS = {"connectwise": r"/finance/invoices/\d+/payments$", "quickbooks": r"/payment$"}
BEFORE = ("429", "500", "reset")
AFTER = ("reply_lost", "500_after_effect")
NAMES = ("Adatum", "Contoso", "Fabrikam")


def charged(m: Msp, *names: str) -> None:
    """February's charges are paid at the gateway, and nobody but the gateway knows."""
    for name in names or ("Contoso",):
        m.sign_up(name)
    m.to("2026-02-02")
    m.cycle(1)
    m.to("2026-02-02", 20)


def days_later(m: Msp, *days: int) -> None:
    for day in days:
        m.to(f"2026-02-{2 + day:02}", 21)
        m.cycle(1)


def once_everywhere(m: Msp, *, payers: int = 1) -> bool:
    psa = sorted(row["amount"] for row in m.psa_payments())
    books = sorted(row["TotalAmt"] for row in m.books("Payment"))
    return psa == books == [Decimal(500)] * payers and not m.undelivered() and m.reconcile().ties


@pytest.mark.parametrize("fault", [*BEFORE, *AFTER])
@pytest.mark.parametrize("partner", PAYMENTS)
def test_a_payment_is_written_once_whatever_happens_to_its_request(tmp_path: Path, partner: str, fault: str) -> None:
    with msp(tmp_path, agreements=0) as m:
        charged(m)
        m.fault(fault, partner, method="POST", path=PAYMENTS[partner])
        m.cycle(1)
        days_later(m, 1)

        assert once_everywhere(m)


@pytest.mark.parametrize("fault", AFTER)
@pytest.mark.parametrize("partner", PAYMENTS)
def test_an_agent_that_starts_again_before_it_knew_the_outcome_writes_once(tmp_path: Path, partner: str, fault: str) -> None:
    """The partner does not answer questions either, so that the outcome stays unknown over the restart."""
    with msp(tmp_path, agreements=0) as m:
        charged(m)
        m.fault(fault, partner, method="POST", path=PAYMENTS[partner])
        m.fault("500", partner, method="GET", count=40, skip={"connectwise": 2, "quickbooks": 4}[partner])
        m.run("collect", "deliver")
        assert [item.target.partition(":")[2] for item in m.undelivered()] == [partner]
        m.world.faults.clear()
        m.restart()
        days_later(m, 1)

        assert once_everywhere(m)


@pytest.mark.parametrize("mode", ["many", "single"])
def test_a_lost_answer_costs_no_payment_in_either_kind_of_connectwise(tmp_path: Path, mode: str) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.act("connectwise.set_payment_mode", mode=mode)
        charged(m)
        m.act("office.record_payment", invoice="10401", amount="200.00", member="Bookkeeper")
        m.fault("reply_lost", "connectwise", method="POST", path=PAYMENTS["connectwise"])
        m.cycle(1)
        days_later(m, 1)

        (bill,) = m.psa_invoices()
        assert (bill["payments"], bill["balance"]) == (500, 0)
        assert sum(row["amount"] for row in m.psa_payments()) == 500
        assert m.undelivered() == []


def test_what_waits_while_quickbooks_is_down_for_days_is_written_once_when_it_is_back(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        charged(m, *NAMES)
        m.fault("500", "quickbooks", count=10**6)
        for hour in (20, 22):
            m.to("2026-02-02", hour)
            m.run("collect", "deliver")
        for day in (3, 4, 5, 6):
            m.to(f"2026-02-{day:02}")
            m.run("deliver")

        assert len(m.psa_payments()) == 3
        assert m.books("Payment") == []
        assert {item.target for item in overview(m.agent.desk).on_their_way} == {"books:quickbooks"}

        m.world.faults.clear()
        days_later(m, 5)

        assert once_everywhere(m, payers=3)
        written = [row["CustomerRef"]["name"] for row in sorted(m.books("Payment"), key=lambda row: int(row["Id"]))]
        assert written == [entry_payer(m, key) for key in (entry.payer for entry in m.ledger())]
        assert {row["TxnDate"] for row in m.books("Payment")} == {"2026-02-02"}


def entry_payer(m: Msp, payer: str) -> str:
    return next(row["name"] for row in companies(m) if f"connectwise:{row['id']}" == payer)


def companies(m: Msp) -> list[dict[str, str]]:
    return list(m.world.partners["connectwise"].state()["companies"])


def test_a_partner_that_is_down_is_not_asked_for_every_delivery(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        charged(m, "Adatum", "Contoso", "Fabrikam", "Litware", "Northwind")
        m.run("collect")
        m.fault("500", "quickbooks", count=10**6)
        asked = len(m.requests(partner="quickbooks"))
        m.run("deliver")

        assert len(m.psa_payments()) == 5
        assert len(m.requests(partner="quickbooks")) - asked == 4
        assert len({item.note for item in overview(m.agent.desk).on_their_way}) == 1


def test_a_lost_connection_to_quickbooks_stops_quickbooks_alone(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        charged(m, *NAMES)
        m.act("quickbooks.disconnect")
        m.to("2026-02-02", 22)
        m.run("collect", "deliver")

        assert len(m.psa_payments()) == 3
        assert m.books("Payment") == []
        notes = {item.note for item in overview(m.agent.desk).on_their_way}
        assert len(notes) == 1
        assert "Connect the app to the company again" in notes.pop()

        (m.folder / "secrets" / "quickbooks_refresh").write_text(m.act("quickbooks.reconnect"))
        m.restart()
        days_later(m, 1)

        assert once_everywhere(m, payers=3)


def test_the_rotated_token_is_used_after_a_restart(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        charged(m)
        m.cycle(1)
        for day in (10, 20):
            m.restart()
            m.to(f"2026-02-{day}")
            m.cycle(1)

        assert m.reconcile().ties


def test_a_payment_that_the_books_refuse_is_parked_with_its_reason_and_the_others_go_on(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up("Adatum")
        m.sign_up("Contoso", starts="2026-02-05")
        for day in (2, 3, 5, 6, 7):
            if day == 3:
                m.act("quickbooks.close_books", through="2026-02-03")
            m.to(f"2026-02-{day:02}", 20)
            m.cycle(1)

        assert [row["CustomerRef"]["name"] for row in m.books("Payment")] == ["Contoso"]
        (item,) = overview(m.agent.desk).on_their_way
        assert (item.name, item.state) == ("Adatum: Managed Services", "parked")
        assert "500.00 USD dated 2026-02-02" in item.note
        (drift,) = m.reconcile().drifts
        assert drift.kind == "books_payment_missing"
        assert item.note in drift.message
        assert "connector retry" in drift.repair

        m.act("quickbooks.close_books", through=None)
        assert len(retry_all(m.agent.desk, who="Dana")) == 1
        m.cycle(1)

        assert once_everywhere(m, payers=2)


def test_events_that_come_again_change_nothing(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        charged(m)
        m.cycle(1)
        before = m.ledger()
        for _ in range(2):
            with m.agent.store.begin() as tx:
                cursors.set(tx, "stripe.events", "", now=m.world.now)
            m.cycle(1)

        assert m.ledger() == before
        assert once_everywhere(m)


def test_a_gateway_that_is_down_makes_a_payment_late_and_nothing_else(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        charged(m)
        m.fault("500", "stripe", count=10**6)
        with pytest.raises(RetryLater):
            m.run("collect")
        m.world.faults.clear()
        days_later(m, 2)

        assert once_everywhere(m)
        assert {row["TxnDate"] for row in m.books("Payment")} == {"2026-02-02"}


def test_a_gateway_that_fails_in_the_middle_of_collecting_loses_no_payment(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        charged(m, *NAMES)
        m.fault("500", "stripe", path=r"/payment_intents/", skip=1, count=40)
        with pytest.raises(RetryLater):
            m.run("collect")
        assert len(m.ledger()) == 1
        m.world.faults.clear()
        days_later(m, 1)

        assert once_everywhere(m, payers=3)
