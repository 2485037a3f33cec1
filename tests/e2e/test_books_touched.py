"""What a bookkeeper changes of ours in QuickBooks is seen within the hour, told, and left as it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.errors import Rejected
from connector.flows import attention
from connector.store import audit, payers
from tests.e2e.back import CLEARING, days, kinds, open_in_books, paid, receivable
from tests.e2e.killed import killed_at_lost_reply
from tests.e2e.msp import Msp, msp

NAME = "Contoso Dental"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Msp]:
    with msp(tmp_path, agreements=0, books=CLEARING) as m:
        m.act("stripe.set_payouts", schedule="manual")
        m.cycle()
        yield m


def ours(m: Msp) -> dict[str, Any]:
    return next(row for row in m.books("Payment") if "psa-connector" in row["PrivateNote"])


def told(m: Msp) -> list[str]:
    return [one.why for one in attention.parked(m.agent.desk)]


def touched(m: Msp) -> list[str]:
    return [drift.message for drift in m.reconcile().drifts if drift.kind == "touched_in_books"]


def test_a_payment_that_was_deleted_is_told_and_not_made_again(office: Msp) -> None:
    paid(office)
    days(office)
    id = ours(office)["Id"]
    office.act("quickbooks.delete_payment", id=id)
    days(office, 3)

    assert told(office) == [
        f"Payment {id} ({NAME}, 500.00 USD of 2026-02-02) was deleted or voided in the books; it is not made again"
    ]
    assert touched(office) == told(office)
    assert [row for row in office.books("Payment") if row["TotalAmt"]] == []


def test_a_payment_that_was_changed_is_told_until_it_is_as_it_was(office: Msp) -> None:
    paid(office)
    days(office)
    id = ours(office)["Id"]
    office.act("quickbooks.edit_payment", id=id, amount="400.00", dated="2026-02-05")
    days(office)
    changed = told(office)
    office.act("quickbooks.edit_payment", id=id, dated="2026-02-02")
    days(office)
    still = told(office)

    assert [text.rpartition(") was ")[2] for text in changed] == [
        "changed to 400.00 USD in the books",
        "dated 2026-02-05 in the books",
    ]
    assert still == changed[:1]
    assert ours(office)["TotalAmt"] == 400


def test_what_a_person_says_is_right_as_it_is_is_told_no_more(office: Msp) -> None:
    paid(office)
    days(office)
    office.act("quickbooks.edit_payment", id=ours(office)["Id"], dated="2026-02-05")
    days(office)
    (one,) = attention.parked(office.agent.desk)
    with pytest.raises(Rejected, match="nothing to try again"):
        attention.retry(office.agent.desk, one.id, who="Dana")
    attention.dismiss(office.agent.desk, one.id, who="Dana", why="the bank's own day")
    office.act("quickbooks.edit_payment", id=ours(office)["Id"], note=f"{ours(office)['PrivateNote']} seen")
    days(office, 2)

    assert told(office) == []
    assert touched(office) == []


def test_a_payment_taken_off_its_invoice_is_left_so(office: Msp) -> None:
    paid(office)
    days(office)
    office.act("quickbooks.move_payment", id=ours(office)["Id"], number=None)
    days(office, 3)

    assert [text.rpartition(") was ")[2] for text in told(office)] == ["taken off its invoice in the books; it is left so"]
    assert open_in_books(office) == [50000]


def test_a_journal_of_ours_that_was_deleted_is_told_and_its_payment_not_applied_again(office: Msp) -> None:
    payment = paid(office)
    office.act("stripe.refund", payment_intent=payment, intent="cancel_payment")
    days(office)
    journal = next(row["Id"] for row in office.books("JournalEntry") if "reversal:" in row["PrivateNote"])
    office.act("quickbooks.delete_journal", id=journal)
    days(office, 3)

    assert f"Journal {journal} ({NAME}, 500.00 USD that went back on" in " ".join(told(office))
    assert "touched_in_books" in kinds(office)
    assert open_in_books(office) == [50000]
    assert [row for row in office.books("JournalEntry") if "reversal:" in row["PrivateNote"]] == []


def test_what_we_do_ourselves_is_nobody_elses_doing(office: Msp) -> None:
    payment = paid(office)
    office.act("stripe.refund", payment_intent=payment, amount=20000, intent="cancel_payment")
    days(office, 3)

    assert told(office) == []


def test_a_payment_that_we_voided_ourselves_is_not_told(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.act("stripe.refund", payment_intent=paid(m), intent="cancel_payment")
        days(m, 3)

        assert told(m) == []


def test_a_payment_that_was_voided_by_an_agent_killed_right_after_it_is_not_told(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.cycle()
        m.act("stripe.refund", payment_intent=paid(m), intent="cancel_payment")
        m.at(m.world.now + timedelta(hours=2))
        killed_at_lost_reply(m, "collect", "deliver", method="POST", path="/payment")
        m.run("books_changes")
        at_once = told(m)
        days(m, 2)

        assert (at_once, told(m)) == ([], [])
        assert open_in_books(m) == [50000]


def test_it_costs_one_request_an_hour(office: Msp) -> None:
    paid(office)
    days(office, 2)
    office.run("books_changes")
    before = len(office.requests(partner="quickbooks"))
    for _ in range(3):
        office.run("books_changes")

    assert len(office.requests(partner="quickbooks")) == before


def test_when_the_books_remember_no_more_everything_of_ours_is_read_again(office: Msp) -> None:
    paid(office)
    days(office)
    office.act("quickbooks.edit_payment", id=ours(office)["Id"], dated="2026-02-05")
    office.to("2026-03-20")
    seen = office.run("books_changes")

    assert seen.lost
    assert len(told(office)) == 1


def test_a_customer_that_was_merged_is_followed_and_the_next_payment_is_theirs(office: Msp) -> None:
    paid(office)
    days(office)
    office.act("quickbooks.enter_customer", name="Contoso Group")
    office.act("quickbooks.merge_customers", keep="Contoso Group", gone=NAME)
    days(office)
    keeper = next(row["Id"] for row in office.books("Customer") if row["DisplayName"] == "Contoso Group")
    with office.agent.store.read() as tx:
        (row,) = payers.every(tx)
        followed = [entry.what for entry in audit.every(tx) if "was merged" in entry.what]
    office.act("quickbooks.rename_customer", old="Contoso Group", new=NAME)  # under which the accounting sync enters invoices
    office.to("2026-03-02")
    office.cycle(1)
    office.to("2026-03-02", 20)
    office.cycle(2)

    assert row.books_customer == keeper
    assert len(followed) == 1
    assert told(office) == []
    assert {payment["CustomerRef"]["value"] for payment in office.books("Payment")} == {keeper}
    assert len(office.books("Payment")) == 2


def test_a_refund_after_a_merge_is_the_surviving_customers(office: Msp) -> None:
    payment = paid(office)
    days(office)
    office.act("quickbooks.enter_customer", name="Contoso Group")
    office.act("quickbooks.merge_customers", keep="Contoso Group", gone=NAME)
    days(office)
    office.act("stripe.refund", payment_intent=payment, intent="cancel_payment")
    days(office, 2)

    assert office.undelivered() == []
    assert (open_in_books(office), receivable(office)) == ([50000], 50000)


def test_a_customer_who_was_made_inactive_is_a_question_until_active_again(office: Msp) -> None:
    paid(office)
    days(office)
    office.act("quickbooks.deactivate_customer", name=NAME)
    days(office)

    assert len(told(office)) == 1
    assert "was made inactive in the books" in told(office)[0]
