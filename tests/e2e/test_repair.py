"""Each difference that a person makes, what the three-way check says of it, what `connector repair` does, and that all agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connector.errors import Rejected
from connector.flows import attention, repair
from connector.flows.repair import Repair
from connector.model.drift import Drift
from connector.store import audit
from tests.e2e.back import CLEARING, days
from tests.e2e.back import paid as paid_and_entered
from tests.e2e.msp import Msp, cents, msp
from tests.e2e.test_reconcile_check import NAME, in_books, only, paid

ME = {"who": "Dana", "why": "it was removed by mistake"}


def planned(m: Msp) -> Repair:
    return repair.plan(m.agent.desk, only(m).id)


def mended(m: Msp) -> Repair:
    """The one difference is mended and delivered, and a day later all agree."""
    found = planned(m)
    m.run(repair.carry_out(m.agent.desk, found, **ME))
    days(m)
    assert m.reconcile().ties, m.reconcile().drifts
    return found


def payments(m: Msp) -> list[dict[str, Any]]:
    """In the books, those that count."""
    return [row for row in m.books("Payment") if row["TotalAmt"]]


def open_in_books(m: Msp) -> list[int]:
    return [cents(row["Balance"]) for row in m.books("Invoice")]


def trail(m: Msp) -> list[str]:
    with m.agent.store.read() as tx:
        return [f"{row.who}: {row.what}" for row in audit.every(tx) if row.what.startswith("repair ")]


def test_a_payment_deleted_in_the_books_is_entered_once_more_and_only_once(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        days(m)
        first = in_books(m)["Id"]
        m.act("quickbooks.delete_payment", id=first)
        days(m)
        before = only(m)
        writes = len(m.requests(writes=True))
        found = planned(m)

        assert before.id == only(m).id
        assert f"payment {first} (500.00 USD of 2026-02-02) was deleted or voided in the books" in before.message
        assert found.steps == ("quickbooks: a payment of 500.00 USD dated 2026-02-02 is entered, applied to invoice 10401",)
        assert len(m.requests(writes=True)) == writes

        mended(m)

        assert [(row["TotalAmt"], row["TxnDate"]) for row in payments(m)] == [(500, "2026-02-02")]
        assert open_in_books(m) == [0]
        assert attention.parked(m.agent.desk) == []  # what had been told of the deleted one is settled
        assert trail(m)[0].startswith(f"Dana: repair {before.id} (books_payment_missing)")
        with pytest.raises(Rejected, match="no mismatch has the number"):
            repair.plan(m.agent.desk, before.id)


def test_a_voided_payment_is_entered_again_and_a_second_time_if_need_be(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        for _ in range(2):
            m.act("quickbooks.void_payment", id=payments(m)[0]["Id"])
            mended(m)

        assert len(m.books("Payment")) == 3
        assert [row["TotalAmt"] for row in payments(m)] == [500]


def test_a_lost_reply_while_it_is_entered_again_enters_it_once(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        m.act("quickbooks.delete_payment", id=in_books(m)["Id"])
        m.fault("reply_lost", "quickbooks", method="POST", path="/v3/company")
        mended(m)

        assert [row["TotalAmt"] for row in m.books("Payment")] == [500]


def test_a_request_that_is_lost_while_it_is_entered_again_is_not_taken_for_the_voided_one(tmp_path: Path) -> None:
    """The voided payment has the same reference, and is all that a look-up finds."""
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        days(m)
        m.act("quickbooks.void_payment", id=in_books(m)["Id"])
        days(m)
        m.fault("timeout", "quickbooks", method="POST", path="/payment$", count=1)
        mended(m)

        assert [row["TotalAmt"] for row in payments(m)] == [500]
        assert open_in_books(m) == [0]


def test_what_was_entered_by_hand_instead_is_taken_for_it(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        m.act("quickbooks.delete_payment", id=in_books(m)["Id"])
        by_hand = m.act("quickbooks.enter_payment", customer_name=NAME, amount="500.00", number="10401")
        found = mended(m)

        assert found.steps == (
            f"quickbooks: payment {by_hand} (500.00 USD), entered by hand, is taken for it; nothing is written",
        )
        assert [row["Id"] for row in m.books("Payment")] == [by_hand]


def test_what_no_longer_fits_on_its_invoice_is_left_to_a_person(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        m.act("quickbooks.delete_payment", id=in_books(m)["Id"])
        m.act("quickbooks.enter_payment", customer_name=NAME, amount="300.00", number="10401")
        (drift,) = [drift for drift in m.reconcile().drifts if drift.kind == "books_payment_missing"]
        found = repair.plan(m.agent.desk, drift.id)

        assert found.steps == ()
        assert "is open with 200.00 USD in the books, so 500.00 USD does not fit on it any more" in found.by_hand
        with pytest.raises(Rejected, match="cannot mend"):
            repair.carry_out(m.agent.desk, found, **ME)


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ({"amount": "450.00"}, "books_payment_amount", "was changed to 450.00 USD in the books"),
        ({"dated": "2026-02-20"}, "books_payment_date", "was dated 2026-02-20 in the books"),
    ],
)
def test_what_was_changed_in_the_books_is_voided_and_entered_as_it_was(
    tmp_path: Path, change: dict[str, str], kind: str, said: str
) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        old = in_books(m)["Id"]
        m.act("quickbooks.edit_payment", id=old, **change)
        drift = only(m)
        found = mended(m)

        assert (drift.kind, said in drift.message) == (kind, True)
        assert found.steps[0] == f"quickbooks: payment {old} is voided"
        assert [(row["TotalAmt"], row["TxnDate"]) for row in payments(m)] == [(500, "2026-02-02")]
        assert open_in_books(m) == [0]


def test_a_payment_of_another_customer_is_voided_and_entered_for_the_payer(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        m.act("quickbooks.enter_customer", name="Fabrikam")
        m.act("quickbooks.give_payment_to", id=in_books(m)["Id"], customer_name="Fabrikam")
        drift = only(m)
        mended(m)

        assert drift.kind == "books_payment_customer"
        assert [row["CustomerRef"]["name"] for row in payments(m)] == [NAME]
        assert open_in_books(m) == [0]


def test_a_payment_on_another_invoice_goes_back_to_its_own(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        m.act("quickbooks.enter_invoice", number="7", customer_name=NAME, dated="2026-02-01", due="2026-02-01", total="500.00")
        m.act("quickbooks.move_payment", id=in_books(m)["Id"], number="7")
        (drift,) = [drift for drift in m.reconcile().drifts if drift.kind != "balances_differ"]
        m.run(repair.carry_out(m.agent.desk, repair.plan(m.agent.desk, drift.id), **ME))

        assert drift.kind == "books_payment_invoice"
        assert open_in_books(m) == [0, 50000]
        assert m.reconcile().ties


def test_what_is_in_a_deposit_is_left_to_a_person_until_it_is_out_of_it(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        id = in_books(m)["Id"]
        m.act("quickbooks.edit_payment", id=id, dated="2026-02-20")
        m.act("quickbooks.make_deposit", payment_ids=[id])
        found = planned(m)
        m.act("quickbooks.take_out_of_deposit", payment=id)
        mended(m)

        assert found.steps == ()
        assert found.by_hand == f"take payment {id} out of its deposit in the books, then look again: connector reconcile"
        assert [row["TxnDate"] for row in payments(m)] == ["2026-02-02"]


def test_a_payment_taken_off_its_invoice_is_applied_again(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        days(m)
        id = in_books(m)["Id"]
        m.act("quickbooks.move_payment", id=id, number=None)
        days(m, 2)
        drift = only(m)
        mended(m)

        assert drift.kind == "books_unapplied"
        assert [row["Id"] for row in payments(m)] == [id]
        assert open_in_books(m) == [0]


def test_a_payment_deleted_in_the_psa_is_recorded_once_more(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        m.act("office.delete_payment", invoice="10401", payment=m.psa_payments()[0]["id"])
        days(m)
        drift = only(m)
        found = mended(m)

        assert drift.kind == "psa_payment_missing"
        assert "what is missing of 500.00 USD, collected on 2026-02-02, is recorded on it" in found.steps[0]
        assert [cents(row["amount"]) for row in m.psa_payments()] == [50000]


def test_a_payment_that_somebody_entered_twice_in_the_psa_is_named_for_the_person_who_removes_it(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        extra = m.act("office.record_payment", invoice="10401", amount="10.00", member="Bookkeeper")
        found = planned(m)
        m.act("office.delete_payment", invoice="10401", payment=extra["id"])

        assert (found.drift.kind, found.steps) == ("overpaid_in_psa", ())
        assert any("10.00 USD" in note and "by Bookkeeper" in note for note in found.notes)
        assert m.reconcile().ties


def test_a_paid_date_that_was_cleared_in_autotask_is_set_again_and_one_that_was_changed_is_told(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, psa="autotask") as m:
        paid_and_entered(m)
        (bill,) = [row for row in m.psa_invoices() if str(row["id"]) == m.charges()[0].psa_invoice]
        m.act("office.clear_paid", invoice=bill["id"])
        cleared = only(m)
        mended(m)
        (again,) = [row["paidDate"][:10] for row in m.psa_invoices() if row["id"] == bill["id"]]
        m.act("office.clear_paid", invoice=bill["id"])
        m.act("office.set_paid", invoice=bill["id"], dated="2026-02-05")
        changed = only(m)

        assert cleared.kind == "psa_payment_missing"
        assert again == m.ledger()[0].on.isoformat()
        assert changed.kind == "psa_payment_date"
        assert changed.repair.endswith(f"to {again} in the PSA")


def test_a_payout_deleted_in_the_books_is_booked_once_more(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=CLEARING) as m:
        m.act("stripe.set_payouts", schedule="daily")
        m.cycle()
        paid(m)
        m.through("2026-02-10")
        assert m.reconcile().ties, m.reconcile().drifts
        (transfer,) = m.books("Transfer")
        fees = m.books("JournalEntry")
        m.act("quickbooks.delete_transfer", id=transfer["Id"])
        m.act("quickbooks.delete_journal", id=fees[0]["Id"])
        drifts: list[Drift] = list(m.reconcile().drifts)
        for drift in drifts:
            m.run(repair.carry_out(m.agent.desk, repair.plan(m.agent.desk, drift.id), **ME))

        assert {drift.kind for drift in drifts} == {"booking_removed"}
        assert {drift.amount.minor for drift in drifts if drift.amount} == {
            cents(transfer["Amount"]),
            sum(cents(line["Amount"]) for line in fees[0]["Line"]) // 2,
        }
        assert [row["Amount"] for row in m.books("Transfer")] == [transfer["Amount"]]
        assert len(m.books("JournalEntry")) == len(fees)
        assert m.reconcile().ties


def test_what_a_person_said_is_right_as_it_is_is_no_mismatch_until_it_is_changed_again(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        days(m)
        id = in_books(m)["Id"]
        m.act("quickbooks.edit_payment", id=id, amount="450.00")
        days(m)
        (one,) = attention.parked(m.agent.desk)
        attention.dismiss(m.agent.desk, one.id, who="Dana", why="50.00 went to another invoice")
        settled = m.reconcile()
        m.act("quickbooks.edit_payment", id=id, amount="400.00")
        days(m)

        assert settled.ties, settled.drifts
        assert only(m).kind == "books_payment_amount"


def test_a_payment_let_go_by_a_person_is_not_applied_again_by_the_check(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        paid(m)
        days(m)
        m.act("quickbooks.move_payment", id=in_books(m)["Id"], number=None)
        days(m)
        (one,) = attention.parked(m.agent.desk)
        attention.dismiss(m.agent.desk, one.id, who="Dana", why="it is for the next invoice")
        days(m, 2)

        assert open_in_books(m) == [50000]
        assert m.reconcile().ties
