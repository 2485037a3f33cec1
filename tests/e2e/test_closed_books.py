"""Money that came back in a month that the bookkeeper has closed: a person names the day, and nothing is entered twice."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from connector.flows import attention
from connector.flows.attention import Parked
from tests.e2e.back import CLEARING, days, entered_in_books, kinds, open_in_books, open_in_psa, paid, receivable
from tests.e2e.msp import Msp, msp

CANCEL = "cancel_payment"


def only(m: Msp) -> Parked:
    (one,) = attention.parked(m.agent.desk)
    return one


def journals(m: Msp) -> list[str]:
    return [row["TxnDate"] for row in m.books("JournalEntry") if "reversal:" in row.get("PrivateNote", "")]


def owed_for_february(m: Msp) -> int:
    return receivable(m) - 50000  # March's invoice is there by now


def refunded_in_a_closed_month(m: Msp) -> Parked:
    m.act("stripe.set_payouts", schedule="manual")
    m.cycle()
    payment = paid(m)
    m.act("stripe.refund", payment_intent=payment, intent=CANCEL)
    m.act("quickbooks.close_books", through="2026-02-28")
    m.to("2026-03-02")
    m.run("collect")
    m.run("deliver")
    return only(m)


def test_it_waits_with_the_day_that_is_open_and_is_entered_there_when_a_person_says_so(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=CLEARING) as m:
        waiting = refunded_in_a_closed_month(m)
        before = journals(m), open_in_books(m)[:1], open_in_psa(m)
        attention.retry(m.agent.desk, waiting.id, who="Dana", why="February is filed", dated=date(2026, 3, 1))
        m.run("deliver")
        on_the_day = journals(m), owed_for_february(m)
        still = only(m)
        m.act("quickbooks.close_books", through=None)
        attention.retry(m.agent.desk, still.id, who="Dana")
        m.run("deliver")

        assert waiting.proposed == date(2026, 3, 1)
        assert f"connector retry {waiting.id} --date 2026-03-01" in waiting.todo
        assert "500.00 USD of payment" in waiting.why
        assert before == ([], [0], [50000])
        # The customer owes it from that day on; that the payment stood on the invoice is a matter of its own, closed month.
        assert on_the_day == (["2026-03-01"], 50000)
        assert "the payment could not be taken off its invoice" in still.why
        assert still.proposed is None
        assert (journals(m), open_in_books(m)[:1], owed_for_february(m)) == (["2026-03-01"], [50000], 50000)
        assert m.undelivered() == []


def test_what_the_bookkeeper_leaves_on_the_journal_is_counted_once(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=CLEARING) as m:
        waiting = refunded_in_a_closed_month(m)
        attention.retry(m.agent.desk, waiting.id, who="Dana", dated=date(2026, 3, 1))
        m.run("deliver")
        attention.dismiss(m.agent.desk, only(m).id, who="Dana", why="the journal is enough")

        assert entered_in_books(m) == 0
        assert owed_for_february(m) == 50000
        assert "books_payment_extra" not in kinds(m)
        assert "books_payment_missing" not in kinds(m)


def test_a_payment_that_would_be_void_in_a_closed_month_is_taken_back_on_the_day_that_was_named(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        waiting = refunded_in_a_closed_month(m)
        attention.retry(m.agent.desk, waiting.id, who="Dana", dated=date(2026, 3, 2))
        m.run("deliver")

        assert [row["TotalAmt"] for row in m.books("Payment") if row["TxnDate"].startswith("2026-02")] == [500]
        assert (journals(m), owed_for_february(m)) == (["2026-03-02"], 50000)


def test_a_return_after_the_month_was_closed_is_dated_on_its_own_day(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0, books=CLEARING) as m:
        m.act("stripe.set_payouts", schedule="manual")
        m.cycle()
        payment = paid(m, method="us_bank_account")
        m.act("quickbooks.close_books", through="2026-02-09")
        days(m, 3)
        m.act("stripe.ach_return", payment_intent=payment)
        day = m.agent.desk.today().isoformat()
        m.run("collect")
        m.run("deliver")

        assert journals(m) == [day]
        assert receivable(m) == 50000


@pytest.mark.parametrize("kind", ["reply_lost", "500_after_effect"])
def test_a_lost_reply_to_the_journal_of_the_named_day_enters_it_once(tmp_path: Path, kind: str) -> None:
    with msp(tmp_path, agreements=0, books=CLEARING) as m:
        waiting = refunded_in_a_closed_month(m)
        attention.retry(m.agent.desk, waiting.id, who="Dana", dated=date(2026, 3, 1))
        m.fault(kind, "quickbooks", method="POST", path="journalentry")
        m.run("deliver")
        m.at(m.world.now.replace(hour=23))
        m.run("deliver")

        assert (journals(m), owed_for_february(m)) == (["2026-03-01"], 50000)
