"""Money that goes back after a charge was paid: taken back everywhere once, not collected again by itself, never silent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connector.errors import Rejected
from connector.flows.attention import dismiss, retry_all
from connector.model.charge import ChargeState
from connector.model.ledger import EntryKind
from connector.overview import overview
from tests.e2e.back import held, receivable
from tests.e2e.msp import Msp, msp

MODES = ("many", "single")


def paid(m: Msp, *, method: str = "card") -> str:
    """February's charge is paid and written back everywhere. The gateway's payment."""
    m.sign_up(method=method)
    m.to("2026-02-02")
    m.cycle(1)
    m.to("2026-02-02" if method == "card" else "2026-02-10", 20)
    m.cycle(1)
    assert m.reconcile().ties
    return m.ledger()[0].payment


def next_day(m: Msp, *, days: int = 1) -> None:
    for _ in range(days):
        m.at(m.world.now.replace(day=m.world.now.day + 1))
        m.cycle(2)


def kinds(m: Msp) -> set[str]:
    return {drift.kind for drift in m.reconcile().drifts}


def living(m: Msp) -> list[dict[str, Any]]:
    """Our payments in the books that are not void."""
    return [row for row in m.books("Payment") if row["TotalAmt"]]


def collected(m: Msp) -> list[int]:
    return [e.amount.minor * (1 if e.kind is EntryKind.PAYMENT else -1) for e in m.ledger()]


@pytest.mark.parametrize("mode", MODES)
def test_a_refund_is_taken_back_in_the_psa_and_the_books(tmp_path: Path, mode: str) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.act("connectwise.set_payment_mode", mode=mode)
        payment = paid(m)
        m.act("stripe.refund", payment_intent=payment, intent="cancel_payment")
        next_day(m)

        assert collected(m) == [50000, -50000]
        assert m.psa_payments() == []
        assert [row["balance"] for row in m.psa_invoices()] == [500]
        assert living(m) == []
        assert [row["Balance"] for row in m.books("Invoice")] == [500]
        assert m.undelivered() == []


def test_what_was_refunded_is_not_collected_again_by_itself_and_reconciliation_says_so(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        payment = paid(m)
        m.act("stripe.refund", payment_intent=payment, intent="cancel_payment")
        next_day(m, days=5)

        (drift,) = m.reconcile().drifts
        assert (drift.kind, drift.waiting) == ("went_back", False)
        assert "500.00 USD went back" in drift.message
        assert "not collected again by itself" in drift.repair
        assert len(m.stripe("payment_intent")) == 1
        assert [charge.state for charge in m.charges()] == [ChargeState.PAID]


@pytest.mark.parametrize("mode", MODES)
def test_a_partial_refund_lowers_the_payment_in_the_psa_and_is_a_journal_in_the_books(tmp_path: Path, mode: str) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.act("connectwise.set_payment_mode", mode=mode)
        payment = paid(m)
        m.act("stripe.refund", payment_intent=payment, amount=20000, intent="cancel_payment")
        next_day(m)

        assert [row["amount"] for row in m.psa_payments()] == [300]
        assert [row["TotalAmt"] for row in living(m)] == [500]
        assert [row["Balance"] for row in m.books("Invoice")] == [200]
        assert receivable(m) == 20000
        assert m.undelivered() == []
        assert kinds(m) == {"went_back"}


def test_a_refund_that_a_person_entered_first_by_lowering_the_payment_is_not_entered_again(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        payment = paid(m)
        m.act("quickbooks.edit_payment", id=living(m)[0]["Id"], amount="300.00")
        m.act("stripe.refund", payment_intent=payment, amount=20000, intent="cancel_payment")
        next_day(m)
        m.act("stripe.refund", payment_intent=payment, intent="cancel_payment")
        next_day(m)

        assert m.undelivered() == []
        assert living(m) == []
        assert m.books("JournalEntry") == []
        assert receivable(m) == 50000
        assert kinds(m) == {"went_back"}


def test_two_partial_refunds_that_come_to_everything_open_the_whole_invoice(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        payment = paid(m)
        m.act("stripe.refund", payment_intent=payment, amount=20000, intent="cancel_payment")
        next_day(m)
        m.act("stripe.refund", payment_intent=payment, intent="cancel_payment")
        next_day(m)

        assert m.psa_payments() == []
        assert m.undelivered() == []
        assert [row["Balance"] for row in m.books("Invoice")] == [500]
        assert receivable(m) == 50000
        assert kinds(m) == {"went_back"}


def test_a_returned_bank_debit_is_taken_back_everywhere(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        payment = paid(m, method="us_bank_account")
        m.act("stripe.ach_return", payment_intent=payment)
        next_day(m, days=3)

        assert collected(m) == [50000, -50000]
        assert m.psa_payments() == []
        assert living(m) == []
        assert len(m.stripe("payment_intent")) == 1
        assert kinds(m) == {"went_back"}


def test_what_is_in_a_deposit_already_is_taken_back_from_the_account_that_it_had_gone_to(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        payment = paid(m)
        m.act("quickbooks.make_deposit", payment_ids=[living(m)[0]["Id"]])
        m.act("stripe.refund", payment_intent=payment, intent="cancel_payment")
        next_day(m)

        assert m.psa_payments() == []
        assert [row["TotalAmt"] for row in living(m)] == [500]
        assert [row["Balance"] for row in m.books("Invoice")] == [500]
        assert receivable(m) == 50000
        assert held(m, living(m)[0]["DepositToAccountRef"]["value"]) == -50000
        assert m.undelivered() == []
        assert kinds(m) == {"went_back"}


def test_a_payment_that_is_posted_in_connectwise_is_for_a_person_with_what_to_do(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        payment = paid(m)
        m.act("office.post_payments", batch="2026-02")
        m.act("stripe.refund", payment_intent=payment, intent="cancel_payment")
        next_day(m)

        (item,) = overview(m.agent.desk).on_their_way
        assert (item.target, item.state) == ("psa:connectwise", "parked")
        assert "general ledger batch" in item.note
        (drift,) = m.reconcile().drifts
        assert drift.kind == "psa_payment_extra"
        assert "general ledger batch" in drift.message


def test_a_payment_adopted_from_the_bookkeeper_is_not_voided_for_them(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        m.to("2026-02-02")
        m.cycle(1)
        m.to("2026-02-02", 20)
        m.act("quickbooks.enter_payment", customer_name="Contoso Dental", amount="500.00", number="10401")
        m.cycle(1)
        m.act("stripe.refund", payment_intent=m.ledger()[0].payment, intent="cancel_payment")
        next_day(m)

        assert [row["TotalAmt"] for row in living(m)] == [500]
        (item,) = overview(m.agent.desk).on_their_way
        assert item.state == "parked"

        m.act("quickbooks.void_payment", id=living(m)[0]["Id"])
        retry_all(m.agent.desk, who="Dana")
        m.cycle(1)

        assert m.undelivered() == []
        assert kinds(m) == {"went_back"}


def test_a_refund_before_the_payment_was_written_leaves_nothing_behind(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.sign_up()
        m.to("2026-02-02")
        m.cycle(1)
        m.to("2026-02-02", 20)
        (intent,) = m.stripe("payment_intent")
        m.act("stripe.refund", payment_intent=intent["id"], intent="cancel_payment")
        m.cycle(2)

        assert collected(m) == [50000, -50000]
        assert m.psa_payments() == []
        assert living(m) == []
        assert kinds(m) == {"went_back"}


def test_a_disputed_payment_is_taken_back_and_comes_back_when_the_dispute_is_won(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        payment = paid(m)
        dispute = m.act("stripe.dispute", payment_intent=payment)
        next_day(m)

        assert m.psa_payments() == []
        assert living(m) == []
        assert kinds(m) == {"went_back"}

        m.act("stripe.close_dispute", dispute=dispute["id"], won=True)
        next_day(m)

        assert collected(m) == [50000, -50000, 50000]
        assert [row["amount"] for row in m.psa_payments()] == [500]
        assert [(row["TotalAmt"], row["UnappliedAmt"]) for row in living(m)] == [(500, 0)]
        assert m.undelivered() == []
        assert m.reconcile().ties


def test_a_dispute_that_is_lost_stays_taken_back_once(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        payment = paid(m)
        dispute = m.act("stripe.dispute", payment_intent=payment)
        next_day(m)
        m.act("stripe.close_dispute", dispute=dispute["id"], won=False)
        next_day(m)

        assert collected(m) == [50000, -50000]
        assert kinds(m) == {"went_back"}


def test_a_refund_that_the_bank_sends_back_is_money_that_we_have(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        payment = paid(m, method="us_bank_account")
        refund = m.act("stripe.refund", payment_intent=payment, intent="cancel_payment")
        next_day(m)
        m.act("stripe.fail_refund", refund=refund["id"])
        next_day(m)

        assert collected(m) == [50000, -50000, 50000]
        assert [row["amount"] for row in m.psa_payments()] == [500]
        assert [row["TotalAmt"] for row in living(m)] == [500]
        assert m.reconcile().ties


def test_a_reversal_undone_before_a_person_entered_it_leaves_the_books_as_they_are(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        payment = paid(m)
        m.act("quickbooks.close_books", through="2026-02-28")
        dispute = m.act("stripe.dispute", payment_intent=payment)
        next_day(m)
        assert [item.state for item in overview(m.agent.desk).on_their_way] == ["parked"]
        m.act("stripe.close_dispute", dispute=dispute["id"], won=True)
        next_day(m)

        assert m.undelivered() == []
        assert [row["TotalAmt"] for row in living(m)] == [500]
        assert m.reconcile().ties


def test_a_refund_after_a_dispute_was_won_takes_back_the_payment_that_came_back(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        payment = paid(m, method="us_bank_account")
        refund = m.act("stripe.refund", payment_intent=payment, intent="cancel_payment")
        next_day(m)
        m.act("stripe.fail_refund", refund=refund["id"])
        next_day(m)
        m.act("stripe.refund", payment_intent=payment, intent="cancel_payment")
        next_day(m)

        assert collected(m) == [50000, -50000, 50000, -50000]
        assert m.psa_payments() == []
        assert living(m) == []
        assert kinds(m) == {"went_back"}


def test_money_that_comes_back_counts_against_what_was_collected_this_month(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        payment = paid(m)
        m.act("stripe.refund", payment_intent=payment, amount=20000, intent="cancel_payment")
        next_day(m)

        assert str(overview(m.agent.desk).collected_this_month) == "300.00 USD"
        assert [str(charge.collected) for charge in m.charges()] == ["300.00 USD"]


def test_a_refund_that_the_bookkeeper_entered_in_their_own_way_is_dismissed_with_a_name_and_a_reason(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        payment = paid(m)
        m.act("quickbooks.close_books", through="2026-02-28")
        m.act("stripe.refund", payment_intent=payment, intent="cancel_payment")
        next_day(m)
        (item,) = overview(m.agent.desk).on_their_way
        with pytest.raises(Rejected, match="--why"):
            dismiss(m.agent.desk, str(item.delivery), who="Pat", why=" ")
        said = dismiss(m.agent.desk, str(item.delivery), who="Pat", why="refund receipt 1042")

        assert (str(said.amount), said.target) == ("-500.00 USD", "books:quickbooks")
        assert m.undelivered() == []
        # The invoice is open in the PSA and not in the books, where the refund stands beside it: that is so.
        assert kinds(m) == {"went_back", "balances_differ"}
        with pytest.raises(Rejected, match="nothing with the number"):
            dismiss(m.agent.desk, str(item.delivery), who="Pat", why="again")
