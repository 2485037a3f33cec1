"""Money that went back, in the books beside a clearing account: the invoice ages again, and the receivable is hit once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.flows.decide import classify
from connector.model.ledger import RefundIntent
from tests.e2e.back import (
    CLEARING,
    at_gateway,
    days,
    entered_in_books,
    held,
    in_ledger,
    kinds,
    open_in_books,
    open_in_psa,
    paid,
    receivable,
)
from tests.e2e.msp import Msp, msp


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Msp]:
    with msp(tmp_path, agreements=0, books=CLEARING) as m:
        m.act("stripe.set_payouts", schedule="manual")
        m.cycle()
        yield m


def gateway_balance(m: Msp) -> int:
    return sum(money.minor for money in m.agent.desk.gateway.balance().values())


def agree(m: Msp, net: int) -> None:
    """Net at the gateway = ledger = books, everything delivered, and clearing is what the gateway holds."""
    days(m)  # fees are entered when their day is over

    assert m.undelivered() == []
    assert (at_gateway(m), in_ledger(m), entered_in_books(m)) == (net, net, net)
    assert held(m, "clearing") == gateway_balance(m)


def test_a_full_refund_opens_the_invoice_by_a_journal_and_voids_nothing(office: Msp) -> None:
    payment = paid(office)
    office.act("stripe.refund", payment_intent=payment, intent="cancel_payment")
    days(office)

    agree(office, 0)
    assert [row["TotalAmt"] for row in office.books("Payment")] == [500]
    assert (open_in_books(office), open_in_psa(office), receivable(office)) == ([50000], [50000], 50000)
    assert kinds(office) == {"went_back"}


def test_a_partial_refund_opens_that_part(office: Msp) -> None:
    payment = paid(office)
    office.act("stripe.refund", payment_intent=payment, amount=20000, intent="cancel_payment")
    days(office)

    agree(office, 30000)
    assert (open_in_books(office), open_in_psa(office), receivable(office)) == ([20000], [20000], 20000)


def test_two_partial_refunds_are_two_journals(office: Msp) -> None:
    payment = paid(office)
    office.act("stripe.refund", payment_intent=payment, amount=20000, intent="cancel_payment")
    days(office)
    office.act("stripe.refund", payment_intent=payment, amount=12500, intent="cancel_payment")
    days(office)

    agree(office, 17500)
    assert (open_in_books(office), open_in_psa(office), receivable(office)) == ([32500], [32500], 32500)


def test_a_returned_debit_is_dated_on_the_day_of_the_return(office: Msp) -> None:
    payment = paid(office, method="us_bank_account")
    days(office, 3)
    office.act("stripe.ach_return", payment_intent=payment)
    day = office.agent.desk.today().isoformat()
    days(office, 2)
    (journal,) = [row for row in office.books("JournalEntry") if "bank_return" in row.get("PrivateNote", "")]

    agree(office, 0)
    assert journal["TxnDate"] == day
    assert (open_in_books(office), open_in_psa(office), receivable(office)) == ([50000], [50000], 50000)
    assert kinds(office) == {"went_back"}


def test_a_refund_that_nobody_explained_is_entered_nowhere_until_somebody_does(office: Msp) -> None:
    payment = paid(office)
    refund = office.act("stripe.refund", payment_intent=payment)
    days(office, 2)
    waiting = {d.target: d.note for d in office.undelivered()}
    before = open_in_books(office), open_in_psa(office), len(office.psa_payments())
    (asked,) = office.reconcile().drifts
    classify(office.agent.desk, refund["id"], RefundIntent.CANCEL_PAYMENT, who="Dana", why="agreed")
    days(office)

    assert before == ([0], [0], 1)
    assert (asked.kind, asked.waiting) == ("refund_unclassified", False)
    assert set(waiting) == {"psa:connectwise", "books:quickbooks"}
    assert all(f"connector classify {refund['id']}" in note for note in waiting.values())
    agree(office, 0)
    assert (open_in_books(office), open_in_psa(office)) == ([50000], [50000])


def test_a_credit_leaves_the_invoice_paid_and_the_receivable_waits_for_the_credit_memo(office: Msp) -> None:
    payment = paid(office)
    office.act("stripe.refund", payment_intent=payment, amount=20000, intent="credit")
    days(office)

    agree(office, 30000)
    assert (open_in_books(office), open_in_psa(office), receivable(office)) == ([0], [0], 20000)


def test_money_paid_too_much_goes_back_from_what_is_on_no_invoice(office: Msp) -> None:
    office.sign_up()
    office.to("2026-02-02")
    office.cycle(1)
    number = office.psa_invoices()[0]["invoiceNumber"]
    for amount in ("300.00", "200.00"):
        office.act("quickbooks.enter_payment", customer_name="Contoso Dental", amount=amount, number=number, dated="2026-02-02")
    office.to("2026-02-02", 20)
    office.cycle(1)
    (payment,) = {e.payment for e in office.ledger()}
    assert receivable(office) == -50000
    office.act("stripe.refund", payment_intent=payment, intent="overpayment")
    days(office)

    agree(office, 0)
    assert (open_in_books(office), receivable(office)) == ([0], 0)


def test_a_refund_that_the_bank_sent_back_is_a_payment_again(office: Msp) -> None:
    payment = paid(office, method="us_bank_account")
    refund = office.act("stripe.refund", payment_intent=payment, intent="cancel_payment")
    days(office)
    office.act("stripe.fail_refund", refund=refund["id"])
    days(office, 2)

    agree(office, 50000)
    assert (open_in_books(office), open_in_psa(office), receivable(office)) == ([0], [0], 0)
    assert office.reconcile().ties


def test_after_a_refund_that_came_back_the_next_one_takes_both_payments_off_the_invoice(office: Msp) -> None:
    payment = paid(office, method="us_bank_account")
    refund = office.act("stripe.refund", payment_intent=payment, amount=20000, intent="cancel_payment")
    days(office)
    office.act("stripe.fail_refund", refund=refund["id"])
    days(office, 2)
    office.act("stripe.refund", payment_intent=payment, intent="cancel_payment")
    days(office, 2)

    agree(office, 0)
    assert (open_in_books(office), open_in_psa(office), receivable(office)) == ([50000], [50000], 50000)


def test_a_credit_whose_refund_failed_is_entered_the_other_way_round(office: Msp) -> None:
    payment = paid(office, method="us_bank_account")
    refund = office.act("stripe.refund", payment_intent=payment, intent="credit")
    days(office)
    office.act("stripe.fail_refund", refund=refund["id"])
    days(office, 2)

    agree(office, 50000)
    assert (open_in_books(office), open_in_psa(office), receivable(office)) == ([0], [0], 0)


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("kind", ["reply_lost", "500_after_effect", "500"])
def test_whatever_is_lost_on_the_way_the_receivable_is_hit_once(office: Msp, kind: str, step: int) -> None:
    payment = paid(office)
    office.act("stripe.refund", payment_intent=payment, intent="cancel_payment")
    path = ("journalentry", "payment")[step]
    office.fault(kind, "quickbooks", method="POST", path=f"/company/[0-9]+/{path}")
    days(office, 2)

    agree(office, 0)
    assert (open_in_books(office), receivable(office)) == ([50000], 50000)


@pytest.mark.parametrize("skip", range(4))
def test_a_restart_in_the_middle_of_a_reversal_finishes_it_once(office: Msp, skip: int) -> None:
    payment = paid(office)
    office.act("stripe.refund", payment_intent=payment, amount=20000, intent="cancel_payment")
    office.at(office.world.now.replace(hour=23))
    office.run("collect")
    office.fault("500_after_effect", "quickbooks", path="/v3/company", skip=skip)
    office.run("deliver")
    office.restart(books=CLEARING)
    days(office, 2)

    agree(office, 30000)
    assert (open_in_books(office), open_in_psa(office), receivable(office)) == ([20000], [20000], 20000)


def test_the_credit_memo_that_was_asked_for_is_awaited_until_it_is_there(office: Msp) -> None:
    payment = paid(office)
    office.act("stripe.refund", payment_intent=payment, amount=20000, intent="credit")
    days(office)
    (before,) = office.reconcile().drifts
    office.act("quickbooks.enter_credit_memo", customer_name="Contoso Dental", amount="200.00")

    assert (before.kind, before.waiting) == ("credit_memo_missing", True)
    assert office.reconcile().ties
    assert receivable(office) == 0


def test_after_a_credit_whose_refund_failed_the_next_refund_takes_back_the_payment_itself(office: Msp) -> None:
    payment = paid(office, method="us_bank_account")
    refund = office.act("stripe.refund", payment_intent=payment, amount=20000, intent="credit")
    days(office)
    office.act("stripe.fail_refund", refund=refund["id"])
    days(office, 2)
    office.act("stripe.refund", payment_intent=payment, intent="cancel_payment")
    days(office, 2)

    agree(office, 0)
    assert (open_in_books(office), open_in_psa(office), receivable(office)) == ([50000], [50000], 50000)
