"""Who writes payments where is the admin's choice, and may change while payments are on their way."""

from __future__ import annotations

from pathlib import Path

from connector.overview import overview
from tests.e2e.msp import Msp, msp


def paid(m: Msp) -> None:
    """February's charge was released and paid, and one more cycle went by."""
    m.to("2026-02-02")
    m.cycle(1)
    m.to("2026-02-02", 20)
    m.cycle(1)


def test_nothing_is_written_to_the_psa_until_its_owner_is_chosen_and_status_says_so(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, write_back={"psa_payments": None}) as m:
        m.sign_up()
        paid(m)

        assert m.psa_payments() == []
        assert not [row for row in m.requests(partner="connectwise", writes=True) if "/finance/" in row["path"]]
        (waiting,) = overview(m.agent.desk).on_their_way
        assert (waiting.target, waiting.state, str(waiting.amount)) == ("psa:connectwise", "ready", "500.00 USD")
        assert "write_back.psa_payments" in waiting.note
        notice = overview(m.agent.desk).notices[0]
        assert "'connector'" in notice
        assert "'accounting_sync'" in notice
        assert len(m.books("Payment")) == 1
        (drift,) = m.reconcile().drifts
        assert (drift.kind, drift.waiting) == ("psa_payment_missing", False)
        assert "write_back.psa_payments is not chosen" in drift.message


def test_what_waited_for_the_choice_goes_out_once_when_it_is_made(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, write_back={"psa_payments": None}) as m:
        m.sign_up()
        paid(m)
        m.restart()
        m.to("2026-02-03")
        m.cycle()

        (payment,) = m.psa_payments()
        assert payment["paymentDate"] == "2026-02-02T00:00:00Z"
        assert m.undelivered() == []
        assert len(m.books("Payment")) == 1
        assert m.reconcile().ties


def test_what_waited_for_the_choice_is_never_written_when_the_accounting_sync_was_chosen(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, write_back={"psa_payments": None}) as m:
        m.sign_up()
        paid(m)
        m.restart(write_back={"psa_payments": "accounting_sync"})
        m.to("2026-02-03")
        m.cycle()

        assert m.psa_payments() == []
        assert m.undelivered() == []


def test_where_the_accounting_sync_writes_to_the_psa_we_never_do(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, write_back={"psa_payments": "accounting_sync"}) as m:
        m.sign_up()
        paid(m)

        assert not [row for row in m.requests(partner="connectwise", writes=True) if "/finance/" in row["path"]]
        assert len(m.books("Payment")) == 1
        assert m.undelivered() == []
        assert overview(m.agent.desk).notices == ()


def test_books_that_are_switched_off_are_not_written_to(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, write_back={"books": "off"}) as m:
        m.sign_up()
        paid(m)

        assert m.books("Payment") == []
        assert m.requests(partner="quickbooks", writes=True) == []
        assert len(m.psa_payments()) == 1
        assert m.undelivered() == []


def test_without_books_a_payment_goes_to_the_psa_alone(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=None) as m:
        m.sign_up()
        paid(m)

        assert m.books("Payment") == []
        assert len(m.psa_payments()) == 1
        assert m.undelivered() == []
        assert m.reconcile().ties


def test_a_payment_on_its_way_to_books_that_are_switched_off_ends_and_says_so(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        m.fault("500", "quickbooks", path="/payment$", count=9)
        paid(m)
        m.world.faults.clear()
        assert len(m.undelivered()) == 1
        m.restart(write_back={"books": "off"})
        m.to("2026-02-04")
        m.cycle()

        assert m.books("Payment") == []
        assert m.undelivered() == []


def test_a_payment_on_its_way_to_books_that_are_no_more_ends_and_says_so(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        m.fault("500", "quickbooks", path="/payment$", count=9)
        paid(m)
        m.world.faults.clear()
        m.restart(books=None)
        m.to("2026-02-04")
        m.cycle()

        assert m.undelivered() == []
        assert m.books("Payment") == []
        assert len(m.psa_payments()) == 1
