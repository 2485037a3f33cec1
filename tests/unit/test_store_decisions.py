"""What people decided after money came back is kept: the last word counts, and no word is ever lost."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from connector.model.decision import ChargeDecision
from connector.model.ledger import RefundIntent
from connector.model.money import Money
from connector.store import Store, decisions, marks
from connector.store.marks import MethodMark
from tests.unit.store_databases import NOW, later

pytest_plugins = ("tests.unit.store_fixtures",)


def _mark(reversal: str = "du_1", payer: str = "connectwise:250") -> MethodMark:
    return MethodMark(reversal=reversal, payer=payer, method="pm_1", reason="bank_return", detail="R02", at=NOW)


def test_the_last_word_about_a_refund_counts(store: Store) -> None:
    with store.begin() as tx:
        decisions.classify(tx, "reversal:re_1", RefundIntent.CREDIT, who="Dana", why="goodwill", now=NOW)
        decisions.classify(tx, "reversal:re_1", RefundIntent.CANCEL_PAYMENT, who="Kim", why="wrong card", now=later(1))

    with store.read() as tx:
        assert decisions.intent(tx, "reversal:re_1") is RefundIntent.CANCEL_PAYMENT
        assert decisions.intent(tx, "reversal:re_2") is None
        assert decisions.classified(tx)["reversal:re_1"].who == "Kim"


def test_the_last_word_about_a_charge_counts_and_tells_how_much_had_gone_back(store: Store) -> None:
    with store.begin() as tx:
        for decision in (ChargeDecision.RECOLLECT, ChargeDecision.WRITE_OFF):
            decisions.decide(tx, "cw:1/2026-02-01", decision, back=Money(500_00, "USD"), who="Dana", why="agreed", now=NOW)

    with store.read() as tx:
        said = decisions.decided(tx, "cw:1/2026-02-01")
        assert said is not None
        assert (said.decision, said.back) == (ChargeDecision.WRITE_OFF, Money(500_00, "USD"))
        assert decisions.decided(tx, "cw:2/2026-02-01") is None


@pytest.mark.parametrize("table", ["reversal_decision", "charge_decision"])
def test_no_decision_is_ever_changed_or_deleted(store: Store, table: str) -> None:
    with store.begin() as tx:
        decisions.classify(tx, "reversal:re_1", RefundIntent.CREDIT, who="Dana", why="goodwill", now=NOW)
        decisions.decide(tx, "c", ChargeDecision.CREDIT, back=Money(1, "USD"), who="Dana", why="goodwill", now=NOW)

    for statement in (f"UPDATE {table} SET why = 'x'", f"DELETE FROM {table}"):  # noqa: S608 - our own two tables
        with pytest.raises(DBAPIError), store.begin() as tx:
            tx.execute(text(statement))


def test_a_returned_debit_marks_its_method_once_and_a_lifted_mark_does_not_come_back(store: Store) -> None:
    with store.begin() as tx:
        assert marks.add(tx, _mark())
        assert not marks.add(tx, _mark())
        assert marks.add(tx, _mark("du_2", "connectwise:251"))
        assert marks.lift(tx, "du_1", by="Dana", why="same account, new authorisation", now=later(1))
        assert not marks.lift(tx, "du_1", by="Dana", why="again", now=later(2))
        assert not marks.add(tx, _mark())

    with store.read() as tx:
        assert marks.active(tx) == [_mark("du_2", "connectwise:251")]
        assert marks.active(tx, "connectwise:250") == []
        assert marks.known(tx) == {"du_1", "du_2"}
