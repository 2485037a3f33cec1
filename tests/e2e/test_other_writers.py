"""Payments that another tool writes: where it is the owner we watch it, where we are we write nothing twice and tell."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from connector.config.load import load_config
from connector.errors import ConfigError
from connector.flows import attention
from connector.model.drift import Drift
from tests.e2e.back import METHODS, days
from tests.e2e.msp import Msp, cents, msp, write_config

PSAS = ("connectwise", "autotask")


def collected(m: Msp) -> None:
    """February's 500.00 is collected, and written where we write."""
    m.sign_up() if m.kind == "connectwise" else m.sign_up_in_autotask()
    m.to("2026-02-02")
    m.cycle(1)
    m.to("2026-02-02", 20)
    m.cycle(1)


def in_psa(m: Msp) -> list[int]:
    """What each payment there comes to; in Autotask what is paid by its date."""
    if m.kind == "autotask":
        return [cents(row["invoiceTotal"]) for row in m.psa_invoices() if row["paidDate"] and row["invoiceTotal"]]
    return [cents(row["amount"]) for row in m.psa_payments()]


def in_books(m: Msp) -> list[int]:
    return [cents(row["TotalAmt"]) for row in m.books("Payment")]


def only(m: Msp) -> Drift:
    (drift,) = m.reconcile().drifts
    return drift


# Another tool is the owner


@pytest.mark.parametrize("psa", PSAS)
def test_what_the_accounting_sync_is_to_bring_to_the_psa_is_watched_until_it_is_there(tmp_path: Path, psa: str) -> None:
    with msp(tmp_path, agreements=0, psa=psa, write_back={"psa_payments": "accounting_sync"}) as m:
        collected(m)
        early = only(m)
        days(m, 6)
        late = only(m)
        before = in_psa(m)
        m.act("syncs.copy_to_psa" if psa == "connectwise" else "syncs.set_paid_dates")
        days(m)

        assert (early.kind, early.waiting) == (late.kind, True) == ("psa_payment_awaited", True)
        assert (late.waiting, "500.00 USD" in late.message, "within 5 days" in late.message) == (False, True, True)
        assert late.name == "Contoso Dental: Managed Services"
        assert (before, in_psa(m), in_books(m)) == ([], [50000], [50000])
        assert m.reconcile().ties


def test_what_the_psas_own_sync_is_to_bring_to_the_books_is_watched_until_it_is_there(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, write_back={"books": "psa_sync"}) as m:
        collected(m)
        early = only(m)
        days(m, 6)
        late = only(m)
        before = in_books(m)
        m.act("syncs.export_to_books")
        days(m)

        assert (early.kind, early.waiting) == (late.kind, True) == ("books_payment_awaited", True)
        assert (late.waiting, "500.00 USD" in late.message, "to the books within 5 days" in late.message) == (False, True, True)
        assert (before, in_psa(m), in_books(m)) == ([], [50000], [50000])
        assert m.requests(partner="quickbooks", writes=True) == []
        assert m.reconcile().ties


def test_two_tools_that_wait_for_each_other_are_refused(tmp_path: Path) -> None:
    nobody = write_config(tmp_path, "http://127.0.0.1:1", write_back={"psa_payments": "accounting_sync", "books": "psa_sync"})
    with pytest.raises(ConfigError, match="each wait for the other"):
        load_config(nobody)

    deposits = write_config(tmp_path, "http://127.0.0.1:1", write_back={"books": "psa_sync"}, books=METHODS["clearing"])
    with pytest.raises(ConfigError, match="use payments_only"):
        load_config(deposits)


# We are the owner, and another tool writes too


MODES = ("many", "single")


def in_parts(m: Msp, mode: str = "many") -> str:
    """200.00 of February's 500.00 is collected, and written nowhere yet: the gateway tries the rest again by itself."""
    m.act("connectwise.set_payment_mode", mode=mode)
    m.sign_up(behaviour="decline_once")
    for hour in (18, 20):
        m.to("2026-02-02", hour)
        m.cycle(1)
    (invoice,) = [row for row in m.stripe("invoice") if row["status"] == "open"]
    m.act("stripe.pay_part", invoice=invoice["id"], amount=20000)
    return str(invoice["id"])


def hours(m: Msp, number: int = 2) -> None:
    """Too short for the gateway to try the rest again."""
    m.at(m.world.now + timedelta(hours=number))
    m.cycle(2)


def without(m: Msp, partner: str, path: str = "/payment") -> None:
    """One round in which that partner takes no payment."""
    m.fault("500", partner, path=path, count=99)
    hours(m)
    m.world.faults.clear()


def told(m: Msp) -> list[str]:
    return [f"{one.what}: {one.why}" for one in attention.parked(m.agent.desk) if one.id.startswith("t")]


@pytest.mark.parametrize("mode", MODES)
def test_what_a_tool_brought_to_the_psa_before_us_is_not_written_again(tmp_path: Path, mode: str) -> None:
    with msp(tmp_path, agreements=0) as m:
        in_parts(m, mode)
        without(m, "connectwise", "/payments")
        m.act("syncs.copy_to_psa")
        hours(m)
        part = in_psa(m), m.psa_invoices()[0]["balance"]
        days(m, 6)  # the rest is collected
        m.act("syncs.copy_to_psa")
        days(m)

        assert part == ([20000], 300)
        assert [cents(row["payments"]) for row in m.psa_invoices()] == ([80000] if mode == "many" else [30000])
        assert in_books(m) == [20000, 30000]
        assert m.undelivered() == []
        (said,) = told(m)
        assert "WiseSync writes payments in connectwise too" in said


@pytest.mark.parametrize("mode", MODES)
def test_what_a_tool_brings_to_the_psa_after_us_is_told_once_and_left(tmp_path: Path, mode: str) -> None:
    with msp(tmp_path, agreements=0, lines=1) as m:
        m.act("connectwise.set_payment_mode", mode=mode)
        collected(m)
        m.act("syncs.copy_to_psa")
        writes = len(m.requests(partner="connectwise", writes=True))
        days(m, 3)

        assert len(m.requests(partner="connectwise", writes=True)) == writes
        assert (in_psa(m), in_books(m)) == ([50000, 50000] if mode == "many" else [50000], [50000])
        assert {drift.kind for drift in m.reconcile().drifts} == ({"overpaid_in_psa"} if mode == "many" else set())
        (one,) = attention.parked(m.agent.desk)
        assert (one.what, one.target) == ("another tool writes payments in the PSA", "psa:connectwise")
        assert "WiseSync" in one.why
        assert "Contoso Dental" in one.why
        assert "accounting_sync" in one.todo

        attention.dismiss(m.agent.desk, one.id, who="ann", why="switched off")
        days(m, 2)

        assert told(m) == []


@pytest.mark.parametrize("mode", MODES)
def test_a_tool_that_removes_all_payments_and_writes_them_anew_is_not_fought(tmp_path: Path, mode: str) -> None:
    with msp(tmp_path, agreements=0) as m:
        in_parts(m, mode)
        hours(m)
        m.act("syncs.rewrite_psa")
        days(m, 6)  # the rest is collected
        paid = sum(in_psa(m)), in_books(m), m.undelivered()
        m.act("connectwise.set_payment_mode", mode="many")
        m.act("syncs.rewrite_psa")
        writes = len(m.requests(partner="connectwise", writes=True))
        days(m, 2)

        assert paid == (50000, [20000, 30000], [])
        assert (in_psa(m), [row["balance"] for row in m.psa_invoices()][:1]) == ([20000, 30000], [0])
        assert len(m.requests(partner="connectwise", writes=True)) == writes
        assert m.reconcile().ties
        assert len(told(m)) == 1

        m.act("stripe.refund", payment_intent=m.ledger()[0].payment, intent="cancel_payment")
        days(m, 2)
        (parked,) = [one for one in attention.parked(m.agent.desk) if not one.id.startswith("t")]
        stays = in_psa(m)
        m.act("syncs.rewrite_psa")
        attention.retry(m.agent.desk, parked.id, who="ann")
        days(m, 2)

        assert stays == [20000, 30000]
        assert "the agent changes only its own" in parked.why
        assert (in_psa(m), m.undelivered()) == ([30000], [])
        assert {drift.kind for drift in m.reconcile().drifts} == {"went_back"}


@pytest.mark.parametrize("part", [False, True])
def test_what_the_psas_own_sync_entered_in_the_books_before_us_is_not_entered_again(tmp_path: Path, part: bool) -> None:
    with msp(tmp_path, agreements=0) as m:
        if part:
            in_parts(m)
        else:
            m.sign_up()
            m.to("2026-02-02")
            m.cycle(1)
            m.to("2026-02-02", 20)
        without(m, "quickbooks", "/payment$")
        m.act("syncs.export_to_books")
        days(m, 7)

        assert in_books(m) == ([20000, 30000] if part else [50000])
        assert [cents(row["Balance"]) for row in m.books("Invoice")] == [0]
        assert sum(in_psa(m)) == 50000
        assert m.undelivered() == []
        assert m.reconcile().ties


def test_what_the_psas_own_sync_enters_in_the_books_after_us_is_told_once_until_it_is_gone(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        collected(m)
        m.act("syncs.export_to_books")
        days(m, 3)
        (one,) = attention.parked(m.agent.desk)
        second = m.books("Payment")[1]["Id"]

        assert (in_psa(m), in_books(m)) == ([50000], [50000, 50000])
        assert (one.what, one.target) == ("a payment is in the books twice", "books:quickbooks")
        assert f"Payment {second} of 500.00 USD (Contoso Dental" in one.why
        assert "write_back.books: psa_sync" in one.todo

        m.act("quickbooks.delete_payment", id=second)
        days(m)

        assert attention.parked(m.agent.desk) == []
        assert m.reconcile().ties


@pytest.mark.parametrize("first", [False, True])
def test_a_paid_date_that_a_tool_sets_in_autotask_is_left_whoever_comes_first(tmp_path: Path, first: bool) -> None:
    with msp(tmp_path, agreements=0, psa="autotask") as m:
        m.sign_up_in_autotask()
        m.to("2026-02-02")
        m.cycle(1)
        m.to("2026-02-02", 20)
        if first:
            without(m, "autotask", "/Invoices$")
        else:
            days(m)
        by_us = in_psa(m)
        m.act("syncs.set_paid_dates")
        days(m, 2)

        assert by_us == ([] if first else [50000])
        assert (in_psa(m), in_books(m), m.undelivered()) == ([50000], [50000], [])
        assert m.reconcile().ties
