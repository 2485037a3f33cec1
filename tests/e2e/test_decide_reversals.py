"""Money that went back is a question for a person: asked until it is answered, and the answer is carried out once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connector.cli import app
from connector.flows.decide import decide
from connector.model.charge import ChargeState
from connector.model.decision import ChargeDecision
from connector.overview import overview
from connector.serve.facts import gather
from connector.store import audit, decisions
from tests.e2e.charging import debits, hold_names
from tests.e2e.msp import Msp, msp

# The commands set up real logging onto the runner's streams, which are closed afterwards.
ME = ("--as", "Dana", "--why", "agreed with the customer")


def said(m: Msp, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*words, "--config", str(m.folder / "connector.yaml")])
    assert result.exit_code == code, result.output
    return re.sub(r"\s+", " ", result.output)


def refused(m: Msp, *words: str) -> str:
    result = CliRunner().invoke(app, [*words, "--config", str(m.folder / "connector.yaml")])
    assert result.exit_code != 0
    return re.sub(r"\s+", " ", str(result.exception or "") + result.output)


def paid(m: Msp, *, method: str = "card") -> str:
    """February's 500.00 is paid and written back everywhere. The gateway's payment."""
    m.sign_up(method=method) if m.kind == "connectwise" else m.sign_up_in_autotask(method=method)
    m.to("2026-02-02")
    m.cycle(1)
    m.to("2026-02-02" if method == "card" else "2026-02-10", 20)
    m.cycle(1)
    assert m.reconcile().ties
    return m.ledger()[0].payment


def days(m: Msp, number: int) -> None:
    for _ in range(number):
        m.at(m.world.now.replace(day=m.world.now.day + 1))
        m.cycle(1)


def notices(m: Msp) -> str:
    return " | ".join(overview(m.agent.desk).notices)


def test_a_refund_about_which_nobody_has_said_what_it_is_for_asks_and_waits(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        refund = m.act("stripe.refund", payment_intent=paid(m))
        days(m, 1)

        assert hold_names(m) == ["unclassified_refund"]
        assert f"connector classify {refund['id']} credit" in notices(m)
        assert "500.00 USD was refunded on 2026-02-0" in notices(m)
        assert refund["id"] in said(m, "holds")


def test_a_refund_says_at_the_gateway_what_it_is_for(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        refund = m.act("stripe.refund", payment_intent=paid(m), intent="credit")
        days(m, 1)

        with m.agent.store.read() as tx:
            word = decisions.classified(tx)[f"reversal:{refund['id']}"]
        assert (word.intent, word.who) == ("credit", "the refund at the gateway")
        assert hold_names(m) == []


def test_a_person_says_what_a_refund_is_for_and_only_a_payment_taken_back_asks_on(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        refund = m.act("stripe.refund", payment_intent=paid(m))
        days(m, 1)
        told = [said(m, "classify", refund["id"], "cancel-payment", *ME) for _ in range(2)][-1]  # said twice, it counts once
        m.cycle(1)

        assert "500.00 USD" in told
        assert hold_names(m) == ["reversed"]
        with m.agent.store.read() as tx:
            assert [row.who for row in audit.every(tx) if f"refund {refund['id']}" in row.what] == ["Dana"]


def test_what_cannot_be_is_refused_with_the_reason(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        refund = m.act("stripe.refund", payment_intent=paid(m), amount=20000)
        days(m, 1)
        charge = m.charges()[0].id

        assert "no refund 're_nobody'" in refused(m, "classify", "re_nobody", "credit", *ME)
        assert "only 0.00 USD" in refused(m, "classify", refund["id"], "overpayment", *ME)
        assert "--as" in refused(m, "classify", refund["id"], "credit")
        assert f"connector classify {refund['id']}" in refused(m, "decide", charge, "recollect", *ME)
        assert "no charge 'nobody'" in refused(m, "decide", "nobody", "credit", *ME)
        said(m, "classify", refund["id"], "credit", *ME)
        assert "nothing to decide" in refused(m, "decide", charge, "write-off", *ME)


def test_a_decision_is_asked_for_again_every_week_until_it_is_there(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.act("stripe.refund", payment_intent=paid(m), intent="cancel_payment")
        days(m, 10)
        charge = m.charges()[0].id

        assert hold_names(m) == ["reversed"]
        assert "undecided for 9 days" in notices(m) or "undecided for 10 days" in notices(m)
        assert len(m.stripe("payment_intent")) == 1

        said(m, "decide", charge, "write-off", *ME)
        m.cycle(1)

        assert hold_names(m) == []
        assert "undecided" not in notices(m)
        assert len(m.charges(ChargeState.PAID)) == 1


@pytest.mark.parametrize("psa", ["connectwise", "autotask"])
def test_collected_again_once_by_decision_at_what_is_owed_then(tmp_path: Path, psa: str) -> None:
    with msp(tmp_path, agreements=0, psa=psa) as m:
        m.act("stripe.refund", payment_intent=paid(m), intent="cancel_payment")
        days(m, 2)
        first = m.charges()[0].id
        told = said(m, "decide", first, "recollect", *ME)
        days(m, 3)

        assert f"{first}/1" in told
        assert debits(m)[first] == [50000]
        assert debits(m)[f"{first}/1"] == [50000]
        assert [e.amount.minor * (1 if e.kind == "payment" else -1) for e in m.ledger()] == [50000, -50000, 50000]
        assert hold_names(m) == []
        assert m.undelivered() == []
        assert [row["Balance"] for row in m.books("Invoice")] == [0]
        assert m.reconcile().ties, m.reconcile().drifts
        assert f"charge {first}/1 does" in refused(m, "decide", first, "credit", *ME)


def test_nothing_is_collected_again_where_the_invoice_was_paid_by_cheque_meanwhile(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.act("stripe.refund", payment_intent=paid(m), intent="cancel_payment")
        days(m, 2)
        first = m.charges()[0].id
        m.act("office.record_payment", invoice=m.psa_invoices()[0]["id"], amount="500.00")
        said(m, "decide", first, "recollect", *ME)
        days(m, 2)

        assert f"{first}/1" not in debits(m)
        assert m.charge(f"{first}/1").state is ChargeState.WRITTEN_OFF


def test_a_dispute_that_the_bank_still_looks_at_is_not_collected_again(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        dispute = m.act("stripe.dispute", payment_intent=paid(m))
        days(m, 1)
        charge = m.charges()[0].id

        assert dispute["id"] in refused(m, "decide", charge, "recollect", *ME)
        assert len(m.charges()) == 1


@pytest.mark.parametrize(
    ("word", "expected"), [("credit", "credit the invoice in the PSA"), ("write-off", "write the invoice off")]
)
def test_what_was_decided_is_expected_in_the_psa_and_no_longer_a_question(tmp_path: Path, word: str, expected: str) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.act("stripe.refund", payment_intent=paid(m), intent="cancel_payment")
        days(m, 1)
        charge = m.charges()[0].id
        (open_,) = m.reconcile().drifts
        degraded = gather(m.agent.store, m.world.now)
        said(m, "decide", charge, word, *ME)
        m.cycle(1)
        (decided,) = m.reconcile().drifts

        assert (open_.kind, open_.waiting) == ("went_back", False)
        assert f"connector decide {charge}" in open_.repair
        assert degraded.attention == 1
        assert gather(m.agent.store, m.world.now).attention == 0
        assert (decided.kind, decided.waiting) == ("went_back", True)
        assert expected in decided.repair
        assert len(m.stripe("payment_intent")) == 1


def test_money_that_went_back_after_a_decision_is_a_new_question(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        payment = paid(m)
        m.act("stripe.refund", payment_intent=payment, amount=20000, intent="cancel_payment")
        days(m, 1)
        charge = m.charges()[0].id
        decide(m.agent.desk, charge, ChargeDecision.WRITE_OFF, who="Dana", why="agreed")
        m.cycle(1)
        answered = hold_names(m)
        m.act("stripe.refund", payment_intent=payment, amount=30000, intent="cancel_payment")
        days(m, 1)

        assert answered == []
        assert hold_names(m) == ["reversed"]


def test_what_was_refunded_in_part_is_collected_again_in_part(tmp_path: Path) -> None:
    with msp(tmp_path, agreements=0) as m:
        m.act("stripe.refund", payment_intent=paid(m), amount=20000, intent="cancel_payment")
        days(m, 1)
        charge = m.charges()[0].id
        said(m, "decide", charge, "recollect", *ME)
        days(m, 2)

        assert debits(m).get(f"{charge}/1", [20000]) == [20000]
        assert m.charge(f"{charge}/1").owed.minor == 20000
